// SPDX-License-Identifier: Apache-2.0

import MIME
import Runtime
package import Storage
import Wire

/// Reading a message that was quarantined: first where a crash harms nobody, then in the server.
package enum Rereading {
    /// Reads octets in every way the server would, and keeps nothing.
    ///
    /// For a process whose end is no loss.
    package static func attempt(_ octets: [UInt8]) throws {
        let reader = BodyReader(octets)
        let reading = try Digestion.read(reader, limits: .standard, wasNormalised: false)
        _ = try SearchText.read(reading.layout, of: reader)
    }

    /// Takes a body out of the quarantine and reads it again; how many messages, of whatever accounts, have it and were
    /// changed.
    ///
    /// Should it end the process once more, it is quarantined again.
    package static func release(_ body: (hash: BodyHash, row: Int64), in store: Store) async throws -> Int {
        let quarantine = store.quarantine
        try await store.blocking.run { try quarantine.release(body.hash) }
        let spool = store.spool()
        let reader = try await store.openBody(body.row)
        var offset: Int64 = 0
        var piece = ByteBuffer()
        while offset < reader.size {
            let end = min(offset + (64 << 10), reader.size)
            _ = try await reader.read(offset..<end, into: &piece, on: store.blocking)
            try spool.append(piece.bytes)
            piece.removeAll()
            offset = end
        }
        let content = try await Intake(store: store).read(try await spool.finish())
        guard !content.isQuarantined else { return 0 }
        return try await store.write { try $0.messages.replaceUnread(with: content) }
    }
}
