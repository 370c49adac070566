// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// What is on its way to the webhooks, what ran out, and what was lately delivered.
///
/// The log itself is the queue: an event has a row here only once an attempt failed, once somebody asks for it again, or
/// for a while after it was delivered, to be looked at.
package struct Deliveries<View: StoreView> {
    let view: View
    var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var deliveries: Deliveries<Self> { Deliveries(view: self) }
}

/// What waits at a webhook.
package struct PendingDeliveries: Hashable, Sendable {
    /// Rows that were tried and are to be tried again, counted up to ``Deliveries/maximumCounted``.
    package let tried: Int
    /// When the next one is due; nil when there is none.
    package let nextDue: Timestamp?

    package init(tried: Int, nextDue: Timestamp?) {
        self.tried = tried
        self.nextDue = nextDue
    }
}

extension Deliveries {
    package static var maximumCounted: Int { 10_000 }

    package func pending(of webhook: WebhookKey) throws -> PendingDeliveries {
        let due: Int64? = try connection.first(
            "SELECT due FROM deliveries WHERE webhook = ?1 AND state = 'pending' ORDER BY due LIMIT 1",
            webhook
        ) { $0.int64(0) }
        guard let due else { return PendingDeliveries(tried: 0, nextDue: nil) }
        let tried = try connection.first(
            """
            SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE webhook = ?1 AND state = 'pending' AND attempts > 0
                LIMIT ?2)
            """,
            webhook,
            Self.maximumCounted
        ) { $0.int(0) }
        return PendingDeliveries(tried: tried ?? 0, nextDue: Timestamp(milliseconds: due))
    }

    /// The webhook's pending deliveries that are due by `time`, those due longest first, at most `limit`.
    package func due(of webhook: WebhookKey, by time: Timestamp, limit: Int) throws -> [DeliveryRow] {
        try connection.all(
            built: DeliveryRow.select + """
                 WHERE d.webhook = ?1 AND d.state = 'pending' AND d.due <= ?2 ORDER BY d.due LIMIT ?3
                """,
            [webhook, time.milliseconds, limit]
        ) { try DeliveryRow($0) }
    }

    /// The webhook's pending delivery whose event is the oldest.
    package func firstPending(of webhook: WebhookKey) throws -> DeliveryRow? {
        try connection.first(
            built: DeliveryRow.select + " WHERE d.webhook = ?1 AND d.state = 'pending' ORDER BY d.event LIMIT 1",
            [webhook]
        ) { try DeliveryRow($0) }
    }

    /// The webhook's deliveries whose rows come before number `before`, newest rows first.
    package func list(
        of webhook: WebhookKey,
        state: DeliveryState?,
        before: Int64?,
        limit: Int
    ) throws -> [DeliveryRow] {
        var sql = DeliveryRow.select + " WHERE d.webhook = ?1 AND d.pk < ?2"
        var parameters: [any SQLiteBindable] = [webhook, before ?? Int64.max]
        if let state {
            sql += " AND d.state = ?3"
            parameters.append(state.rawValue)
        }
        parameters.append(limit)
        return try connection.all(built: sql + " ORDER BY d.pk DESC LIMIT ?\(parameters.count)", parameters) {
            try DeliveryRow($0)
        }
    }

    // MARK: The log

    /// What a look at the log found.
    package struct Scan: Hashable, Sendable {
        /// Events that the webhook wants, as far as the log tells.
        package var events: [DeliveryEvent] = []
        /// Everything up to this position was looked at.
        package var scanned: Int64
        /// There was no more.
        package var isAtEnd: Bool
    }

    /// Looks for at most `limit` events for the webhook behind `position`; ends early after so many events of others.
    package func scan(for webhook: WebhookRow, after position: Int64, limit: Int, looking: Int = 500) throws -> Scan {
        var scan = Scan(scanned: position, isAtEnd: true)
        var looked = 0
        try connection.forEach(
            """
            SELECT e.pk, a.id, e.seq, e.time, e.type, e.data, e.account
            FROM events e JOIN accounts a ON a.pk = e.account WHERE e.pk > ?1 ORDER BY e.pk LIMIT ?2
            """,
            position,
            looking + 1
        ) { row in
            guard scan.events.count < limit, looked < looking else {
                scan.isAtEnd = false
                return false
            }
            looked += 1
            let accountKey: AccountKey = row.key(6)
            let event = EventView(row)
            scan.scanned = event.position
            guard try webhook.wants(event) else { return true }
            scan.events.append(try DeliveryEvent(event, accountKey: accountKey))
            return true
        }
        return scan
    }

    /// Lends the event at a position; nil when the log has it no more.
    package func event<R>(at position: Int64, _ body: (borrowing EventView) throws -> R) throws -> R? {
        try connection.first(built: EventView.select + " WHERE e.pk = ?1", [position]) { try body(EventView($0)) }
    }

    /// The message that an event tells of; nil where it tells of none, or the log has it no more.
    package func message(ofEventAt position: Int64) throws -> PlacementID? {
        try event(at: position) { EventDataReader.message(of: $0.data) } ?? nil
    }

    /// Accounts of the webhook whose events behind `position` were removed from the log, and not reported yet.
    package func droppedAccounts(
        of webhook: WebhookRow,
        behind position: Int64
    ) throws -> [(key: AccountKey, id: AccountID)] {
        let reported = try connection.first("SELECT reported FROM webhooks WHERE pk = ?1", webhook.key) { $0.int64(0) }
        let all: [(key: AccountKey, id: AccountID)] = try connection.all(
            "SELECT pk, id FROM accounts WHERE expired_position > ?1",
            max(position, reported ?? 0)
        ) { (key: $0.key(0), id: try $0.id(1)) }
        let wanted = webhook.settings.filter.accounts
        return all.filter { account in
            (webhook.scope?.contains(account.id) ?? true) && (wanted.isEmpty || wanted.contains(account.id))
        }
    }

    // MARK: Figures

    /// How many deliveries of all webhooks are in each state, and what waits longest.
    package func totals() throws -> DeliveryTotals {
        var totals = DeliveryTotals()
        try connection.forEach("SELECT state, count(*) FROM deliveries GROUP BY state") { row in
            if let state = DeliveryState(rawValue: row.string(0)) { totals.rows[state] = row.int(1) }
            return true
        }
        try connection.forEach("SELECT state, count(*) FROM webhooks GROUP BY state") { row in
            if let state = WebhookState(rawValue: row.string(0)) { totals.webhooks[state] = row.int(1) }
            return true
        }
        let pending: Int64? =
            try connection.first("SELECT min(time) FROM deliveries WHERE state = 'pending'") {
                $0.optionalInt64(0)
            } ?? nil
        let waiting: Int64? =
            try connection.first(
                """
                SELECT min((SELECT time FROM events WHERE pk > w.cursor ORDER BY pk LIMIT 1))
                FROM webhooks w WHERE state <> 'disabled'
                """
            ) { $0.optionalInt64(0) } ?? nil
        totals.oldest = [pending, waiting].compactMap { $0 }.min().map(Timestamp.init(milliseconds:))
        totals.waiting =
            try connection.first(
                """
                SELECT coalesce(sum(max((SELECT coalesce(max(pk), 0) FROM events) - cursor, 0)), 0)
                FROM webhooks WHERE state <> 'disabled'
                """
            ) { $0.int64(0) } ?? 0
        return totals
    }
}

/// Figures over all webhooks.
package struct DeliveryTotals: Hashable, Sendable {
    package var rows: [DeliveryState: Int] = [:]
    package var webhooks: [WebhookState: Int] = [:]
    /// Places in the log behind the cursors, one for each webhook that has it before it.
    package var waiting: Int64 = 0
    /// The time of the oldest event that some webhook has not settled.
    package var oldest: Timestamp?

    package init() {}
}

extension DeliveryEvent {
    init(_ event: borrowing EventView, accountKey: AccountKey) throws {
        self.init(
            position: event.position,
            account: try event.account,
            accountKey: accountKey,
            seq: event.seq,
            type: event.type.repairedUTF8String(),
            time: event.time
        )
    }
}
