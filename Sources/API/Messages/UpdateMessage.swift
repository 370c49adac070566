// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Storage
import Wire

/// `PATCH /v1/accounts/{account}/messages/{message}`: other flags, another folder, or both.
enum UpdateMessage {
    static let operation = Operation(
        "updateMessage",
        .patch,
        "/v1/accounts/{account}/messages/{message}",
        scope: .write
    ) { call in
        try call.refuseParameters()
        let (account, message, caller) = (call.account, call.message, call.caller)
        let conditions = try Preconditions(call.exchange.fields)
        _ = try await call.store.read { snapshot in
            try message.row(in: snapshot, of: try account.resolve(in: snapshot, for: caller))
        }
        let change = try await call.decodeBody(MessageChange.read)
        let shown = try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            let row = try message.row(in: transaction, of: account)
            try conditions.check(MessageJSON.tag(modseq: row.modseq))
            let changed = try change.resolve(in: transaction, of: account).apply(to: row, transaction)
            return try ShownMessage(changed, in: transaction)
        }
        try await call.respond(.ok, shown)
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
    /// Answers with the message and its `ETag`; for one that was made, with its `Location`.
    func respond(_ status: HTTPStatus, _ message: ShownMessage) async throws {
        var fields = HTTPFields()
        try fields.add("ETag", MessageJSON.tag(modseq: message.row.modseq).fieldValue)
        if status == .created { try fields.add("Location", try location(below: "messages", "\(message.row.id)")) }
        try await respond(status, json: ByteBuffer(message.json), fields: fields)
    }
}
