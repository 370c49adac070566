// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Storage

/// `DELETE /v1/accounts/{account}/folders/{folder}`: one that is empty or, with `permanent=true`, with its messages.
enum DeleteFolder {
    static let operation = Operation("deleteFolder", .delete, "/v1/accounts/{account}/folders/{folder}", scope: .write)
    {
        call in
        var query = call.query
        let isPermanent = query.bool("permanent") ?? false
        try query.finish()
        let (account, folder, caller) = (call.account, call.folder, call.caller)
        let conditions = try Preconditions(call.exchange.fields)
        try await call.store.write { transaction in
            let row = try folder.resolve(in: transaction, of: try account.resolve(in: transaction, for: caller))
            try conditions.check(FolderJSON.tag(row))
            try transaction.folders.delete(row, withMessages: isPermanent)
        }
        try await call.respondNoContent()
    }
}
