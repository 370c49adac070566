// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import JSON
import Storage
import Sync
import Wire

/// `PATCH /v1/accounts/{account}/messages/{message}`: other flags, another folder, or both.
enum UpdateMessage {
    static let operation = Operation(
        "updateMessage",
        .patch,
        "/v1/accounts/{account}/messages/{message}",
        scope: .write
    ) { call in
        let changed = try await call.change(
            MessageChange.read,
            remotely: { change, message, account, mailbox in
                let store = call.store
                let resolved = try await store.read { try change.resolve(in: $0, of: account) }
                try await resolved.apply(to: [message], at: mailbox)
                return message.key
            }
        ) { change, message, account, transaction in
            try change.resolve(in: transaction, of: account).apply(to: message, transaction)
        }
        try await call.respond(.ok, changed)
    }
}

/// A message that was just changed or made, with its JSON.
struct ShownMessage: Sendable {
    let row: MessageRow
    let json: [UInt8]

    init(_ row: MessageRow, in view: some StoreView) throws {
        self.row = row
        json = try MessageJSON.octets(of: row, in: view)
    }
}

extension Call {
    /// Has `change` do what the body asks, as `read` reads it, to the message that the path names, if that is still as the
    /// request's conditions say; what `change` gave, with its JSON.
    ///
    /// A message that is not there is said before anything that is wrong with the body.
    /// For a remote account `remotely` does it at its server and in the mirror, and says which message it then is.
    func change<Body: Sendable>(
        _ read: (inout JSONObjectReader) -> Body?,
        remotely: (Body, MessageRow, AccountRow, RemoteMailbox) async throws -> MessageKey,
        _ change: @escaping @Sendable (Body, MessageRow, AccountRow, Transaction) throws -> MessageRow
    ) async throws -> ShownMessage {
        try refuseParameters()
        let (account, message, caller) = (account, message, caller)
        let conditions = try Preconditions(exchange.fields)
        let (owner, row) = try await store.read { snapshot in
            let owner = try account.resolve(in: snapshot, for: caller)
            return (owner, try message.row(in: snapshot, of: owner))
        }
        let body = try await decodeBody(read)
        if let mailbox = try api.remoteMailbox(of: owner) {
            try conditions.check(MessageJSON.tag(row))
            let key = try await remotely(body, row, owner, mailbox)
            return try await store.read { snapshot in
                guard let row = try snapshot.messages.find(key, in: owner.key) else {
                    throw APIProblem.notFound("message")
                }
                return try ShownMessage(row, in: snapshot)
            }
        }
        return try await store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            let row = try message.row(in: transaction, of: account)
            try conditions.check(MessageJSON.tag(row))
            return try ShownMessage(try change(body, row, account, transaction), in: transaction)
        }
    }

    /// Answers with the message and its `ETag`; for one that was made, with its `Location`.
    func respond(_ status: HTTPStatus, _ message: ShownMessage) async throws {
        var fields = HTTPFields()
        try fields.add("ETag", MessageJSON.tag(message.row).fieldValue)
        if status == .created { try fields.add("Location", try location(below: "messages", "\(message.row.id)")) }
        try await respond(status, json: ByteBuffer(message.json), fields: fields)
    }
}
