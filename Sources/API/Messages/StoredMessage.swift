// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Intake
import JSON
import MIME
import MailTypes
import Runtime
import Storage
import Sync
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

    /// Throws 404 where the message is gone.
    init(_ row: MessageRow, in view: some StoreView) throws {
        guard let stored = try view.messages.get(row.id, in: row.account, { try StoredMessage($0) }) else {
            throw APIProblem.notFound("message")
        }
        self = stored
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
    ///
    /// Its octets are fetched from its server first where they are not here.
    func storedMessage() async throws -> StoredMessage {
        let (account, message, caller) = (account, message, caller)
        let (owner, row, stored) = try await store.read { snapshot in
            let owner = try account.resolve(in: snapshot, for: caller)
            let row = try message.row(in: snapshot, of: owner)
            return (owner, row, try StoredMessage(row, in: snapshot))
        }
        guard stored.body == nil else { return stored }
        try await fetchBody(of: row, in: owner)
        return try await store.read { try StoredMessage(row, in: $0) }
    }

    /// Has the octets of a message brought here from its server.
    func fetchBody(of message: MessageRow, in account: AccountRow) async throws {
        guard let mailbox = try api.remoteMailbox(of: account) else { throw BodyError.unknown }
        try await mailbox.fetchBody(of: message)
    }
}
