// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// An open file.
///
/// Its calls block: for threads of their own, never for an event loop, apart from short reads of what is cached.
package final class File: Sendable {
    /// How a file is opened.
    ///
    /// None of them follows the descriptor into a child process.
    package enum Mode: Sendable {
        case read
        /// Made with mode 0600 when it is missing.
        case readWrite
        /// Must not exist yet; mode 0600.
        case createNew
        /// Made with mode 0600 when it is missing; what it held is gone.
        case createEmpty
        /// Made with mode 0600 when it is missing; each write goes to the end.
        case append
    }

    /// The descriptor: ours until `close` or `deinit`.
    package let descriptor: Int32

    /// The corresponding C function is `open`.
    package init(_ path: String, _ mode: Mode) throws(FileError) {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR | O_CREAT
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            case .createEmpty: O_RDWR | O_CREAT | O_TRUNC
            case .append: O_RDWR | O_CREAT | O_APPEND
            }
        descriptor = try retrying("open") { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    /// A new file of a name nobody else has, mode 0600, in `directory`, and its path.
    ///
    /// The corresponding C function is `mkostemp`.
    package static func temporary(in directory: String, prefix: String) throws(FileError) -> (file: File, path: String)
    {
        var template = Array("\(directory)/\(prefix)XXXXXX".utf8CString)
        let descriptor = try retrying("mkstemp") {
            template.withUnsafeMutableBufferPointer { mkstemp($0.baseAddress.unsafelyUnwrapped) }
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress.unsafelyUnwrapped) }
        return (File(descriptor: descriptor), path)
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Octets in the file now.
    package func size() throws(FileError) -> Int64 {
        var status = stat()
        _ = try retrying("fstat") { fstat(descriptor, &status) }
        return Int64(status.st_size)
    }

    /// Appends all of `bytes` at the descriptor's position.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let written = try retrying("write") { Glibc.write(descriptor, piece.baseAddress, piece.count) }
            rest = rest.dropFirst(written)
        }
    }

    package func write(_ bytes: Span<UInt8>) throws(FileError) {
        try bytes.withUnsafeBytes { (raw) throws(FileError) in try write(raw) }
    }

    package func write(_ bytes: [UInt8]) throws(FileError) { try write(bytes.span) }

    /// Reads up to `target.count` octets at `offset`; fewer only at the end of the file.
    package func read(at offset: Int64, into target: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        var count = 0
        while count < target.count {
            let piece = UnsafeMutableRawBufferPointer(rebasing: target[count...])
            let position = off_t(offset) + off_t(count)
            let got = try retrying("pread") { pread(descriptor, piece.baseAddress, piece.count, position) }
            if got == 0 { break }
            count += got
        }
        return count
    }

    /// At most `count` octets at `offset`; fewer only at the end of the file.
    package func read(at offset: Int64, count: Int) throws(FileError) -> [UInt8] {
        guard count > 0 else { return [] }
        var result: Result<Int, FileError> = .success(0)
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            result = Result { () throws(FileError) in try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            }
            initialized = (try? result.get()) ?? 0
        }
        _ = try result.get()
        return bytes
    }

    /// Cuts or extends the file to `size` octets.
    ///
    /// The corresponding C function is `ftruncate`.
    package func truncate(to size: Int64) throws(FileError) {
        _ = try retrying("ftruncate") { ftruncate(descriptor, off_t(size)) }
    }

    /// Makes the file at least `size` octets long, with room for all of them set aside: writing there does not find the disk
    /// full later.
    ///
    /// The corresponding C function is `posix_fallocate`.
    package func reserve(_ size: Int64) throws(FileError) {
        while true {
            let code = posix_fallocate(descriptor, 0, off_t(size))
            if code == 0 { return }
            guard code == EINTR else { throw FileError(code: code, function: "posix_fallocate") }
        }
    }

    /// Returns when what was written, and the file's size, are on the disk.
    ///
    /// After an error nothing is known about what was
    /// written before: do not try again as if nothing had happened. The corresponding C function is `fdatasync`.
    package func sync() throws(FileError) {
        _ = try retrying("fdatasync") { fdatasync(descriptor) }
    }

    /// Takes the advisory lock of the whole file for this open file, or says that another has it.
    ///
    /// It goes with the file.
    /// The corresponding C function is `flock`.
    package func lockExclusively() throws(FileError) -> Bool {
        do {
            _ = try retrying("flock") { flock(descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch  where error.code == EWOULDBLOCK {
            return false
        }
    }
}
