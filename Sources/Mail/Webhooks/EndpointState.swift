// SPDX-License-Identifier: Apache-2.0

import Storage
import Wire

/// One attempt that is to be made.
struct DeliveryJob: Hashable, Sendable {
    let event: DeliveryEvent
    /// Attempts made before.
    let attempts: Int
    /// When it would be due by its own schedule; for a probe.
    var due: Timestamp?
    /// Whether it comes from the log; the others have a row of their own.
    let isFresh: Bool
    /// Made only to see whether the endpoint is back: it does not use up the event's schedule.
    var isProbe = false
    /// Whether it uses one of the places that all endpoints share.
    var usesSharedPlace = false
}

/// How an attempt ended.
enum AttemptOutcome: Sendable {
    case delivered(DeliveryAttempt)
    /// The endpoint did not take it; how long it asked to be left alone, and whether it is gone for good.
    case refused(DeliveryAttempt, retryAfterMilliseconds: Int64?, isGone: Bool)
    /// Something on our side failed: no request was made.
    case notSent(DeliveryAttempt)
    /// The log has the event no more.
    case lost(DeliveryAttempt)
    /// A closer look showed that the webhook does not want it.
    case unwanted
    /// Given up by us: as if it had not begun.
    case cancelled
}

/// What is known and under way of one endpoint: which attempts may begin, and what follows from how they end.
///
/// It knows no time but what it is told, and does nothing itself.
/// ```
///            failures in a row                     success
///   sending ───────────────────▶ down (probed) ──────────────▶ sending
///      └── 410, on either side ──▶ disabled, until its owner says otherwise
/// ```
struct EndpointState: Sendable {
    private let limits: WebhookLimits
    /// Everything in the log up to here was looked at.
    private(set) var scanned: Int64
    /// The highest cursor that was taken to be written down.
    private(set) var savedCursor: Int64
    private(set) var failures: Int
    /// Jobs under way by their events' positions.
    private var underWay: [Int64: DeliveryJob] = [:]
    /// Positions whose outcome is being written down.
    private var beingSaved: Set<Int64> = []
    /// How many of those failed.
    private var failuresBeingSaved = 0
    /// What is not written down yet.
    private var progress = WebhookProgress()
    /// Attempts at the same time, from 1 after a failure up to the limit.
    private var window: Int
    /// Nothing is sent before this time.
    private(set) var heldUntil = Timestamp(milliseconds: .min)
    private var lastAttempt = Timestamp(milliseconds: .min)

    init(_ webhook: WebhookRow, _ limits: WebhookLimits) {
        self.init(cursor: webhook.cursor, failures: webhook.failures, limits)
    }

    init(cursor: Int64, failures: Int, _ limits: WebhookLimits) {
        self.limits = limits
        scanned = cursor
        savedCursor = cursor
        self.failures = failures
        window = failures > 0 ? 1 : limits.concurrency
    }

    var isDown: Bool { failures >= limits.failuresUntilDown }
    var isIdle: Bool { underWay.isEmpty }
    var hasProgress: Bool { !progress.results.isEmpty || !progress.unwanted.isEmpty || !progress.turns.isEmpty }

    /// Everything up to here is settled.
    var cursor: Int64 {
        let first = underWay.values.lazy.filter(\.isFresh).map(\.event.position).min()
        return min(first.map { $0 - 1 } ?? scanned, scanned)
    }

    /// Whether an event's outcome is open, or not written down yet.
    func isBusy(_ position: Int64) -> Bool {
        underWay[position] != nil || beingSaved.contains(position) || isDone(position)
    }

    private func isDone(_ position: Int64) -> Bool {
        progress.results.contains { $0.event.position == position } || progress.unwanted.contains(position)
    }

    // MARK: What may begin

    /// How many attempts may begin now, and of what.
    struct Allowance: Hashable, Sendable {
        /// Rows that are due.
        var due = 0
        /// Events from the log.
        var fresh = 0
        /// The oldest row, due or not.
        var probe = false
        /// Rows in the order of their events, the first one only.
        var isOrdered = false
    }

    /// - Parameter pending: what waits in rows of its own.
    func allowance(at now: Timestamp, isOrdered: Bool, pending: PendingDeliveries) -> Allowance {
        var allowance = Allowance(isOrdered: isOrdered)
        guard heldUntil <= now else { return allowance }
        let room = (isOrdered || isDown ? 1 : window) - underWay.count
        guard room > 0 else { return allowance }
        if isOrdered || isDown {
            // What failed comes first, and nothing new before it.
            guard pending.nextDue != nil || hasUnsavedFailures else {
                allowance.fresh = 1
                return allowance
            }
            allowance.due = 1
            allowance.probe = isDown && probeTime <= now
            return allowance
        }
        let isDue = pending.nextDue.map { $0 <= now } ?? false
        // Old and new share, so that neither keeps the other waiting.
        allowance.due = isDue ? (room + 1) / 2 : 0
        allowance.fresh = pending.tried < limits.maximumWaiting ? room - allowance.due : 0
        return allowance
    }

    private var hasUnsavedFailures: Bool {
        failuresBeingSaved > 0 || progress.results.contains { $0.state == .pending }
    }

    /// When an endpoint that is down is probed next.
    var probeTime: Timestamp {
        guard lastAttempt.milliseconds > .min else { return lastAttempt }
        return Timestamp(milliseconds: lastAttempt.milliseconds + limits.probeMilliseconds)
    }

    /// Notes that the log was looked at.
    mutating func looked(to position: Int64) { scanned = max(scanned, position) }

    mutating func begin(_ job: DeliveryJob) { underWay[job.event.position] = job }

    // MARK: What follows

    /// Notes how a job ended.
    ///
    /// - Parameter jitter: 0…1.
    mutating func finish(_ job: DeliveryJob, _ outcome: AttemptOutcome, at now: Timestamp, jitter: Double) {
        let position = job.event.position
        underWay[position] = nil
        switch outcome {
        case .delivered(let attempt):
            lastAttempt = now
            if isDown { progress.turns.append((.recovered, job.event.accountKey)) }
            failures = 0
            heldUntil = Timestamp(milliseconds: .min)
            window = min(window * 2, limits.concurrency)
            progress.lastSuccess = attempt.time
            record(job, .delivered, attempt)
        case .refused(let attempt, let retryAfter, let isGone):
            lastAttempt = now
            noteFailure(attempt, of: job)
            let wait = retryAfter.map { min(max($0, 0), max(limits.schedule.longestDelay, 1000)) }
            if let wait {
                heldUntil = max(heldUntil, Timestamp(milliseconds: now.milliseconds + wait))
            }
            if isGone {
                progress.turns.append((.disabled(reason: attempt.error ?? "gone"), job.event.accountKey))
                heldUntil = Timestamp(milliseconds: .max)
            }
            tryLater(job, attempt, at: now, notBefore: wait ?? 0, jitter: jitter)
        case .notSent(let attempt): tryLater(job, attempt, at: now, notBefore: 0, jitter: jitter)
        case .lost(let attempt): record(job, .failed, attempt)
        case .unwanted: progress.unwanted.append(position)
        case .cancelled:
            // It is looked at again from the log, or from its row.
            if job.isFresh { scanned = min(scanned, position - 1) }
        }
    }

    private mutating func noteFailure(_ attempt: DeliveryAttempt, of job: DeliveryJob) {
        failures += 1
        window = 1
        progress.lastFailure = attempt.time
        if failures == limits.failuresUntilDown {
            progress.turns.append((.failing(reason: attempt.error ?? "failed"), job.event.accountKey))
        }
    }

    private mutating func tryLater(
        _ job: DeliveryJob,
        _ attempt: DeliveryAttempt,
        at now: Timestamp,
        notBefore wait: Int64,
        jitter: Double
    ) {
        if job.isProbe, let due = job.due, due > now {
            return record(job, .pending, attempt, attempts: job.attempts, due: due)
        }
        let attempts = job.attempts + 1
        guard let delay = limits.schedule.delay(afterAttempts: attempts, jitter: jitter) else {
            return record(job, .failed, attempt)
        }
        record(job, .pending, attempt, due: Timestamp(milliseconds: now.milliseconds + max(delay, wait)))
    }

    private mutating func record(
        _ job: DeliveryJob,
        _ state: DeliveryState,
        _ attempt: DeliveryAttempt,
        attempts: Int? = nil,
        due: Timestamp? = nil
    ) {
        progress.results.append(
            DeliveryResult(
                event: job.event,
                state: state,
                attempts: attempts ?? job.attempts + 1,
                due: due,
                attempt: attempt
            )
        )
    }

    /// Its owner has put it to work again: what was held is held no longer.
    mutating func resume() {
        heldUntil = Timestamp(milliseconds: .min)
        failures = 0
        window = limits.concurrency
    }

    // MARK: Writing down

    /// Whether the log was looked at further than is written down.
    var cursorIsAhead: Bool { cursor > savedCursor }

    /// Takes what is to be written down; nil when there is nothing.
    mutating func takeProgress() -> WebhookProgress? {
        guard hasProgress || cursorIsAhead else { return nil }
        var taken = progress
        progress = WebhookProgress()
        taken.failures = failures
        if cursorIsAhead {
            taken.cursor = cursor
            savedCursor = cursor
        }
        beingSaved.formUnion(taken.results.map(\.event.position))
        beingSaved.formUnion(taken.unwanted)
        failuresBeingSaved += taken.results.count { $0.state == .pending }
        return taken
    }

    /// Notes that it was written down.
    mutating func saved(_ taken: WebhookProgress) {
        beingSaved.subtract(taken.results.map(\.event.position))
        beingSaved.subtract(taken.unwanted)
        failuresBeingSaved -= taken.results.count { $0.state == .pending }
    }

    /// Takes it back: it could not be written down.
    mutating func notSaved(_ taken: WebhookProgress) {
        saved(taken)
        progress.results.insert(contentsOf: taken.results, at: 0)
        progress.unwanted.insert(contentsOf: taken.unwanted, at: 0)
        progress.turns.insert(contentsOf: taken.turns, at: 0)
        progress.lastSuccess = progress.lastSuccess ?? taken.lastSuccess
        progress.lastFailure = progress.lastFailure ?? taken.lastFailure
        // What of the log is settled must be said again.
        if taken.cursor != nil { savedCursor = .min }
    }

    /// Results waiting to be written down; beyond some, nothing more is begun.
    var waitingResults: Int { progress.results.count + beingSaved.count }
}
