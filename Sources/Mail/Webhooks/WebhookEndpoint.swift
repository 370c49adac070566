// SPDX-License-Identifier: Apache-2.0

import Logging
import MailTypes
import Runtime
import Sockets
import Storage
import Wire

/// Serves one webhook: a task of its own on one loop, so that nobody waits for anybody else's receiver.
final class WebhookEndpoint: Sendable {
    let key: WebhookKey
    let id: WebhookID
    private let parts: WebhookParts
    private let loop: EventLoop
    private let wakeup = Wakeup()
    /// Nil until the row was read.
    private let state = Lock<EndpointState?>(nil)
    private let credentials = Lock<WebhookCredentials?>(nil)
    private let isSaving = Lock(false)
    private let isPlanned = Lock(false)

    init(_ webhook: WebhookRow, _ parts: WebhookParts, on loop: EventLoop) {
        key = webhook.key
        id = webhook.id
        self.parts = parts
        self.loop = loop
    }

    /// There may be something to do.
    func wake() { wakeup.signal() }

    func isServed(by other: EventLoop) -> Bool { loop === other }

    /// Runs until it is cancelled or the webhook is deleted; then what was delivered is written down.
    func run() async {
        await withDiscardingTaskGroup { group in
            var wasClamped = false
            while !Task.isCancelled {
                var pause = Self.longestPause
                do {
                    if !wasClamped { try await clampDue() }
                    wasClamped = true
                    guard let next = try await turn(&group) else { break }
                    pause = next
                } catch StoreError.closed {
                    break
                } catch {
                    parts.logger.warning("a webhook waits for the store", metadata: metadata("\(error)"))
                    pause = Self.pauseAfterError
                }
                await wakeup.sleep(milliseconds: pause, on: loop)
            }
            group.cancelAll()
        }
        // This task may be cancelled, and then writes nothing any more.
        await Task(executorPreference: loop) { await self.save() }.value
    }

    private static let longestPause = 60_000
    private static let pauseAfterError = 1000
    /// A cursor that went on without anything delivered is written down so much later, or after so many events.
    private static let idleSavePause = 5000
    private static let idleSaveEvents: Int64 = 1000

    private func metadata(_ error: String) -> Logger.Metadata { ["webhook": "\(id)", "err": "\(error)"] }

    private func now() -> Timestamp { Timestamp(milliseconds: parts.clock.now()) }

    private func clampDue() async throws {
        let (key, longest) = (key, parts.limits.schedule.longestDelay)
        try await parts.store.write { try $0.deliveries.clampDue(of: key, aheadMilliseconds: longest) }
    }

    // MARK: A turn

    /// What a look at the store gave.
    private struct Look: Sendable {
        var webhook: WebhookRow
        var secrets: [WebhookSecretRow]?
        var pending = PendingDeliveries(tried: 0, nextDue: nil)
        var jobs: [DeliveryJob] = []
        var scanned: Int64
        var isAtEnd = true
        var dropped: [AccountKey] = []
    }

    /// Begins what may begin; milliseconds until there is more to do, or nil when the webhook is gone.
    private func turn(_ group: inout DiscardingTaskGroup) async throws -> Int? {
        let now = now()
        guard let look = try await look(at: now) else { return nil }
        if !look.dropped.isEmpty { try await report(look.dropped) }
        guard look.webhook.state == .active else {
            if state.withLock({ $0?.hasProgress ?? false }) { startSaving(&group, afterMilliseconds: 0) }
            return Self.longestPause
        }
        let (credentials, wasChanged) = try credentials(of: look)
        // What was held is held no longer, but was when the store was looked at.
        if wasChanged { return 0 }
        let jobs = claim(look)
        for job in jobs {
            group.addTask { await self.attempt(job, look.webhook, credentials) }
        }
        return pause(look, at: now, began: jobs.count, &group)
    }

    private func look(at now: Timestamp) async throws -> Look? {
        let key = key
        let before = state.withLock { $0 }
        let version = credentials.withLock { $0?.version }
        let canBegin = (before?.waitingResults ?? 0) < 1000
        let look: Look? = try await parts.store.read { [limits = parts.limits] snapshot in
            guard let webhook = try snapshot.webhooks.get(key) else { return nil }
            let state = before ?? EndpointState(webhook, limits)
            var look = Look(webhook: webhook, scanned: state.scanned)
            look.dropped = try snapshot.deliveries.droppedAccounts(of: webhook, behind: state.cursor).map(\.key)
            guard webhook.state == .active else { return look }
            if webhook.version != version { look.secrets = try snapshot.webhooks.secrets(of: key) }
            look.pending = try snapshot.deliveries.pending(of: key)
            guard canBegin else { return look }
            try Self.find(&look, state, at: now, in: snapshot)
            return look
        }
        guard let look else { return nil }
        state.withLock { if $0 == nil { $0 = EndpointState(look.webhook, parts.limits) } }
        return look
    }

    /// Looks for what may begin.
    private static func find(
        _ look: inout Look,
        _ state: EndpointState,
        at now: Timestamp,
        in snapshot: Snapshot
    ) throws {
        let webhook = look.webhook
        let allowance = state.allowance(at: now, isOrdered: webhook.settings.isOrdered, pending: look.pending)
        if allowance.isOrdered, allowance.due > 0 {
            let row = try snapshot.deliveries.firstPending(of: webhook.key)
            // Only the first one counts, whatever else is due.
            look.pending = PendingDeliveries(tried: look.pending.tried, nextDue: row?.due)
            if let row, !state.isBusy(row.event.position), row.due.map({ $0 <= now }) ?? true || allowance.probe {
                look.jobs.append(DeliveryJob(row, isProbe: row.due.map { $0 > now } ?? false))
            }
        } else if allowance.due > 0 {
            let rows = try snapshot.deliveries.due(of: webhook.key, by: now, limit: allowance.due + 64)
            for row in rows where look.jobs.count < allowance.due && !state.isBusy(row.event.position) {
                look.jobs.append(DeliveryJob(row, isProbe: false))
            }
            if look.jobs.isEmpty, allowance.probe, let row = try snapshot.deliveries.firstPending(of: webhook.key),
                !state.isBusy(row.event.position)
            {
                look.jobs.append(DeliveryJob(row, isProbe: true))
            }
        }
        guard allowance.fresh > 0 else { return }
        let scan = try snapshot.deliveries.scan(for: webhook, after: state.scanned, limit: allowance.fresh)
        look.jobs += scan.events.filter { !state.isBusy($0.position) }
            .map { DeliveryJob(event: $0, attempts: 0, isFresh: true) }
        (look.scanned, look.isAtEnd) = (scan.scanned, scan.isAtEnd)
    }

    /// The jobs found that do begin: one always, others as long as there are shared places.
    private func claim(_ look: Look) -> [DeliveryJob] {
        state.withLock { state in
            guard state != nil else { return [] }
            var begun: [DeliveryJob] = []
            for var job in look.jobs {
                if state?.isIdle == false {
                    guard parts.places.take() else {
                        // The log is looked at again from here.
                        if job.isFresh { state?.looked(to: job.event.position - 1) }
                        return begun
                    }
                    job.usesSharedPlace = true
                }
                state?.begin(job)
                if job.isFresh { state?.looked(to: job.event.position) }
                begun.append(job)
            }
            state?.looked(to: look.scanned)
            return begun
        }
    }

    /// Milliseconds of real time until something else can be done, unless somebody wakes us before.
    private func pause(_ look: Look, at now: Timestamp, began: Int, _ group: inout DiscardingTaskGroup) -> Int {
        var times: [Timestamp] = []
        let (isAhead, isFarAhead) = state.withLock { state -> (Bool, Bool) in
            guard let state else { return (false, false) }
            if state.heldUntil > now { times.append(state.heldUntil) }
            if let due = look.pending.nextDue, due > now { times.append(due) }
            if state.isDown, look.pending.nextDue != nil, state.probeTime > now { times.append(state.probeTime) }
            return (state.cursorIsAhead, state.cursor - max(state.savedCursor, 0) > Self.idleSaveEvents)
        }
        if isAhead { startSaving(&group, afterMilliseconds: isFarAhead ? 0 : Self.idleSavePause) }
        if !look.isAtEnd, look.jobs.isEmpty { return 0 }
        let next = times.min().map { ($0.milliseconds - now.milliseconds) / Int64(parts.limits.clockRate) + 1 }
        return Int(min(next ?? .max, Int64(Self.longestPause)))
    }

    // MARK: Credentials

    /// What requests are signed and completed with; read again when the webhook was changed, and whether it was.
    private func credentials(of look: Look) throws -> (WebhookCredentials, wasChanged: Bool) {
        if let known = credentials.withLock({ $0 }), known.version == look.webhook.version { return (known, false) }
        let fresh = WebhookCredentials(
            version: look.webhook.version,
            signer: try parts.vault.signer(look.secrets ?? [], of: id),
            headers: try parts.vault.headers(look.webhook.settings.headers, of: id)
        )
        let isFirst = credentials.withLock { known in
            defer { known = fresh }
            return known == nil
        }
        // Its owner did something about it.
        if !isFirst { state.withLock { $0?.resume() } }
        return (fresh, !isFirst)
    }

    // MARK: An attempt

    private func attempt(_ job: DeliveryJob, _ webhook: WebhookRow, _ credentials: WebhookCredentials) async {
        let outcome = await parts.attempt(job, webhook, credentials)
        let now = now()
        let first = state.withLock { state in
            let isFirst = state?.hasProgress == false
            state?.finish(job, outcome, at: now, jitter: .random(in: 0...1))
            return isFirst
        }
        if job.usesSharedPlace { parts.places.giveBack() }
        wakeup.signal()
        if first { await save(afterMilliseconds: parts.limits.gatherMilliseconds) }
    }

    // MARK: Writing down

    /// Writes down later how far the log was looked at; one such plan at a time.
    private func startSaving(_ group: inout DiscardingTaskGroup, afterMilliseconds milliseconds: Int) {
        guard isPlanned.withLock({ Self.raise(&$0) }) else { return }
        group.addTask {
            await self.save(afterMilliseconds: milliseconds)
            self.isPlanned.withLock { $0 = false }
        }
    }

    /// Writes down what happened, a little later, so that more of it goes in one transaction; one at a time.
    private func save(afterMilliseconds milliseconds: Int) async {
        if milliseconds > 0 { try? await loop.sleep(milliseconds: milliseconds) }
        repeat {
            guard !Task.isCancelled, isSaving.withLock({ Self.raise(&$0) }) else { return }
            await save()
            isSaving.withLock { $0 = false }
            wakeup.signal()
            // What came while nobody looked any more but the flag was still up.
        } while state.withLock { $0?.hasProgress ?? false }
    }

    /// Raises a flag; false when it was up already.
    private static func raise(_ flag: inout Bool) -> Bool {
        defer { flag = true }
        return !flag
    }

    private func save() async {
        while let progress = state.withLock({ $0?.takeProgress() }) {
            do {
                let key = key
                let exists = try await parts.store.write { try $0.deliveries.settle(key, progress) }
                state.withLock { $0?.saved(progress) }
                guard exists else { return }
                log(progress)
            } catch {
                state.withLock { $0?.notSaved(progress) }
                if !(error is CancellationError) {
                    parts.logger.warning("a webhook's progress waits for the store", metadata: metadata("\(error)"))
                    try? await loop.sleep(milliseconds: Self.pauseAfterError)
                }
                if Task.isCancelled || error as? StoreError == .closed { return }
            }
        }
    }

    private func report(_ dropped: [AccountKey]) async throws {
        let key = key
        var progress = WebhookProgress()
        progress.dropped = dropped
        progress.failures = state.withLock { $0?.failures ?? 0 }
        _ = try await parts.store.write { [progress] in try $0.deliveries.settle(key, progress) }
        parts.logger.warning(
            "events left the log before a webhook had got them",
            metadata: ["webhook": "\(id)", "accounts": "\(dropped.count)"]
        )
    }

    private func log(_ progress: WebhookProgress) {
        for (turn, _) in progress.turns {
            switch turn {
            case .disabled(let reason):
                parts.logger.warning("a webhook is disabled", metadata: ["webhook": "\(id)", "reason": "\(reason)"])
            case .failing(let reason):
                parts.logger.warning("a webhook fails", metadata: ["webhook": "\(id)", "reason": "\(reason)"])
            case .recovered: parts.logger.info("a webhook is back", metadata: ["webhook": "\(id)"])
            }
        }
    }
}

extension DeliveryJob {
    fileprivate init(_ row: DeliveryRow, isProbe: Bool) {
        self.init(event: row.event, attempts: row.attempts, due: row.due, isFresh: false, isProbe: isProbe)
    }
}
