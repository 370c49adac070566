// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Storage
import Sync

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
        let (owner, found, hasOthers) = try await call.store.read { snapshot in
            let owner = try account.resolve(in: snapshot, for: caller)
            let row = try folder.resolve(in: snapshot, of: owner)
            return (owner, row, try !snapshot.folders.below(row).isEmpty)
        }
        if let mailbox = try call.api.remoteMailbox(of: owner) {
            try conditions.check(FolderJSON.tag(found))
            guard found.role == nil else { throw StoreError.protected }
            guard !hasOthers, isPermanent || found.total == 0 else { throw StoreError.notEmpty }
            try await mailbox.deleteFolder(found, withMessages: isPermanent)
            return try await call.respondNoContent()
        }
        try await call.store.write { transaction in
            let row = try folder.resolve(in: transaction, of: try account.resolve(in: transaction, for: caller))
            try conditions.check(FolderJSON.tag(row))
            try transaction.folders.delete(row, withMessages: isPermanent)
        }
        try await call.respondNoContent()
    }
}
