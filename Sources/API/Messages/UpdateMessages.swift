// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage
import Sync

/// `PATCH /v1/accounts/{account}/messages`: other flags or another folder for all that the filters match.
enum UpdateMessages {
    static let operation = Operation("updateMessages", .patch, "/v1/accounts/{account}/messages", scope: .write) {
        call in
        let (account, caller) = (call.account, call.caller)
        _ = try await call.store.read { try account.resolve(in: $0, for: caller).key }
        var query = call.query
        let listing = query.bulkListing()
        let isDryRun = query.bool("dryRun") ?? false
        try query.finish()
        let change = try await call.decodeBody(MessageChange.read)
        // What the body names must be there even if no message matches.
        try await call.store.read {
            _ = try change.resolve(in: $0, of: try account.resolve(in: $0, for: caller))
        }
        let bulk = BulkChange(account: account, caller: caller, listing: listing, isDryRun: isDryRun)
        let outcome = try await bulk.run(
            call.api,
            dryRun: { snapshot, account, keys in
                let change = try change.resolve(in: snapshot, of: account)
                return try snapshot.messages.rows(keys, in: account.key).count { change.changes($0) }
            },
            remotely: { mailbox, account, keys in
                let (resolved, due) = try await call.store.read { snapshot in
                    let resolved = try change.resolve(in: snapshot, of: account)
                    return (resolved, try snapshot.messages.rows(keys, in: account.key).filter { resolved.changes($0) })
                }
                try await resolved.apply(to: due, at: mailbox)
                return due.count
            },
            change: { transaction, account, keys in
                let change = try change.resolve(in: transaction, of: account)
                let due = try transaction.messages.rows(keys, in: account.key).filter { change.changes($0) }
                for row in due { _ = try change.apply(to: row, transaction) }
                return due.count
            }
        )
        try await call.respond(outcome, isDryRun: isDryRun)
    }
}

extension Messages {
    /// The placements of these keys that there still are.
    func rows(_ keys: [MessageKey], in account: AccountKey) throws -> [MessageRow] {
        var filter = MessageFilter()
        filter.keys = keys
        return try rows(matching: filter, in: account, limit: keys.count)
    }
}
