// SPDX-License-Identifier: Apache-2.0

package import Files
package import Runtime
package import Wire

/// A stored or spooled body that cannot be read as it was written.
package enum BodyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Its file is gone.
    case missing(BodyHash)
    /// Its file has fewer octets than were written.
    case truncated(BodyHash, expected: Int64, found: Int64)
    /// No row has it.
    case unknown
    case unreadable(BodyHash, FileError)

    package var description: String {
        switch self {
        case .missing(let hash): "The file of body \(hash) is missing."
        case .truncated(let hash, let expected, let found):
            "The file of body \(hash) has \(found) octets instead of \(expected)."
        case .unknown: "There is no such body."
        case .unreadable(let hash, let error): "The file of body \(hash) cannot be read: \(error)."
        }
    }
}

/// The octets of one body, in any order and in pieces.
///
/// It holds at most ``SpooledBody/largestInRow`` octets of memory; what it reads stays readable as long as it lives, even
/// when the body is removed meanwhile.
package final class BodyReader: Sendable {
    private enum Source {
        case memory([UInt8])
        case file(File, BodyHash)
    }

    /// Octets in the body.
    package let size: Int64
    private let source: Source

    /// A body that is in memory.
    package init(_ octets: [UInt8]) {
        size = Int64(octets.count)
        source = .memory(octets)
    }

    init(file: File, hash: BodyHash, size: Int64) throws(BodyError) {
        self.size = size
        source = .file(file, hash)
        let found: Int64
        do throws(FileError) {
            found = try file.size()
        } catch {
            throw .unreadable(hash, error)
        }
        guard found >= size else { throw .truncated(hash, expected: size, found: found) }
    }

    /// The body of a row of `bodies`; `data` is nil for one that has a file.
    convenience init(hash: [UInt8], size: Int64, data: [UInt8]?, files: BodyFiles) throws(BodyError) {
        if let data {
            self.init(data)
            return
        }
        guard let hash = BodyHash(octets: hash) else { throw .unknown }
        try self.init(file: files.open(hash), hash: hash, size: size)
    }

    /// Whether reading may wait for the disk.
    package var isInMemory: Bool {
        switch source {
        case .memory: true
        case .file: false
        }
    }

    /// Appends the octets of `range`, which is cut to the body's, and says how many they were.
    ///
    /// May block for the disk unless ``isInMemory``: event loops use ``read(_:into:on:)``.
    @discardableResult
    package func read(_ range: Range<Int64>, into buffer: inout ByteBuffer) throws(BodyError) -> Int {
        let range = range.clamped(to: 0..<size)
        guard !range.isEmpty else { return 0 }
        switch source {
        case .memory(let octets):
            buffer.append(octets[Int(range.lowerBound)..<Int(range.upperBound)])
        case .file(let file, let hash):
            let octets: [UInt8]
            do throws(FileError) {
                octets = try file.read(at: range.lowerBound, count: range.count)
            } catch {
                throw .unreadable(hash, error)
            }
            guard octets.count == range.count else {
                throw .truncated(hash, expected: size, found: range.lowerBound + Int64(octets.count))
            }
            buffer.append(octets)
        }
        return range.count
    }

    /// As ``read(_:into:)``, but waits for the disk on a thread of `pool`.
    ///
    /// Ask for pieces of some 256 KiB at most: so much is held besides.
    @discardableResult
    package func read(_ range: Range<Int64>, into buffer: inout ByteBuffer, on pool: BlockingPool) async throws -> Int {
        if isInMemory { return try read(range, into: &buffer) }
        let piece = try await pool.run { [self] in
            var piece = ByteBuffer()
            try read(range, into: &piece)
            return piece.array()
        }
        buffer.append(piece)
        return piece.count
    }
}
