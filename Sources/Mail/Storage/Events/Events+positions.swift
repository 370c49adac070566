// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite

// The logs of several accounts as one, in the order of commits. A place in it is a position, which says nothing about how
// many events there are.
extension Events {
    /// Lends the events of the accounts (nil: of all) behind `position`, oldest first, at most `limit`, until `body` returns
    /// false.
    ///
    /// Deleted accounts are among them, up to the event that says so; unknown ones are not. The work grows with `limit` and
    /// the number of `accounts`, never with what other accounts did. Throws ``StoreError/cursorExpired(oldest:)`` when some
    /// of them are no longer kept.
    package func list(
        of accounts: [AccountID]? = nil,
        afterPosition position: Int64,
        limit: Int,
        _ body: (borrowing EventView) throws -> Bool
    ) throws {
        let bounds = try positions(of: accounts)
        guard position >= bounds.oldest - 1 else { throw StoreError.cursorExpired(oldest: bounds.oldest) }
        guard let accounts else {
            return try connection.forEach(
                built: EventView.select + " WHERE e.pk > ?1 ORDER BY e.pk LIMIT ?2",
                [position, limit]
            ) { try body(EventView($0)) }
        }
        for key in try keys(of: accounts, behind: position, limit: limit) {
            let wantsMore = try connection.first(built: EventView.select + " WHERE e.pk = ?1", [key]) {
                try body(EventView($0))
            }
            guard wantsMore == true else { return }
        }
    }

    /// The oldest position behind which everything is kept of the accounts (nil: of all), plus one, and the newest position
    /// given to any account.
    package func positions(of accounts: [AccountID]?) throws -> EventBounds {
        let expired =
            if let accounts {
                try accounts.map {
                    try connection.first("SELECT expired_position FROM accounts WHERE id = ?1", $0) { $0.int64(0) } ?? 0
                }.max() ?? 0
            } else {
                try expiredPosition()
            }
        return EventBounds(oldest: expired + 1, newest: try lastPosition(), isDeleted: false)
    }

    /// The position of the newest event of all, 0 before the first.
    package func lastPosition() throws -> Int64 {
        let kept = try connection.first("SELECT max(pk) FROM events") { $0.int64(0) } ?? 0
        return max(kept, try expiredPosition())
    }

    private func expiredPosition() throws -> Int64 {
        try connection.first("SELECT max(expired_position) FROM accounts") { $0.int64(0) } ?? 0
    }

    /// The row numbers of the accounts' next events.
    private func keys(of accounts: [AccountID], behind position: Int64, limit: Int) throws -> [Int64] {
        var keys: [Int64] = []
        for id in accounts {
            let account: (key: AccountKey, newest: Int64)? = try connection.first(
                "SELECT pk, seq FROM accounts WHERE id = ?1",
                id
            ) { ($0.key(0), $0.int64(1)) }
            guard let account, let first = try firstNumber(of: account.key, account.newest, behind: position) else {
                continue
            }
            keys += try connection.all(
                "SELECT pk FROM events WHERE account = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
                account.key,
                first,
                limit
            ) { $0.int64(0) }
        }
        return Array(keys.sorted().prefix(limit))
    }

    /// The number of the account's first event behind a position, or one between it and the one before; nil when there is none.
    ///
    /// No index leads from a position to an account's number, because every event would have to be written there too. Both
    /// ascend together, so it is searched for from the newest back, in steps that double: the reader is rarely far behind.
    private func firstNumber(of account: AccountKey, _ newest: Int64, behind position: Int64) throws -> Int64? {
        func isBehind(_ seq: Int64) throws -> Bool {
            // A number may have been left out: then the next one counts.
            let found = try connection.first(
                "SELECT pk FROM events WHERE account = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1",
                account,
                seq
            ) { $0.int64(0) }
            return (found ?? 0) > position
        }
        guard newest > 0, try isBehind(newest) else { return nil }
        var (first, step) = (newest, Int64(1))
        var before = first - step
        while before > 0, try isBehind(before) {
            first = before
            step *= 2
            before = first - step
        }
        before = max(before, 0)
        while first - before > 1 {
            let middle = before + (first - before) / 2
            if try isBehind(middle) { first = middle } else { before = middle }
        }
        return first
    }
}
