// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// What happened at a webhook since the last time it was written down.
package struct WebhookProgress: Sendable {
    /// What is to be said in the log about the webhook itself.
    package enum Turn: Hashable, Sendable {
        /// The receiver is gone: nothing is sent any more.
        case disabled(reason: String)
        /// Every attempt fails: it is only probed from now on.
        case failing(reason: String)
        /// It answers again: what waits is due now.
        case recovered
    }

    /// Everything up to this position is settled; nil where that did not change.
    package var cursor: Int64?
    package var results: [DeliveryResult] = []
    /// Positions of events that turned out not to be wanted.
    package var unwanted: [Int64] = []
    /// Attempts in a row that failed by now.
    package var failures = 0
    package var lastSuccess: Timestamp?
    package var lastFailure: Timestamp?
    /// And the account whose event it was, in whose log it is said.
    package var turns: [(turn: Turn, account: AccountKey)] = []
    /// Accounts whose events behind the cursor were removed from the log.
    package var dropped: [AccountKey] = []

    package init() {}

    package var isEmpty: Bool {
        cursor == nil && results.isEmpty && unwanted.isEmpty && turns.isEmpty && dropped.isEmpty
    }
}

extension Deliveries where View == Transaction {
    /// Delivered rows of a webhook that stay, to be looked at.
    package static var deliveredKept: Int { 100 }
    /// Failed rows of a webhook that stay, to be sent again.
    package static var failedKept: Int { 10_000 }

    /// Writes down what happened at the webhook; false when it is there no more.
    package func settle(_ webhook: WebhookKey, _ progress: WebhookProgress) throws -> Bool {
        let now = view.now.milliseconds
        let changed = try connection.run(
            """
            UPDATE webhooks SET cursor = max(cursor, ?2), failures = ?3, last_success = coalesce(?4, last_success),
                last_failure = coalesce(?5, last_failure) WHERE pk = ?1
            """,
            webhook,
            progress.cursor ?? 0,
            progress.failures,
            progress.lastSuccess?.milliseconds,
            progress.lastFailure?.milliseconds
        )
        guard changed == 1 else { return false }
        let delivered = progress.results.filter { $0.state == .delivered }
        for result in progress.results where result.state != .delivered { try put(result, of: webhook) }
        for result in delivered.dropLast(Self.deliveredKept) { try remove(result.event.position, of: webhook) }
        for result in delivered.suffix(Self.deliveredKept) { try put(result, of: webhook) }
        for position in progress.unwanted { try remove(position, of: webhook) }
        if !delivered.isEmpty { try prune(.delivered, of: webhook, keeping: Self.deliveredKept) }
        if progress.results.contains(where: { $0.state == .failed }) {
            try prune(.failed, of: webhook, keeping: Self.failedKept)
        }
        for (turn, account) in progress.turns { try take(turn, of: webhook, account: account, now: now) }
        if !progress.dropped.isEmpty { try reportDropped(progress.dropped, by: webhook) }
        return true
    }

    private func put(_ result: DeliveryResult, of webhook: WebhookKey) throws {
        let (event, attempt) = (result.event, result.attempt)
        let due: Int64? = result.state == .pending ? (result.due ?? view.now).milliseconds : nil
        try connection.run(
            """
            INSERT INTO deliveries (webhook, event, account, seq, type, time, state, attempts, due, attempted, duration,
                status, error, answer, updated)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            ON CONFLICT (webhook, event) DO UPDATE SET state = ?7, attempts = ?8, due = ?9, attempted = ?10,
                duration = ?11, status = ?12, error = ?13, answer = ?14, updated = ?15
            """,
            webhook,
            event.position,
            event.accountKey,
            event.seq,
            event.type,
            event.time.milliseconds,
            result.state.rawValue,
            result.attempts,
            due,
            attempt.time.milliseconds,
            attempt.milliseconds,
            attempt.status,
            attempt.error,
            attempt.answer,
            view.now.milliseconds
        )
    }

    private func remove(_ position: Int64, of webhook: WebhookKey) throws {
        try connection.run("DELETE FROM deliveries WHERE webhook = ?1 AND event = ?2", webhook, position)
    }

    private func prune(_ state: DeliveryState, of webhook: WebhookKey, keeping: Int) throws {
        try connection.run(
            """
            DELETE FROM deliveries WHERE pk IN (SELECT pk FROM deliveries WHERE webhook = ?1 AND state = ?2
                ORDER BY updated DESC, pk DESC LIMIT -1 OFFSET ?3)
            """,
            webhook,
            state.rawValue,
            keeping
        )
    }

    private func take(_ turn: WebhookProgress.Turn, of key: WebhookKey, account: AccountKey, now: Int64) throws {
        let id = try view.webhooks.existing(key).id
        switch turn {
        case .disabled(let reason):
            let changed = try connection.run(
                """
                UPDATE webhooks SET state = 'disabled', reason = ?2, version = version + 1, updated = ?3
                WHERE pk = ?1 AND state = 'active'
                """,
                key,
                reason,
                now
            )
            guard changed == 1 else { return }
            try view.events.append(.webhookDisabled, to: account) {
                $0.id("webhookId", id)
                $0.text("reason", reason)
            }
        case .failing(let reason):
            try view.events.append(.webhookFailing, to: account) {
                $0.id("webhookId", id)
                $0.text("reason", reason)
            }
        case .recovered:
            try connection.run(
                "UPDATE deliveries SET due = ?2 WHERE webhook = ?1 AND state = 'pending' AND due > ?2",
                key,
                now
            )
            try view.events.append(.webhookRecovered, to: account) { $0.id("webhookId", id) }
        }
    }

    private func reportDropped(_ accounts: [AccountKey], by key: WebhookKey) throws {
        let webhook = try view.webhooks.existing(key)
        for account in accounts {
            let place: (expired: Int64, oldest: Int64)? = try connection.first(
                """
                SELECT expired_position, (SELECT seq FROM events WHERE account = a.pk ORDER BY seq LIMIT 1), seq
                FROM accounts a WHERE pk = ?1
                """,
                account
            ) { ($0.int64(0), $0.optionalInt64(1) ?? $0.int64(2) + 1) }
            guard let place else { continue }
            try connection.run(
                "UPDATE webhooks SET reported = max(reported, ?2) WHERE pk = ?1",
                key,
                place.expired
            )
            try view.events.append(.webhookEventsDropped, to: account) {
                $0.id("webhookId", webhook.id)
                $0.number("oldestSeq", place.oldest)
            }
        }
    }

    // MARK: Sending again

    /// Makes failed deliveries due now, as if they had never been tried; how many.
    package func retryFailed(of webhook: WebhookKey, since: Timestamp?, before: Timestamp?) throws -> Int {
        try connection.run(
            """
            UPDATE deliveries SET state = 'pending', attempts = 0, due = ?2, updated = ?2
            WHERE webhook = ?1 AND state = 'failed' AND time >= ?3 AND time < ?4
            """,
            webhook,
            view.now.milliseconds,
            since?.milliseconds ?? Int64.min,
            before?.milliseconds ?? Int64.max
        )
    }

    /// Makes deliveries of these events due now, whatever became of them before.
    package func sendAgain(_ events: [DeliveryEvent], to webhook: WebhookKey) throws {
        for event in events {
            try connection.run(
                """
                INSERT INTO deliveries (webhook, event, account, seq, type, time, state, attempts, due, updated)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', 0, ?7, ?7)
                ON CONFLICT (webhook, event) DO UPDATE SET state = 'pending', attempts = 0, due = ?7, updated = ?7
                """,
                webhook,
                event.position,
                event.accountKey,
                event.seq,
                event.type,
                event.time.milliseconds,
                view.now.milliseconds
            )
        }
    }

    /// Brings deliveries that are due too far ahead nearer: after a jump of the clock, or another schedule.
    package func clampDue(of webhook: WebhookKey, aheadMilliseconds: Int64) throws {
        let latest = view.now.milliseconds + aheadMilliseconds
        try connection.run(
            "UPDATE deliveries SET due = ?2 WHERE webhook = ?1 AND state = 'pending' AND due > ?2",
            webhook,
            latest
        )
    }

    /// Removes deliveries that nothing happened to for as long as events are kept, at most `limit`; how many.
    func expire(limit: Int) throws -> Int {
        try connection.run(
            """
            DELETE FROM deliveries WHERE pk IN (SELECT pk FROM deliveries WHERE state <> 'pending' AND updated < ?1
                LIMIT ?2)
            """,
            view.now.milliseconds - view.configuration.eventMilliseconds,
            limit
        )
    }
}

/// Which events are to be sent again.
package enum ReplayRange: Hashable, Sendable {
    /// Numbers of one account's log.
    case numbers(AccountID, ClosedRange<Int64>)
    /// Moments of the events, the second one left out.
    case times(since: Timestamp, before: Timestamp?)
}

extension Deliveries {
    /// The webhook's events in the range, up to its cursor, as far as the log tells; nil where there are more than
    /// `limit`.
    package func events(in range: ReplayRange, for webhook: WebhookRow, limit: Int) throws -> [DeliveryEvent]? {
        let condition: String
        var parameters: [any SQLiteBindable] = [webhook.cursor]
        switch range {
        case .numbers(let account, let numbers):
            condition = "a.id = ?2 AND e.seq BETWEEN ?3 AND ?4 AND e.pk <= ?1 ORDER BY e.seq"
            parameters += [account, numbers.lowerBound, numbers.upperBound]
        case .times(let since, let before):
            condition = "e.time >= ?2 AND e.time < ?3 AND e.pk <= ?1 ORDER BY e.time"
            parameters += [since.milliseconds, before?.milliseconds ?? Int64.max]
        }
        var events: [DeliveryEvent] = []
        var isWhole = true
        try connection.forEach(
            built: """
                SELECT e.pk, a.id, e.seq, e.time, e.type, e.data, e.account
                FROM events e JOIN accounts a ON a.pk = e.account WHERE \(condition)
                """,
            parameters
        ) { row in
            let accountKey: AccountKey = row.key(6)
            let event = EventView(row)
            guard try webhook.wants(event) else { return true }
            guard events.count < limit else {
                isWhole = false
                return false
            }
            events.append(try DeliveryEvent(event, accountKey: accountKey))
            return true
        }
        return isWhole ? events : nil
    }
}
