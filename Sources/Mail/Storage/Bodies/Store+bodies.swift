// SPDX-License-Identifier: Apache-2.0

import Files
import Runtime
import SQLite

extension StoreView {
    /// As ``Store/openBody(_:)``, together with other reading; `files` are the store's.
    package func openBody(_ body: Int64, files: BodyFiles) throws -> BodyReader {
        let reader = try connection.first("SELECT hash, size, data FROM bodies WHERE pk = ?1", body) { row in
            try BodyReader(hash: row.array(0), size: row.int64(1), data: row.optionalArray(2), files: files)
        }
        guard let reader else { throw BodyError.unknown }
        return reader
    }
}

extension Store {
    /// A spool for one message, of at most ``StoreConfiguration/maximumMessageOctets``.
    package func spool() -> Spool {
        Spool(files: bodies, pool: blocking, limit: configuration.maximumMessageOctets)
    }

    /// Opens the body of a row of `bodies` (``MessageRow/body``).
    ///
    /// Throws ``BodyError``.
    package func openBody(_ body: Int64) async throws -> BodyReader {
        try await read { [bodies] in try $0.openBody(body, files: bodies) }
    }

    /// Milliseconds: longer than any message is on its way from its file to its row.
    private static let youngestSwept: Int64 = 3_600_000

    /// Rows looked up in one write, so that a sweep holds up nobody.
    private static let sweepBatch = 64

    /// Removes the files of bodies that no row has: left by a process that died between the two, or by the last user's
    /// going.
    ///
    /// To be called at start and now and then. How many there were. A file younger than ``youngestSwept`` stays, whatever is
    /// known of it: rubbish costs room, a file too few costs a message.
    ///
    /// A server whose directory was removed and made again by another, for one, sees the other's files by their paths and has
    /// no rows for them.
    package func sweepBodies() async throws -> Int {
        let latest = clock.now() - Self.youngestSwept
        let found = try await blocking.run { [bodies] in
            try bodies.beginSweep().filter { hash in
                (try? Files.status(bodies.path(of: hash)).modified).map { $0 < latest } ?? false
            }
        }
        var removed = 0
        for start in stride(from: 0, to: found.count, by: Self.sweepBatch) {
            let batch = Array(found[start..<min(start + Self.sweepBatch, found.count)])
            removed += try await sweep(batch)
        }
        return removed
    }

    /// Two looks: one at what is committed, so that a row removed in a transaction that may still fail counts as there;
    /// and one on the writer's thread, which no newcomer can overtake.
    private func sweep(_ batch: [BodyHash]) async throws -> Int {
        let orphans = try await read { snapshot in try batch.filter { try !Self.hasRow($0, snapshot.connection) } }
        guard !orphans.isEmpty else { return 0 }
        return try await write { [bodies] tx in
            try orphans.count(where: { try !Self.hasRow($0, tx.connection) && bodies.remove($0) })
        }
    }

    private static func hasRow(_ hash: BodyHash, _ connection: SQLiteConnection) throws -> Bool {
        try connection.first("SELECT 1 FROM bodies WHERE hash = ?1", hash.octets) { _ in true } ?? false
    }
}
