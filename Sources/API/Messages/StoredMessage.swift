// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Intake
import JSON
import MIME
import MailTypes
import Runtime
import Storage
import Wire

/// What reading the octets of a stored message takes.
struct StoredMessage: Sendable {
    let id: PlacementID
    let content: ContentID
    let modseq: UInt64
    /// What delivery put in front.
    let trace: [UInt8]
    let isQuarantined: Bool
    let layout: [UInt8]
    /// Nil where the octets are at the message's server.
    let body: Int64?

    init(_ message: borrowing MessageView) throws {
        id = try message.id
        content = try message.content
        modseq = message.modseq
        trace = message.trace.array()
        isQuarantined = message.isQuarantined
        layout = message.layout.array()
        body = message.body
    }

    func openBody(_ store: Store) async throws -> BodyReader {
        guard let body else { throw BodyError.unknown }
        return try await store.openBody(body)
    }

    /// Reads texts and parts.
    func reader(_ store: Store) async throws -> MessageReader { reader(try await openBody(store), store) }

    func reader(_ body: BodyReader, _ store: Store) -> MessageReader {
        MessageReader(layout: layout.span, body: body, pool: store.blocking)
    }

    /// Of the octets, which never change.
    var octetsTag: EntityTag { EntityTag("r\(id)".utf8) }
    /// Of one part, or of the text made from it; `form` tells these apart.
    func partTag(_ form: StaticString, _ part: String) -> EntityTag { EntityTag("\(form)\(content).\(part)".utf8) }
}

extension Call {
    /// The message that the path names; 404 where there is none.
    func storedMessage() async throws -> StoredMessage {
        let (account, message, caller) = (account, message, caller)
        return try await store.read { snapshot in
            let account = try account.resolve(in: snapshot, for: caller)
            let id = try message.resolve(in: snapshot, of: account)
            guard let stored = try snapshot.messages.get(id, in: account.key, { try StoredMessage($0) }) else {
                throw APIProblem.notFound("message")
            }
            return stored
        }
    }
}
