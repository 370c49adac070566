// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Storage

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
        try await call.store.write { transaction in
            let account = try account.resolve(in: transaction, for: caller)
            let row = try message.row(in: transaction, of: account)
            try conditions.check(MessageJSON.tag(row))
            try deletion.resolve(in: transaction, of: account).apply(to: row, transaction)
        }
        try await call.respondNoContent()
    }
}
