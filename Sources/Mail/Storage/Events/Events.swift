// SPDX-License-Identifier: Apache-2.0

package import JSON
import MailTypes
import SQLite
import Wire

/// The log of what happened: numbered from 1 without gaps in each account, and one sequence over all of them.
///
/// Only in front of an `account.restored` event numbers are left out: a consumer at any earlier number, or at one that the
/// restored state never reached, meets that event next.
///
/// It is the
/// outbox of webhooks, streams and polls too: no second write announces anything.
package struct Events<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var events: Events<Self> { Events(view: self) }
}

extension Events {
    /// Lends the account's events behind number `after`, oldest first, at most `limit`.
    ///
    /// Throws ``StoreError/cursorExpired(oldest:)`` when some of them are no longer kept.
    package func list(
        of account: AccountKey,
        after: Int64,
        limit: Int,
        _ body: (borrowing EventView) throws -> Void
    ) throws {
        let bounds = try bounds(of: account)
        guard after >= bounds.oldest - 1 else { throw StoreError.cursorExpired(oldest: bounds.oldest) }
        try connection.forEach(
            built: EventView.select + " WHERE e.account = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3",
            [account, after, limit]
        ) { row in
            try body(EventView(row))
            return true
        }
    }

    /// The oldest number still kept (one more than the newest if there is none), and the newest given.
    package func bounds(of account: AccountKey) throws -> (oldest: Int64, newest: Int64) {
        let newest = try connection.first("SELECT seq FROM accounts WHERE pk = ?1", account) { $0.int64(0) } ?? 0
        let oldest = try connection.first(
            "SELECT seq FROM events WHERE account = ?1 ORDER BY seq LIMIT 1",
            account
        ) { $0.int64(0) }
        return (oldest ?? newest + 1, newest)
    }

    /// Lends the events of all accounts behind `position`, oldest first, at most `limit`.
    ///
    /// What a transaction under way will
    /// add comes behind all of them, so that a cursor at the last one misses nothing.
    package func list(afterPosition position: Int64, limit: Int, _ body: (borrowing EventView) throws -> Void) throws {
        try connection.forEach(
            built: EventView.select + " WHERE e.pk > ?1 ORDER BY e.pk LIMIT ?2",
            [position, limit]
        ) { row in
            try body(EventView(row))
            return true
        }
    }

    /// The position of the newest event of all, 0 before the first.
    package func lastPosition() throws -> Int64 {
        try connection.first("SELECT max(pk) FROM events") { $0.int64(0) } ?? 0
    }

    /// The position of the oldest event still kept, 0 when there is none.
    package func firstPosition() throws -> Int64 {
        try connection.first("SELECT min(pk) FROM events") { $0.int64(0) } ?? 0
    }
}

extension Events where View == Transaction {
    /// Adds an event to the account's log and returns its number.
    ///
    /// `data` writes the members of its JSON object.
    @discardableResult
    package func append(
        _ type: EventType,
        to account: AccountKey,
        _ data: (inout EventData) throws -> Void
    ) throws -> Int64 {
        let seq = try view.withCounters(of: account) { counters in
            counters.seq += 1
            return counters.seq
        }
        var members = EventData()
        try data(&members)
        try connection.run(
            "INSERT INTO events (account, seq, time, type, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            account,
            seq,
            view.now.milliseconds,
            type.rawValue,
            members.finish()
        )
        return seq
    }

    /// Removes what is kept no longer by age or number, at most `limit` of it; how much that was.
    package func expire(limit: Int) throws -> Int {
        let byAge = try connection.run(
            """
            DELETE FROM events WHERE pk IN (SELECT pk FROM events WHERE time < ?1 ORDER BY time LIMIT ?2)
            """,
            view.now.milliseconds - view.configuration.eventMilliseconds,
            limit
        )
        let byNumber = try connection.run(
            """
            DELETE FROM events WHERE pk IN (SELECT e.pk FROM accounts a JOIN events e ON e.account = a.pk
                -- Numbers left out by a restoration were never events.
                AND e.seq <= a.seq - ?1 - iif(a.seq - ?1 >= a.restored_seq, 0, a.skipped) LIMIT ?2)
            """,
            view.configuration.eventsPerAccount,
            limit
        )
        return byAge + byNumber
    }
}

/// The members of an event's JSON object while they are written.
package struct EventData: ~Copyable {
    package var json: JSONWriter

    init() {
        json = JSONWriter(capacity: 192)
        json.beginObject()
    }

    consuming func finish() -> [UInt8] {
        json.endObject()
        let buffer = json.finish()
        return buffer.array()
    }

    mutating func id<Kind>(_ key: StaticString, _ id: Identifier<Kind>) {
        json.key(key)
        json.string { id.append(to: &$0) }
    }

    mutating func account(_ id: AccountID) { self.id("accountId", id) }

    mutating func number(_ key: StaticString, _ value: Int64) {
        json.key(key)
        json.number(value)
    }

    mutating func text(_ key: StaticString, _ value: String) {
        json.key(key)
        json.string(value)
    }
}
