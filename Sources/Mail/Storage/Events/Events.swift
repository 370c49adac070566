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
/// The positions of the one sequence ascend with the numbers of each account, and both with the order of commits: what a
/// transaction under way will add comes behind all that a reader sees, so that a cursor at the last one misses nothing. It is
/// the outbox of webhooks, streams and polls too: no second write announces anything.
package struct Events<View: StoreView> {
    let view: View
    var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var events: Events<Self> { Events(view: self) }
}

/// What is kept of an account's log.
package struct EventBounds: Hashable, Sendable {
    /// The oldest number still kept; one more than ``newest`` if there is none.
    package let oldest: Int64
    /// The newest number given, 0 before the first.
    package let newest: Int64
    /// The account is deleted: nothing comes behind ``newest``.
    package let isDeleted: Bool
}

extension Events {
    /// Lends the account's events behind number `after`, oldest first, at most `limit`, until `body` returns false.
    ///
    /// Throws ``StoreError/cursorExpired(oldest:)`` when some of them are no longer kept.
    package func list(
        of account: AccountKey,
        after: Int64,
        limit: Int,
        _ body: (borrowing EventView) throws -> Bool
    ) throws {
        let bounds = try bounds(of: account)
        guard after >= bounds.oldest - 1 else { throw StoreError.cursorExpired(oldest: bounds.oldest) }
        try connection.forEach(
            built: EventView.select + " WHERE e.account = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3",
            [account, after, limit]
        ) { try body(EventView($0)) }
    }

    /// What is kept of the account's log, its end included when the account is deleted.
    package func bounds(of account: AccountKey) throws -> EventBounds {
        let (newest, isDeleted) =
            try connection.first("SELECT seq, deleted FROM accounts WHERE pk = ?1", account) {
                ($0.int64(0), !$0.isNull(1))
            } ?? (0, true)
        let oldest = try connection.first(
            "SELECT seq FROM events WHERE account = ?1 ORDER BY seq LIMIT 1",
            account
        ) { $0.int64(0) }
        return EventBounds(oldest: oldest ?? newest + 1, newest: newest, isDeleted: isDeleted)
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
}

/// The members of an event's JSON object while they are written.
package struct EventData: ~Copyable {
    package var json: JSONWriter

    init() {
        json = JSONWriter(capacity: 384)
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

    mutating func number(_ key: StaticString, _ value: Int64) {
        json.key(key)
        json.number(value)
    }

    mutating func text(_ key: StaticString, _ value: String?) {
        json.key(key)
        json.string(value)
    }

    mutating func time(_ key: StaticString, _ value: Timestamp) {
        json.key(key)
        json.timestamp(value)
    }
}
