// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
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

    func reader(_ sections: RemoteSections, _ store: Store) -> MessageReader {
        MessageReader(layout: layout.span, sections: sections, pool: store.blocking)
    }

    /// Of the octets, which never change.
    var octetsTag: EntityTag { EntityTag("r\(id)".utf8) }
    /// Of one part, or of the text made from it; `form` tells these apart.
    func partTag(_ form: StaticString, _ part: String) -> EntityTag { EntityTag("\(form)\(content).\(part)".utf8) }
}

extension Call {
    /// A message, and where it is found.
    struct Located: Sendable {
        let owner: AccountRow
        let row: MessageRow
        let stored: StoredMessage
    }

    /// The message that the path names; 404 where there is none.
    func locatedMessage() async throws -> Located {
        let (account, message, caller) = (account, message, caller)
        return try await store.read { snapshot in
            let owner = try account.resolve(in: snapshot, for: caller)
            let row = try message.row(in: snapshot, of: owner)
            return Located(owner: owner, row: row, stored: try StoredMessage(row, in: snapshot))
        }
    }

    /// The message with its octets, which are fetched from its server where they are not here.
    func fetched(_ message: Located) async throws -> StoredMessage {
        guard message.stored.body == nil else { return message.stored }
        guard let mailbox = try api.remoteMailbox(of: message.owner) else { throw BodyError.unknown }
        try await mailbox.fetchBody(of: message.row)
        return try await store.read { try StoredMessage(message.row, in: $0) }
    }

    /// Sees that the octets of a message which another refers to are here.
    func fetchReferred(_ message: PlacementID, of account: AccountRow) async throws {
        guard let mailbox = try api.remoteMailbox(of: account) else { return }
        let missing = try await store.read { snapshot -> MessageRow? in
            guard let row = try snapshot.messages.find(message, in: account.key) else { return nil }
            return try snapshot.messages.get(row.id, in: account.key) { $0.body } ?? nil == nil ? row : nil
        }
        if let missing { try await mailbox.fetchBody(of: missing) }
    }

    /// Has `body` read the message: where its octets are not here, by its parts at its server, which the third argument is.
    ///
    /// Where that server sends parts otherwise than it describes them, the whole message is fetched and `body` called again,
    /// unless it has begun to answer.
    func reading(
        _ message: Located,
        _ body: (StoredMessage, MessageReader, RemoteSections?) async throws -> Void
    ) async throws {
        if message.stored.body == nil, let mailbox = try api.remoteMailbox(of: message.owner) {
            let sections = mailbox.sections(of: message.row)
            do {
                return try await body(message.stored, message.stored.reader(sections, store), sections)
            } catch is SectionMismatch where !exchange.hasResponded {
                // What the message is says the message itself.
            }
        }
        let stored = try await fetched(message)
        try await body(stored, try await stored.reader(store), nil)
    }
}
