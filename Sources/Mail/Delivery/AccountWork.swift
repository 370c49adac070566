// SPDX-License-Identifier: Apache-2.0

import Backends
import Logging
import MailTypes
import Runtime
import SMTP
import SMTPSessions
import Sockets
import Storage
import Transport
import Wire

/// What an account's courier knows and does: the messages to be sent, the sessions they are sent over, and how that went.
///
/// It belongs to one loop, on which one task looks for work (``turn()``) and up to as many as there may be connections do it
/// (``work()``).
final class AccountWork {
    /// A message, and some of its recipients.
    struct Job {
        let submission: SubmissionKey
        let recipients: [RecipientRow]
    }

    private typealias Pool = SessionPool<SMTPClientSession, SMTPSessionError>

    /// With fewer jobs than this it is looked for more, at most so many recipients at a time.
    private static let lowWater = 32
    private static let batch = 500
    private static let longestPause = 60_000
    private static let pauseAfterError = 1000
    /// How long a server that has as many connections as it may is left alone.
    private static let pauseWhenFull: Int64 = 500
    private static let longestLoginDelay: Int64 = 3_600_000

    let account: AccountKey
    let parts: CourierParts
    let loop: EventLoop
    private let wakeup: Wakeup
    var isStopping = false
    /// What tasks that this starts know it by.
    weak var itself: LoopBound<AccountWork>?
    private var jobs: ArraySlice<Job> = []
    /// Recipients that a job is under way for, or waiting here.
    private var taken: Set<Int64> = []
    private var workers = 0
    private var settling = 0
    private var route: SubmissionRoute?
    private var pool: Pool?
    /// Nothing is begun before this moment of the clock, in milliseconds.
    private var blockedUntil: Int64 = 0
    private var loginFailures = 0
    /// Whether the server has let us in by this route; until then one tries.
    private var isProven = false
    private var isFirstTurn = true

    init(_ account: AccountKey, _ parts: CourierParts, on loop: EventLoop, _ wakeup: Wakeup) {
        self.account = account
        self.parts = parts
        self.loop = loop
        self.wakeup = wakeup
    }

    private var steady: Int64 { Int64(clamping: parts.clock.monotonic() / 1_000_000) }
    private var isBlocked: Bool { blockedUntil > steady }

    private var policy: DeliveryPolicy {
        DeliveryPolicy(schedule: parts.limits.schedule, retriesUnknown: route?.retriesUnknown ?? true)
    }

    // MARK: Looking for work

    /// Looks for what is due; real milliseconds until there is more to do, or nil when there is nothing left.
    func turn() async -> Int? {
        guard !isStopping, !Task.isCancelled else { return nil }
        do {
            if isFirstTurn { try await settleInterrupted() }
            isFirstTurn = false
            return try await look()
        } catch StoreError.closed {
            return nil
        } catch {
            parts.logger.warning("the courier waits for the store", metadata: metadata("\(error)"))
            return Self.pauseAfterError
        }
    }

    /// What was being sent when the process ended: nobody knows whether it arrived.
    private func settleInterrupted() async throws {
        let account = account
        let ending = try await parts.store.read { try $0.outbox.ending(of: account) }
        guard !ending.isEmpty else { return }
        try await renewRoute()
        let (policy, now) = (policy, parts.now)
        for (key, recipients) in Dictionary(grouping: ending, by: \.submission) {
            guard let submission = try await parts.store.read({ try $0.outbox.get(key) }) else { continue }
            let outcomes = recipients.map {
                let words = "Postern stopped before the server said whether it took the message."
                return ($0, policy.unknown(words, for: $0, now: now, expires: submission.expires))
            }
            try await record(Settlement(submission: submission, outcomes: outcomes))
        }
    }

    private func look() async throws -> Int? {
        // Another route ends what the last one's failures blocked.
        if isBlocked { try await renewRoute() }
        if isBlocked {
            dropJobs()
            try await settleOverdue()
            return pause(until: blockedUntil - steady)
        }
        guard jobs.count < Self.lowWater else { return Self.longestPause }
        let (account, taken, now) = (account, taken, parts.now)
        let (due, next) = try await parts.store.read { snapshot in
            (
                try snapshot.outbox.due(of: account, by: now, limit: taken.count + Self.batch)
                    .filter { !taken.contains($0.key) },
                try snapshot.outbox.nextDue(of: account, after: now)
            )
        }
        if !due.isEmpty {
            try await renewRoute()
            add(due)
        }
        if jobs.isEmpty, workers == 0, settling == 0, next == nil, pool?.count ?? 0 == 0 { return nil }
        return pause(until: next.map { $0.milliseconds - now.milliseconds } ?? .max)
    }

    private func pause(until milliseconds: Int64) -> Int {
        min(parts.real(max(0, milliseconds)), Self.longestPause)
    }

    private func add(_ due: [RecipientRow]) {
        var order: [SubmissionKey] = []
        var groups: [SubmissionKey: [RecipientRow]] = [:]
        for recipient in due where taken.insert(recipient.key).inserted {
            if groups[recipient.submission] == nil { order.append(recipient.submission) }
            groups[recipient.submission, default: []].append(recipient)
        }
        let limit = parts.limits.recipientsPerMessage
        for submission in order {
            let all = groups[submission] ?? []
            for start in stride(from: 0, to: all.count, by: limit) {
                let some = Array(all[start..<min(start + limit, all.count)])
                jobs.append(Job(submission: submission, recipients: some))
            }
        }
    }

    /// Forgets the jobs that wait here; their rows are still due.
    private func dropJobs() {
        for job in jobs { taken.subtract(job.recipients.map(\.key)) }
        jobs = []
    }

    /// While nothing can be sent, time runs out all the same.
    private func settleOverdue() async throws {
        let (account, taken, now) = (account, taken, parts.now)
        let rows = try await parts.store.read { snapshot in
            try snapshot.outbox.overdue(of: account, at: now, limit: taken.count + Self.batch)
        }
        for (key, recipients) in Dictionary(grouping: rows.filter { !taken.contains($0.key) }, by: \.submission) {
            guard let submission = try await parts.store.read({ try $0.outbox.get(key) }) else { continue }
            try await record(Settlement(submission: submission, outcomes: recipients.map { ($0, policy.expired($0)) }))
        }
    }

    private func renewRoute() async throws {
        let fresh = try await parts.routes(account)
        guard fresh?.version != route?.version || (fresh == nil) != (route == nil) else { return }
        pool?.closeIdle()
        route = fresh
        if let fresh { pool = makePool(fresh) } else { pool = nil }
        blockedUntil = 0
        loginFailures = 0
        isProven = false
    }

    private func makePool(_ route: SubmissionRoute) -> Pool {
        var limits = Pool.Limits()
        limits.sessions = parts.limits.connectionsPerAccount
        limits.idleMilliseconds = parts.limits.idleMilliseconds
        let name = parts.hostname
        let (dialer, patience, pool) = (parts.dialer, parts.limits.patience, parts.store.blocking)
        return Pool(
            host: route.host,
            limits: limits,
            ledger: parts.ledger,
            on: loop,
            judge: DeliveryPolicy.trouble,
            make: { () async throws(SMTPSessionError) in
                try await route.open(clientName: name, dialer: dialer, patience: patience, pool: pool)
            }
        )
    }

    // MARK: Doing it

    /// How many more may do it now; they are counted as doing it.
    func takeVacancies() -> Int {
        guard !isBlocked, !isStopping else { return 0 }
        let limit = isProven ? parts.limits.connectionsPerAccount : 1
        let count = max(0, min(jobs.count, limit - workers))
        workers += count
        return count
    }

    /// Sends one message after another over one session, as long as there are some.
    func work() async {
        var session: SMTPClientSession?
        let pool = pool
        let version = route?.version
        while !isStopping, !Task.isCancelled, !isBlocked, version == route?.version, let job = jobs.popFirst() {
            if jobs.count == Self.lowWater / 2 { wakeup.signal() }
            do {
                guard let message = try await open(job) else { continue }
                guard let pool else {
                    settle(message, job) { policy, recipient, now, expires in
                        policy.waiting(
                            "The account has no server to send through.",
                            recipient,
                            now: now,
                            expires: expires
                        )
                    }
                    continue
                }
                if let worn = session, !worn.isUsable || worn.transactions >= limit(of: worn) {
                    pool.give(worn, mayKeep: false)
                    session = nil
                }
                let usable: SMTPClientSession
                if let session { usable = session } else { usable = try await pool.take() }
                session = usable
                prove()
                do {
                    try await send(message, job, over: usable)
                } catch let error as BodyError {
                    cannotRead(message.submission, job, error)
                }
            } catch let refusal as PoolRefusal<SMTPSessionError> {
                await refused(refusal, job)
            } catch {
                // Nothing was sent to its end: it is tried again soon.
                parts.logger.warning("a message could not be sent", metadata: metadata("\(error)"))
                taken.subtract(job.recipients.map(\.key))
                block(for: Int64(Self.pauseAfterError))
            }
        }
        if let session { pool?.give(session) }
        workers -= 1
        wakeup.signal()
    }

    /// The server lets us in: more may try.
    private func prove() {
        guard !isProven else { return }
        isProven = true
        loginFailures = 0
        wakeup.signal()
    }

    private func limit(of session: SMTPClientSession) -> Int {
        min(session.capabilities.maximumMessages ?? .max, parts.limits.messagesPerConnection)
    }

    private func block(for milliseconds: Int64) { blockedUntil = max(blockedUntil, steady + milliseconds) }

    /// There is no session for this job.
    private func refused(_ refusal: PoolRefusal<SMTPSessionError>, _ job: Job) async {
        switch refusal {
        case .full:
            jobs.insert(job, at: jobs.startIndex)
            block(for: Self.pauseWhenFull)
        case .wait(let milliseconds):
            jobs.insert(job, at: jobs.startIndex)
            block(for: milliseconds)
        case .failed(let error):
            if DeliveryPolicy.trouble(error).0 == .account {
                // A password that was refused is not shown again and again: somebody would lock the account.
                let delay = parts.limits.loginDelayMilliseconds << Int64(min(loginFailures, 10))
                loginFailures += 1
                isProven = false
                block(for: min(delay, Self.longestLoginDelay))
            } else if let route {
                block(for: parts.ledger.standing(of: route.host).waitMilliseconds)
            }
            parts.logger.notice("no session with a server that takes mail", metadata: metadata(error.words))
            guard let message = try? await open(job) else {
                taken.subtract(job.recipients.map(\.key))
                return
            }
            settle(message, job) { policy, recipient, now, expires in
                policy.outcome(error, for: recipient, now: now, expires: expires)
            }
        }
    }

    /// The message of a job, with the recipients that still wait for it; nil where there are none, or their time is up.
    private func open(_ job: Job) async throws -> OutgoingMessage? {
        guard let submission = try await parts.store.read({ try $0.outbox.get(job.submission) }) else {
            taken.subtract(job.recipients.map(\.key))
            return nil
        }
        guard submission.expires > parts.now else {
            let waiting = submission.recipients.filter { row in
                row.due != nil && job.recipients.contains { $0.key == row.key }
            }
            settle(Settlement(submission: submission, outcomes: waiting.map { ($0, policy.expired($0)) }), of: job)
            return nil
        }
        let reader: BodyReader
        do {
            reader = try await parts.store.openBody(submission.body)
        } catch let error as BodyError {
            cannotRead(submission, job, error)
            return nil
        }
        let message = OutgoingMessage(submission: submission, reader: reader, pool: parts.store.blocking)
        guard message.recipients(of: job).isEmpty else { return message }
        taken.subtract(job.recipients.map(\.key))
        return nil
    }

    /// One message whose octets cannot be had waits for its next time, and keeps no other waiting.
    private func cannotRead(_ submission: SubmissionRow, _ job: Job, _ error: BodyError) {
        let keys = Set(job.recipients.map(\.key))
        let waiting = submission.recipients.filter { keys.contains($0.key) && $0.due != nil }
        parts.logger.error("a message cannot be read", metadata: metadata("\(error)"))
        let (policy, now) = (policy, parts.now)
        let outcomes = waiting.map { recipient in
            (
                recipient,
                policy.waiting("The message cannot be read.", recipient, now: now, expires: submission.expires)
            )
        }
        settle(Settlement(submission: submission, outcomes: outcomes), of: job)
    }

    private struct NobodyLeft: Error {}

    private func send(_ message: OutgoingMessage, _ job: Job, over session: SMTPClientSession) async throws {
        let recipients = message.recipients(of: job)
        let envelope = try await message.envelope(recipients.map(\.address), for: session.capabilities)
        let began = parts.clock.monotonic()
        var text = message.text()
        let results: [SMTPRecipientResult]
        do {
            results = try await session.send(
                envelope,
                beforeEnd: { accepted in
                    let rows = accepted.map { recipients[$0] }
                    let wanted = try await parts.store.write { try $0.outbox.noteEnding(for: rows) }
                    if wanted == 0 { throw NobodyLeft() }
                },
                text: { try await text.next(&$0) }
            )
        } catch is NobodyLeft {
            // All were cancelled meanwhile, and nobody got it.
            taken.subtract(job.recipients.map(\.key))
            return
        }
        parts.metrics.add(nanoseconds: parts.clock.monotonic() &- began)
        if let route, let words = DeliveryPolicy.isOverloaded(results) {
            parts.ledger.overloaded(route.host, words: words)
        }
        let (policy, now) = (policy, parts.now)
        let isTaken = results.contains { if case .delivered = $0 { true } else { false } }
        let outcomes = zip(recipients, results).map { recipient, result in
            (
                recipient,
                policy.outcome(
                    result,
                    for: recipient,
                    besides: isTaken,
                    now: now,
                    expires: message.submission.expires
                )
            )
        }
        settle(Settlement(submission: message.submission, outcomes: outcomes), of: job)
    }

    // MARK: Writing down

    private func settle(
        _ message: OutgoingMessage,
        _ job: Job,
        _ outcome: (DeliveryPolicy, RecipientRow, Timestamp, Timestamp) -> RecipientOutcome
    ) {
        let (policy, now, expires) = (policy, parts.now, message.submission.expires)
        let outcomes = message.recipients(of: job).map { ($0, outcome(policy, $0, now, expires)) }
        settle(Settlement(submission: message.submission, outcomes: outcomes), of: job)
    }

    /// Records outcomes in a task of its own, which nobody cancels: the next message is under way meanwhile.
    private func settle(_ settlement: Settlement, of job: Job) {
        guard let itself else { preconditionFailure("nobody runs this") }
        settling += 1
        let keys = job.recipients.map(\.key)
        Task(executorPreference: loop) { await itself.value.end(settlement, keys) }
    }

    /// The end of a job: its recipients may be taken again once what became of them is written down.
    private func end(_ settlement: Settlement, _ keys: [Int64]) async {
        while true {
            do {
                try await record(settlement)
                break
            } catch StoreError.closed {
                break
            } catch {
                parts.logger.warning("an outcome waits for the store", metadata: metadata("\(error)"))
                guard (try? await loop.sleep(milliseconds: Self.pauseAfterError)) != nil else { break }
            }
        }
        taken.subtract(keys)
        settling -= 1
        wakeup.signal()
    }

    private func record(_ settlement: Settlement) async throws {
        var bounce: Bounce?
        do {
            bounce = try await Bounce.prepare(settlement, remote: route?.server.host, parts)
        } catch StoreError.closed {
            throw StoreError.closed
        } catch {
            // What became of the message counts, whether a report of it can be made or not.
            parts.logger.error("a report to a sender cannot be made", metadata: metadata("\(error)"))
        }
        do {
            try await write(settlement, bounce)
        } catch StoreError.overQuota, StoreError.notFound {
            try await write(settlement, bounce?.unfiled)
        }
        for (_, outcome) in settlement.outcomes { parts.metrics.count(outcome.state) }
    }

    private func write(_ settlement: Settlement, _ bounce: Bounce?) async throws {
        try await parts.store.write { transaction in
            var hasFailed = false
            for (recipient, outcome) in settlement.outcomes {
                do {
                    let isKept = try transaction.outbox.record(outcome, for: recipient)
                    if isKept, outcome.isFailure { hasFailed = true }
                } catch StoreError.notFound {
                    // The account was deleted meanwhile, and all of this with it.
                }
            }
            if hasFailed { try bounce?.file(in: transaction) }
        }
        if let bounce { parts.noteFiled(bounce.submission.account) }
    }

    /// Waits for what is being written down, and lets the sessions go.
    func finish() async {
        while settling > 0 { await wakeup.sleep(milliseconds: Self.pauseAfterError, on: loop) }
        pool?.closeIdle()
    }

    fileprivate func metadata(_ error: String) -> Logger.Metadata {
        ["account_key": "\(account.value)", "server": "\(route?.host ?? "none")", "err": "\(error)"]
    }
}

extension SMTPClientSession: PooledSession {}

/// What became of some recipients of a message.
struct Settlement: Sendable {
    let submission: SubmissionRow
    let outcomes: [(recipient: RecipientRow, outcome: RecipientOutcome)]
}

extension OutgoingMessage {
    /// Those of a job that still wait for the message.
    fileprivate func recipients(of job: AccountWork.Job) -> [RecipientRow] {
        let keys = Set(job.recipients.map(\.key))
        return submission.recipients.filter { keys.contains($0.key) && $0.due != nil }
    }
}
