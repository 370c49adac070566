// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets

/// A connection of an account for commands: made when there is something to do, closed when there long was nothing.
///
/// Jobs are done one after another, by a task that is there only as long as the connection.
final class RemoteLane: Sendable {
    /// What is done with a session; what it throws, if that is of no consequence to the session, it keeps to itself.
    private struct Job: Sendable {
        /// Whether doing it once more does no harm.
        let isRepeatable: Bool
        let run: @Sendable (MailboxSession) async throws -> Void
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var jobs: [Job] = []
        var isServed = false
        var isStopped = false
        var hasConnection = false
        var task: Task<Void, Never>?
        /// The session is of other settings than those of now.
        var isStale = false
    }

    private let connector: MailboxConnector
    private let loop: EventLoop
    private let idleMilliseconds: Int
    private let longestQueue = 256
    /// For a connection, while somebody waits for what is to be done on it.
    private let patienceMilliseconds = 10_000
    private let wakeup = Wakeup()
    private let state = Lock(State())

    init(_ connector: MailboxConnector, on loop: EventLoop, idleMilliseconds: Int) {
        self.connector = connector
        self.loop = loop
        self.idleMilliseconds = idleMilliseconds
    }

    var hasConnection: Bool { state.withLock { $0.hasConnection } }
    var waiting: Int { state.withLock { $0.jobs.count } }

    /// Has `body` done with the lane's session, on its loop, and gives what it gave.
    ///
    /// Where the connection breaks it is made anew and `body` done once more, if `isRepeatable`.
    func perform<R: Sendable>(
        isRepeatable: Bool,
        _ body: @escaping @Sendable (MailboxSession) async throws -> R
    ) async throws -> R {
        try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<R, any Error>) in
            let job = Job(
                isRepeatable: isRepeatable,
                run: { continuation.resume(returning: try await body($0)) },
                fail: { continuation.resume(throwing: $0) }
            )
            enqueue(job)
        }
    }

    private func enqueue(_ job: Job) {
        enum Step { case begin, wake, refuse(RemoteError) }
        let step = state.withLock { state -> Step in
            if state.isStopped { return .refuse(.unavailable("The server is stopping.")) }
            guard state.jobs.count < longestQueue else { return .refuse(.busy("Too many commands wait already.")) }
            state.jobs.append(job)
            guard !state.isServed else { return .wake }
            state.isServed = true
            return .begin
        }
        switch step {
        case .begin:
            let task = Task(executorPreference: loop) { await self.serve() }
            state.withLock { $0.task = task }
        case .wake: wakeup.signal()
        case .refuse(let error): job.fail(error)
        }
    }

    /// Refuses what waits, and cuts the connection; ``ended()`` waits for that.
    func stop() {
        let (jobs, task) = state.withLock { state in
            state.isStopped = true
            defer { state.jobs = [] }
            return (state.jobs, state.task)
        }
        task?.cancel()
        for job in jobs { job.fail(RemoteError.unavailable("The server is stopping.")) }
        wakeup.signal()
    }

    func ended() async { await state.withLock { $0.task }?.value }

    /// The connection that is there is not used again.
    func reconnect() { state.withLock { $0.isStale = true } }

    // MARK: The task

    private func serve() async {
        var session: MailboxSession?
        while let job = await next(&session) {
            let isFresh = await revive(&session, for: job)
            guard let live = session else { continue }
            do {
                try await job.run(live)
            } catch {
                await failed(job, error, &session, isFresh: isFresh)
            }
        }
        await session?.end()
    }

    /// The next job; waits for it a while, and nil when it was in vain: then nobody serves the lane any more.
    private func next(_ session: inout MailboxSession?) async -> Job? {
        if let job = takeJob() { return job }
        if session?.isUsable == true, !isStopped {
            await wakeup.sleep(milliseconds: idleMilliseconds, on: loop)
            if let job = takeJob() { return job }
        }
        return state.withLock { state in
            guard state.jobs.isEmpty else { return state.jobs.removeFirst() }
            state.isServed = false
            state.hasConnection = false
            return nil
        }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func takeJob() -> Job? {
        state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
    }

    /// Sees to it that there is a session; whether it is a new one.
    private func revive(_ session: inout MailboxSession?, for job: Job) async -> Bool {
        let isStale = state.withLock { state in
            defer { state.isStale = false }
            return state.isStale
        }
        if let live = session, live.isUsable, !isStale { return false }
        await session?.end()
        session = nil
        do {
            session = try await connector.open(waitingAtMost: patienceMilliseconds)
        } catch {
            job.fail(error)
        }
        let isOpen = session != nil
        state.withLock { $0.hasConnection = isOpen }
        return true
    }

    private func failed(_ job: Job, _ error: any Error, _ session: inout MailboxSession?, isFresh: Bool) async {
        guard session?.isUsable == false, !isFresh, job.isRepeatable else { return job.fail(error) }
        _ = await revive(&session, for: job)
        guard let live = session else { return }
        do {
            try await job.run(live)
        } catch {
            job.fail(error)
        }
    }
}
