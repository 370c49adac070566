// SPDX-License-Identifier: Apache-2.0

import IMAP
package import Intake
package import Storage
import Wire

extension RemoteMailbox {
    /// Fetches the octets of a message that are not here, and keeps them a while.
    package func fetchBody(of message: MessageRow) async throws {
        guard message.size <= parts.store.configuration.maximumMessageOctets else {
            throw RemoteError.unsupported("The message is larger than this server takes.")
        }
        let (group, uid) = try await place(of: message)
        let intake = parts.intake
        let taken = try await bulk.perform(isRepeatable: true) { session in
            let message = intake.begin(.normalising)
            try await session.octets(of: uid, in: group.remote, section: IMAPSection()) { piece in
                try message.append(piece.span)
            }
            return try await message.finish()
        }
        try await keep(taken, of: message)
    }

    /// Keeps the octets of a message that were fetched.
    package func keep(_ taken: TakenMessage, of message: MessageRow) async throws {
        try await parts.store.write { tx in
            try tx.mirror.lend(taken.content, to: message.content, of: message.account)
        }
    }
}
