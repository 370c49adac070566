// SPDX-License-Identifier: Apache-2.0

import SQLite
import Wire

extension Events where View == Transaction {
    /// Removes what is kept no longer by age or number, at most `limit` of it; how much that was.
    ///
    /// Of each account the oldest numbers go, whatever the clock said in between: what is kept has no gaps.
    package func expire(limit: Int) throws -> Int {
        var removed = 0
        for (account, seq) in try tooOld(limit: limit) + tooMany(limit: limit) where removed < limit {
            removed += try remove(upTo: seq, of: account, limit: limit - removed)
        }
        return removed
    }

    private typealias Bound = (account: AccountKey, seq: Int64)

    /// Up to which number accounts' events are too old.
    private func tooOld(limit: Int) throws -> [Bound] {
        try connection.all(
            """
            SELECT account, max(seq) FROM (SELECT account, seq FROM events WHERE time < ?1 ORDER BY time LIMIT ?2)
            GROUP BY account
            """,
            view.now.milliseconds - view.configuration.eventMilliseconds,
            limit
        ) { ($0.key(0), $0.int64(1)) }
    }

    /// Up to which number accounts' events are too many; numbers left out by a restoration were never events.
    private func tooMany(limit: Int) throws -> [Bound] {
        try connection.all(
            """
            SELECT a.pk, a.bound FROM (
                SELECT pk, seq - ?1 - iif(seq - ?1 >= restored_seq, 0, skipped) AS bound FROM accounts WHERE seq > ?1) a
            WHERE (SELECT min(e.seq) FROM events e WHERE e.account = a.pk) <= a.bound LIMIT ?2
            """,
            view.configuration.eventsPerAccount,
            limit
        ) { ($0.key(0), $0.int64(1)) }
    }

    private func remove(upTo seq: Int64, of account: AccountKey, limit: Int) throws -> Int {
        let keys = try connection.all(
            """
            DELETE FROM events WHERE pk IN
                (SELECT pk FROM events WHERE account = ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3) RETURNING pk
            """,
            account,
            seq,
            limit
        ) { $0.int64(0) }
        guard let newest = keys.max() else { return 0 }
        try connection.run(
            "UPDATE accounts SET expired_position = max(expired_position, ?2) WHERE pk = ?1",
            account,
            newest
        )
        return keys.count
    }
}
