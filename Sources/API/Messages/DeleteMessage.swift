// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Storage
import Sync

/// `DELETE /v1/accounts/{account}/messages/{message}`: to the trash or, with `permanent=true` or from there, for good.
enum DeleteMessage {
    static let operation = Operation(
        "deleteMessage",
        .delete,
        "/v1/accounts/{account}/messages/{message}",
        scope: .write
    ) { call in
        var query = call.query
        let deletion = MessageDeletion(isPermanent: query.bool("permanent") ?? false)
        try query.finish()
        let (account, message, caller) = (call.account, call.message, call.caller)
        let conditions = try Preconditions(call.exchange.fields)
        let (owner, found, target) = try await call.store.read { snapshot in
            let owner = try account.resolve(in: snapshot, for: caller)
            let row = try message.row(in: snapshot, of: owner)
            return (owner, row, try deletion.resolve(in: snapshot, of: owner))
        }
        if let mailbox = try call.api.remoteMailbox(of: owner) {
            try conditions.check(MessageJSON.tag(found))
            try await target.apply(to: [found], at: mailbox)
            return try await call.respondNoContent()
        }
        try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            let row = try message.row(in: transaction, of: account)
            try conditions.check(MessageJSON.tag(row))
            try deletion.resolve(in: transaction, of: account).apply(to: row, transaction)
        }
        try await call.respondNoContent()
    }
}
