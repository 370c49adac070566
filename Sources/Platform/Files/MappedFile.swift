// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A small file of fixed size in shared memory: what is stored in it outlives a crash of the process at once, without a
/// system call (not a crash of the machine).
///
/// One thread writes a given range at a time: the owner sees to that.
package final class MappedFile: @unchecked Sendable {
    // Sound: the mapping lives as long as we do; who shares a range between threads orders the accesses.
    private let base: UnsafeMutableRawPointer
    package let count: Int

    /// Opens or makes the file and brings it to `size` octets (new ones are 0).
    ///
    /// Room for all of them is set aside: a store to a page that the disk has no room for would end the process.
    ///
    /// The corresponding C function is `mmap`.
    package init(_ path: String, size: Int) throws(FileError) {
        precondition(size > 0)
        let file = try File(path, .readWrite)
        if try file.size() != Int64(size) { try file.truncate(to: Int64(size)) }
        try file.reserve(Int64(size))
        guard
            let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.descriptor, 0),
            mapping != MAP_FAILED
        else { throw FileError(code: errno, function: "mmap") }
        base = mapping
        count = size
    }

    deinit { munmap(base, count) }

    /// A copy of `length` octets at `offset`.
    package func load(at offset: Int, count length: Int) -> [UInt8] {
        precondition(offset >= 0 && length >= 0 && offset <= count - length)
        return [UInt8](UnsafeRawBufferPointer(start: base + offset, count: length))
    }

    /// Puts `bytes` at `offset`.
    package func store(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset <= count - bytes.count)
        bytes.withUnsafeBytes { raw in
            if let source = raw.baseAddress { (base + offset).copyMemory(from: source, byteCount: raw.count) }
        }
    }
}
