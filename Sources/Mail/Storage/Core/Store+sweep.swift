// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite
import Wire

extension Store {
    /// Removes what is no longer kept: events and idempotency keys by age, contents without a message, what deleted accounts
    /// held.
    ///
    /// In pieces, so that other writes come between. To be called now and then; how many rows went.
    @discardableResult
    package func sweep() async throws -> Int {
        var removed = 0
        while true {
            let piece = try await write { tx in
                try tx.events.expire(limit: 500) + tx.idempotency.expire(limit: 500) + tx.contents.sweep(limit: 200)
                    + tx.accounts.purge(limit: 500) + tx.deliveries.expire(limit: 500)
            }
            if piece == 0 { return removed }
            removed += piece
            try Task.checkCancellation()
        }
    }
}

extension Accounts where View == Transaction {
    /// Removes up to `limit` rows of deleted accounts; how many went.
    ///
    /// An account's own row, and with it its id, stays as
    /// long as its events.
    func purge(limit: Int) throws -> Int {
        let connection = view.connection
        let account: AccountKey? = try connection.first(
            "SELECT pk FROM accounts WHERE deleted IS NOT NULL AND NOT is_purged LIMIT 1"
        ) { $0.key(0) }
        guard let account else { return 0 }
        let messages = try purgeMessages(of: account, limit: limit)
        if messages > 0 { return messages }
        let submissions = try purgeSubmissions(of: account, limit: limit)
        if submissions > 0 { return submissions }
        let tables = [
            ("expunged", "account, folder, uid"), ("thread_links", "account, message_id"), ("maildrop", "account, uid"),
        ]
        for (table, key) in tables {
            let count = try connection.run(
                built: """
                    DELETE FROM \(table) WHERE account = ?1 AND (\(key)) IN
                    (SELECT \(key) FROM \(table) WHERE account = ?1 LIMIT ?2)
                    """,
                [account, limit]
            )
            if count > 0 { return count }
        }
        return try purgeContents(of: account, limit: limit)
    }

    private func purgeMessages(of account: AccountKey, limit: Int) throws -> Int {
        try view.connection.run(
            """
            DELETE FROM messages WHERE pk IN (SELECT pk FROM messages WHERE account = ?1 LIMIT ?2)
            """,
            account,
            limit
        )
    }

    private func purgeSubmissions(of account: AccountKey, limit: Int) throws -> Int {
        let rows: [(SubmissionKey, Int64)] = try view.connection.all(
            "SELECT pk, body FROM outbox WHERE account = ?1 LIMIT ?2",
            account,
            limit
        ) { ($0.key(0), $0.int64(1)) }
        for (key, body) in rows {
            try view.connection.run("DELETE FROM outbox WHERE account = ?1 AND pk = ?2", account, key)
            try view.releaseBody(body)
        }
        return rows.count
    }

    /// Contents, and after the last one the rest, which are few.
    private func purgeContents(of account: AccountKey, limit: Int) throws -> Int {
        let connection = view.connection
        let rows: [(ContentKey, Int64?)] = try connection.all(
            "SELECT pk, body FROM contents WHERE account = ?1 LIMIT ?2",
            account,
            limit
        ) { ($0.key(0), $0.optionalInt64(1)) }
        for (key, body) in rows {
            try connection.run("DELETE FROM contents WHERE account = ?1 AND pk = ?2", account, key)
            if let body { try view.releaseBody(body) }
        }
        guard rows.isEmpty else { return rows.count }
        let threads = try connection.run(
            "DELETE FROM threads WHERE pk IN (SELECT pk FROM threads WHERE account = ?1 LIMIT ?2)",
            account,
            limit
        )
        guard threads == 0 else { return threads }
        try connection.run("DELETE FROM folders WHERE account = ?1", account)
        try connection.run("DELETE FROM subscriptions WHERE account = ?1", account)
        try connection.run("UPDATE accounts SET is_purged = 1, used = 0 WHERE pk = ?1", account)
        return 1
    }
}
