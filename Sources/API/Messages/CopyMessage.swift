// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import JSON
import Storage

/// `POST /v1/accounts/{account}/messages/{message}/copy`: another placement with the same content, under an id of its own.
enum CopyMessage {
    static let operation = Operation(
        "copyMessage",
        .post,
        "/v1/accounts/{account}/messages/{message}/copy",
        scope: .write
    ) { call in
        try call.refuseParameters()
        let (account, message, caller) = (call.account, call.message, call.caller)
        let conditions = try Preconditions(call.exchange.fields)
        _ = try await call.store.read { snapshot in
            try message.row(in: snapshot, of: try account.resolve(in: snapshot, for: caller))
        }
        let target = try await call.decodeBody { $0.require("folder")?.folderReference() }
        let copy = try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            let row = try message.row(in: transaction, of: account)
            try conditions.check(MessageJSON.tag(modseq: row.modseq))
            let folder = try target.resolve(in: transaction, of: account, member: "folder")
            return try ShownMessage(try transaction.messages.copy(row, to: folder), in: transaction)
        }
        try await call.respond(.created, copy)
    }
}
