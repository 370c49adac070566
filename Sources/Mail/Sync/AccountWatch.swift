// SPDX-License-Identifier: Apache-2.0

import Logging
import MailTypes
import Runtime
import Sockets
import Storage
package import Wire

/// How it is with a remote account just now.
package struct RemoteStatus: Sendable {
    package enum Phase: String, CaseIterable, Sendable {
        case connecting, syncing, watching
        /// For the time of the next attempt.
        case waiting
    }

    package var phase = Phase.connecting
    /// The connection that keeps the mirror stands.
    package var isConnected = false
    package var connections = 0
    /// Commands that wait for a connection.
    package var waiting = 0
    package var lastFailure: RemoteError?
    package var lastErrorAt: Timestamp?
    /// When the mirror was last compared with the server as a whole, since the process runs.
    package var lastLookAt: Timestamp?
    /// When the next attempt to connect is made, after a failure.
    package var retryAt: Timestamp?
}

/// A remote account: its mail is at a server, of which the store keeps a mirror.
package protocol RemoteAccount: AnyObject, Sendable {
    var status: RemoteStatus { get }
    /// The server is asked soon.
    func wake()
    /// Has the server asked now, and waits until that was done, at most so long; why it was not, else nil.
    func refresh(milliseconds: Int) async -> RemoteError?
}

/// What keeps an account's mirror: one task that tries to be at its server, again and again with pauses where it fails; what
/// came of that, and who waits for it.
final class AccountWatch: Sendable {
    /// What comes of asking the server.
    private enum Answer: Sendable {
        case asked
        case failed(RemoteError)
    }

    private struct State {
        var status = RemoteStatus()
        /// Those who want to know how things are at the server now.
        var curious: [OneShot<Answer>] = []
        /// The account was changed or deleted: nothing is as it was.
        var isReconfigured = false
        var isStopped = false
        var failures = 0
        /// From when on it counts that nobody looked at the server.
        var unseenSince: Timestamp?
        /// It is noted that this is too long.
        var isStale = false
        /// Ends a wait for the server under way.
        var interrupt: (@Sendable () -> Void)?
    }

    let key: AccountKey
    let id: AccountID
    let parts: RemoteParts
    let loop: EventLoop
    let wakeup = Wakeup()
    /// When this began to look, in milliseconds.
    private let beganAt: Int64
    private let state = Lock(State())

    init(_ account: AccountRow, _ parts: RemoteParts, on loop: EventLoop) {
        key = account.key
        id = account.id
        self.parts = parts
        self.loop = loop
        beganAt = parts.clock.now()
    }

    var status: RemoteStatus {
        state.withLock { state in
            var status = state.status
            status.connections = status.isConnected ? 1 : 0
            return status
        }
    }

    func wake() {
        wakeup.signal()
        if let interrupt = state.withLock({ $0.interrupt }) { interrupt() }
    }

    /// Whether somebody wants to know how things are at the server now.
    var isAsked: Bool { state.withLock { !$0.curious.isEmpty } }

    /// Has the server asked now, and waits until that was done, at most so long; why it was not, else nil.
    func refresh(milliseconds: Int) async -> RemoteError? {
        let round = OneShot<Answer>()
        let mayWait = state.withLock { state in
            guard !state.isStopped else { return false }
            state.curious.append(round)
            return true
        }
        guard mayWait else { return .unavailable("The server is stopping.") }
        wake()
        let late = RemoteError.unavailable("The account's server did not answer in time.")
        loop.post { [loop] in
            _ = loop.schedule(afterMilliseconds: milliseconds) { round.end(.failed(late)) }
        }
        switch await round.wait(cancelled: .failed(late)) {
        case .asked: return nil
        case .failed(let error): return error
        }
    }

    /// Does `body`, and tells those who waited for it that it was done; where it fails they are told once that is noted.
    func satisfying<R>(_ body: () async throws -> R) async throws -> R {
        let curious = takeTheCurious()
        do {
            let result = try await body()
            for one in curious { one.end(.asked) }
            return result
        } catch {
            state.withLock { $0.curious += curious }
            throw error
        }
    }

    private static func failure(_ error: any Error) -> RemoteError { error as? RemoteError ?? .unavailable("\(error)") }

    private func takeTheCurious() -> [OneShot<Answer>] {
        state.withLock { state in
            defer { state.curious = [] }
            return state.curious
        }
    }

    private func dismissTheCurious(_ error: RemoteError) { for one in takeTheCurious() { one.end(.failed(error)) } }

    /// The account's servers are others now, or it is gone.
    func reconfigure() {
        state.withLock { $0.isReconfigured = true }
        wake()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        wake()
    }

    // MARK: The task

    /// Until the account is gone or the server stops: makes one attempt after another.
    ///
    /// - Parameters:
    ///   - pause: milliseconds that a failure asks for at least.
    ///   - attempt: is at the server until it fails or ``isReconfigured``; it calls what it is given once all is well.
    func run(
        pause: (RemoteError) -> Int = { _ in 0 },
        _ attempt: (_ isLive: () -> Void) async throws -> Void
    ) async {
        var backOff = BackOff(
            firstMilliseconds: parts.limits.firstPauseMilliseconds,
            lastMilliseconds: parts.limits.lastPauseMilliseconds
        )
        while !Task.isCancelled, await isWanted() {
            do {
                try await attempt { backOff.reset() }
                noteDisconnected()
            } catch {
                if isReconfigured {
                    noteDisconnected()
                    backOff.reset()
                    continue
                }
                let pause = await failed(error, &backOff, pause)
                await wakeup.sleep(milliseconds: pause, on: loop)
            }
        }
        dismissTheCurious(.unavailable("The account is gone, or the server is stopping."))
    }

    /// Nothing is as it was when the connection was made.
    var isReconfigured: Bool { state.withLock { $0.isReconfigured || $0.isStopped } }

    private func isWanted() async -> Bool {
        guard !state.withLock({ $0.isStopped }) else { return false }
        state.withLock { state in
            state.isReconfigured = false
            state.status.phase = .connecting
            state.status.retryAt = nil
        }
        do {
            return try await parts.store.read { [key] in try $0.accounts.get(key) != nil }
        } catch {
            // Whether it is there shows as soon as the store can be read again.
            return error as? StoreError != .closed
        }
    }

    /// What a failure means; milliseconds until the next attempt.
    private func failed(_ error: any Error, _ backOff: inout BackOff, _ longer: (RemoteError) -> Int) async -> Int {
        let failure = Self.failure(error)
        // Who asks while it is noted asks for the next attempt.
        let curious = takeTheCurious()
        defer { for one in curious { one.end(.failed(failure)) } }
        guard !Task.isCancelled, !(error is StoreError && error as? StoreError == .closed) else { return 0 }
        var pause = max(backOff.pause(), longer(failure))
        if case .authentication = failure { pause = max(pause, parts.limits.refusedPauseMilliseconds) }
        let now = Timestamp(milliseconds: parts.clock.now())
        let failures = state.withLock { state in
            state.interrupt = nil
            state.status.isConnected = false
            state.status.phase = .waiting
            state.status.lastFailure = failure
            state.status.lastErrorAt = now
            state.status.retryAt = Timestamp(milliseconds: now.milliseconds + Int64(pause))
            state.failures += 1
            return state.failures
        }
        parts.logger.info(
            "a mailbox cannot be watched",
            metadata: ["account": "\(id)", "err": "\(failure.reason)", "retry_ms": "\(pause)"]
        )
        await note(failure, failures: failures)
        return pause
    }

    private func note(_ failure: RemoteError, failures: Int) async {
        let condition: RemoteAccountState.Condition
        if case .authentication = failure {
            condition = .authenticationFailed
        } else {
            guard failures >= parts.limits.failuresUntilUnreachable else { return }
            condition = .unreachable
        }
        do {
            try await parts.store.write { [key] tx in
                guard try tx.accounts.get(key) != nil else { return }
                try tx.mirror.set(condition, reason: failure.reason, of: key)
            }
        } catch {
            parts.logger.warning("the state of an account is not noted", metadata: ["err": "\(error)"])
        }
    }

    // MARK: Staleness

    private static let graceMilliseconds: Int64 = 300_000

    /// Notes that nobody looked at the server for too long, where that is so; to be called now and then.
    func noteStaleness() async {
        do {
            let since = try await unseenSince()
            let now = parts.clock.now()
            let (isStale, reason) = state.withLock { ($0.isStale, $0.status.lastFailure?.reason) }
            let limit = Int64(parts.limits.staleMilliseconds)
            // What was not seen while the process did not run it first tries to see.
            guard !isStale, now - since.milliseconds >= limit, now - beganAt >= min(limit, Self.graceMilliseconds)
            else {
                return
            }
            try await parts.store.write { [key] tx in
                guard try tx.accounts.get(key) != nil else { return }
                try tx.mirror.setStale(since: since, reason: reason, of: key)
            }
            state.withLock { $0.isStale = true }
        } catch {
            parts.logger.debug("it is not noted whether an account is stale", metadata: ["err": "\(error)"])
        }
    }

    /// From when on it counts: what the store says of the time before the process ran counts too.
    private func unseenSince() async throws -> Timestamp {
        if let since = state.withLock({ $0.unseenSince }) { return since }
        let (verified, wasStale) = try await parts.store.read { [key] snapshot in
            (try snapshot.mirror.verified(of: key), try snapshot.mirror.staleSince(of: key) != nil)
        }
        let now = Timestamp(milliseconds: parts.clock.now())
        return state.withLock { state in
            guard state.unseenSince == nil else { return state.unseenSince ?? now }
            state.isStale = wasStale
            let since = verified ?? now
            state.unseenSince = since
            return since
        }
    }

    // MARK: What the attempt says

    /// A session stands; `interrupt` ends its waits.
    func noteConnected(interrupt: (@Sendable () -> Void)? = nil) {
        state.withLock { state in
            state.status.isConnected = true
            state.status.phase = .syncing
            state.interrupt = interrupt
        }
    }

    func noteDisconnected() {
        state.withLock { state in
            state.status.isConnected = false
            state.interrupt = nil
        }
    }

    /// The mirror was compared with the server.
    func noteAlive() async throws {
        try await parts.store.write { [key] tx in try tx.mirror.set(.connected, reason: nil, of: key) }
        state.withLock { $0.failures = 0 }
        _ = seen()
    }

    /// It was so again, while nobody thought otherwise.
    func noteLook() async throws {
        if seen() {
            try await parts.store.write { [key] tx in try tx.mirror.set(.connected, reason: nil, of: key) }
        }
    }

    /// Whether it was noted that nobody had looked for too long.
    private func seen() -> Bool {
        let now = Timestamp(milliseconds: parts.clock.now())
        return state.withLock { state in
            state.status.lastLookAt = now
            state.unseenSince = now
            defer { state.isStale = false }
            return state.isStale
        }
    }

    func set(phase: RemoteStatus.Phase) { state.withLock { $0.status.phase = phase } }
}
