// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage
import Sync

/// `DELETE /v1/accounts/{account}/messages`: all that the filters match, to the trash or for good.
enum DeleteMessages {
    static let operation = Operation("deleteMessages", .delete, "/v1/accounts/{account}/messages", scope: .write) {
        call in
        let (account, caller) = (call.account, call.caller)
        _ = try await call.store.read { try account.resolve(in: $0, for: caller).key }
        var query = call.query
        let listing = query.bulkListing()
        let deletion = MessageDeletion(isPermanent: query.bool("permanent") ?? false)
        let isDryRun = query.bool("dryRun") ?? false
        try query.finish()
        let bulk = BulkChange(account: account, caller: caller, listing: listing, isDryRun: isDryRun)
        let outcome = try await bulk.run(
            call.api,
            dryRun: { snapshot, account, keys in try snapshot.messages.rows(keys, in: account.key).count },
            remotely: { mailbox, account, keys in
                let (resolved, rows) = try await call.store.read { snapshot in
                    (
                        try deletion.resolve(in: snapshot, of: account),
                        try snapshot.messages.rows(keys, in: account.key)
                    )
                }
                try await resolved.apply(to: rows, at: mailbox)
                return rows.count
            },
            change: { transaction, account, keys in
                let deletion = try deletion.resolve(in: transaction, of: account)
                let rows = try transaction.messages.rows(keys, in: account.key)
                for row in rows { try deletion.apply(to: row, transaction) }
                return rows.count
            }
        )
        try await call.respond(outcome, isDryRun: isDryRun)
    }
}
