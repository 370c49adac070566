// SPDX-License-Identifier: Apache-2.0

import Crypto
import Files
package import Runtime
import Wire

/// More came than may.
package struct BodyTooLarge: Error, Hashable, Sendable {
    /// The most that is taken, in octets.
    package let limit: Int64
}

/// Takes what arrives, piece by piece: up to ``memoryOctets`` are held, more goes to a file that nobody else sees.
///
/// Let go before ``finish()`` it leaves nothing behind.
///
/// It belongs to one task. Appending never waits for the disk, only for the kernel to take the octets.
package final class Spool {
    /// What is held in memory at most; beyond it a temporary file is written in pieces of this size.
    package static let memoryOctets = 64 << 10

    private let files: BodyFiles
    private let pool: BlockingPool
    package let limit: Int64
    /// Octets taken so far.
    package private(set) var size: Int64 = 0
    private var pending = ByteBuffer()
    private var digest = SHA256()
    private var temporary: TemporaryBody?

    package init(files: BodyFiles, pool: BlockingPool, limit: Int64) {
        self.files = files
        self.pool = pool
        self.limit = limit
    }

    /// Takes the next octets.
    ///
    /// Throws ``BodyTooLarge``, taking none of them, when they would be too many in all, and ``StoreError`` when the
    /// kernel does not take them.
    package func append(_ bytes: Span<UInt8>) throws {
        guard Int64(bytes.count) <= limit - size else { throw BodyTooLarge(limit: limit) }
        digest.update(bytes)
        size += Int64(bytes.count)
        var start = 0
        while start < bytes.count {
            let piece = min(bytes.count - start, Self.memoryOctets - pending.count)
            let part = bytes.extracting(start..<start + piece)
            pending.append(part)
            start += piece
            if pending.count == Self.memoryOctets, start < bytes.count || temporary != nil { try flush() }
        }
    }

    package func append(_ bytes: [UInt8]) throws { try append(bytes.span) }

    private func flush() throws(StoreError) {
        do throws(FileError) {
            let target = if let temporary { temporary } else { try TemporaryBody(in: files.spoolDirectory) }
            temporary = target
            try Self.write(pending, to: target.file)
        } catch {
            throw StoreError(error)
        }
        pending.removeAll()
    }

    private static func write(_ buffer: borrowing ByteBuffer, to file: File) throws(FileError) {
        try file.write(buffer.bytes)
    }

    /// The body as a whole, ready to be named in a row: a large one is by now in its lasting place.
    ///
    /// The spool is then spent.
    package func finish() async throws -> SpooledBody {
        guard let hash = BodyHash(octets: digest.finalize()) else { preconditionFailure("SHA-256 has 32 octets") }
        guard let temporary else {
            return SpooledBody(hash: hash, size: size, content: .memory(pending.array()), files: files)
        }
        if !pending.isEmpty { try flush() }
        pending.removeAll(keepingCapacity: false)
        self.temporary = nil
        guard size > SpooledBody.largestInRow else {
            return SpooledBody(hash: hash, size: size, content: .temporary(temporary), files: files)
        }
        let body = SpooledBody(hash: hash, size: size, content: .kept, files: files)
        try await pool.run { [files, size] in
            try files.keep(temporary.path, file: temporary.file, as: hash, size: size)
            temporary.isMoved()
        }
        return body
    }
}

/// A file in the spool, removed when it is let go unless it was given another name.
final class TemporaryBody: Sendable {
    let file: File
    let path: String
    private let moved = Lock(false)

    init(in directory: String) throws(FileError) { (file, path) = try File.temporary(in: directory, prefix: "body-") }

    func isMoved() { moved.withLock { $0 = true } }

    deinit {
        if !moved.withLock({ $0 }) { try? Files.remove(path) }
    }
}

/// A complete body on its way into a row.
///
/// As long as it lives the sweeper leaves its file alone: keep it until the transaction that calls
/// ``Transaction/retainBody(_:)`` has run.
package final class SpooledBody: Sendable {
    /// A body of more octets has a file of its own; up to so many are in the row.
    package static let largestInRow: Int64 = 256 << 10

    enum Content: Sendable {
        case memory([UInt8])
        case temporary(TemporaryBody)
        /// In its lasting file.
        case kept
    }

    package let hash: BodyHash
    /// Octets.
    package let size: Int64
    private let content: Content
    private let files: BodyFiles

    init(hash: BodyHash, size: Int64, content: Content, files: BodyFiles) {
        self.hash = hash
        self.size = size
        self.content = content
        self.files = files
        files.claim(hash)
    }

    deinit { files.unclaim(hash) }

    /// The octets, to parse them before they are stored.
    package func reader() throws(BodyError) -> BodyReader {
        switch content {
        case .memory(let octets): return BodyReader(octets)
        case .temporary(let body): return try BodyReader(file: body.file, hash: hash, size: size)
        case .kept: return try BodyReader(file: files.open(hash), hash: hash, size: size)
        }
    }

    /// The octets that go into the row; nil for a body that has a file.
    func octetsForRow() throws -> [UInt8]? {
        switch content {
        case .memory(let octets): return octets
        case .temporary(let body):
            let octets = try body.file.read(at: 0, count: Int(size))
            guard octets.count == size else {
                throw BodyError.truncated(hash, expected: size, found: Int64(octets.count))
            }
            return octets
        case .kept: return nil
        }
    }
}

extension BodyFiles {
    /// The file of `hash`.
    ///
    /// May block for the disk, briefly.
    func open(_ hash: BodyHash) throws(BodyError) -> File {
        do throws(FileError) {
            return try File(path(of: hash), .read)
        } catch {
            throw error.isNotFound ? .missing(hash) : .unreadable(hash, error)
        }
    }
}
