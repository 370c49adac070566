// SPDX-License-Identifier: Apache-2.0

import IMAPSessions
import Logging
package import MailTypes
import Runtime
import Sockets
package import Storage
package import Wire

/// A remote account's mailbox: one task keeps the mirror of it, on a connection of its own; what is asked of the server is
/// done on two others, so that a long transfer keeps nobody waiting.
package final class RemoteMailbox: Sendable {
    /// How it is with the account just now.
    package struct Status: Sendable {
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
        /// When the next attempt to connect is made, after a failure.
        package var retryAt: Timestamp?
    }

    struct State {
        var phase = Status.Phase.connecting
        var isConnected = false
        var lastFailure: RemoteError?
        var lastErrorAt: Timestamp?
        var retryAt: Timestamp?
        /// Those who want to know how things are at the server now.
        var curious: [OneShot<Bool>] = []
        /// The account was changed or deleted: nothing is as it was.
        var isReconfigured = false
        var isStopped = false
        var failures = 0
        /// Ends the IDLE under way.
        var interruption: IMAPInterruption?
    }

    package let key: AccountKey
    package let id: AccountID
    let parts: RemoteParts
    let loop: EventLoop
    let connector: MailboxConnector
    /// Flags, moves, folders: what is over soon.
    let quick: RemoteLane
    /// Bodies up and down.
    let bulk: RemoteLane
    /// One at a time: a round of the mirror, or a change that puts a message somewhere.
    let turns = Turns()
    let wakeup = Wakeup()
    let state = Lock(State())

    init(_ account: AccountRow, _ parts: RemoteParts, on loop: EventLoop) {
        key = account.key
        id = account.id
        self.parts = parts
        self.loop = loop
        connector = MailboxConnector(account: account.key, id: account.id, parts: parts)
        let idle = parts.limits.laneIdleMilliseconds
        quick = RemoteLane(connector, on: loop, idleMilliseconds: idle)
        bulk = RemoteLane(connector, on: loop, idleMilliseconds: idle)
    }

    package var status: Status {
        var status = state.withLock { state in
            Status(
                phase: state.phase,
                isConnected: state.isConnected,
                connections: state.isConnected ? 1 : 0,
                lastFailure: state.lastFailure,
                lastErrorAt: state.lastErrorAt,
                retryAt: state.retryAt
            )
        }
        status.connections += [quick, bulk].count { $0.hasConnection }
        status.waiting = quick.waiting + bulk.waiting
        return status
    }

    /// The mirror is compared with the server soon.
    package func wake() {
        wakeup.signal()
        state.withLock { $0.interruption }?.interrupt()
    }

    /// Has the mirror compared with the server now, and waits until that was done, at most so long; false where it was not.
    package func refresh(milliseconds: Int) async -> Bool {
        let round = OneShot<Bool>()
        let mayWait = state.withLock { state in
            guard !state.isStopped else { return false }
            state.curious.append(round)
            return true
        }
        guard mayWait else { return false }
        wake()
        loop.post { [loop] in
            _ = loop.schedule(afterMilliseconds: milliseconds) { round.end(false) }
        }
        return await round.wait(cancelled: false)
    }

    /// The account's servers are others now, or it is gone.
    func reconfigure() {
        state.withLock { $0.isReconfigured = true }
        quick.reconnect()
        bulk.reconnect()
        wake()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        quick.stop()
        bulk.stop()
        wake()
    }
}

// MARK: The task that keeps the mirror

extension RemoteMailbox {
    /// Until the account is gone or the server stops.
    func run() async {
        var backOff = BackOff(
            firstMilliseconds: parts.limits.firstPauseMilliseconds,
            lastMilliseconds: parts.limits.lastPauseMilliseconds
        )
        while !Task.isCancelled, await isWanted() {
            do {
                let session = try await connector.open(waitingAtMost: .max, wakeup) { !isReconfigured }
                do {
                    try await watch(session) { backOff.reset() }
                } catch {
                    await session.end()
                    throw error
                }
                await session.end()
                noteDisconnected()
            } catch {
                if isReconfigured {
                    noteDisconnected()
                    backOff.reset()
                    continue
                }
                let pause = await failed(error, &backOff)
                await wakeup.sleep(milliseconds: pause, on: loop)
            }
        }
        dismissTheCurious()
        quick.stop()
        bulk.stop()
        await quick.ended()
        await bulk.ended()
    }

    /// Nothing is as it was when the connection was made.
    private var isReconfigured: Bool { state.withLock { $0.isReconfigured || $0.isStopped } }

    private func isWanted() async -> Bool {
        guard !state.withLock({ $0.isStopped }) else { return false }
        state.withLock { state in
            state.isReconfigured = false
            state.phase = .connecting
            state.retryAt = nil
        }
        do {
            return try await parts.store.read { [key] in try $0.accounts.get(key) != nil }
        } catch {
            // Whether it is there shows as soon as the store can be read again.
            return error as? StoreError != .closed
        }
    }

    /// What a failure means; milliseconds until the next attempt.
    private func failed(_ error: any Error, _ backOff: inout BackOff) async -> Int {
        dismissTheCurious()
        guard !Task.isCancelled, !(error is StoreError && error as? StoreError == .closed) else { return 0 }
        let failure = error as? RemoteError ?? .unavailable("\(error)")
        var pause = backOff.pause()
        if case .authentication = failure { pause = max(pause, parts.limits.refusedPauseMilliseconds) }
        let now = Timestamp(milliseconds: parts.clock.now())
        let failures = state.withLock { state in
            state.isConnected = false
            state.interruption = nil
            state.phase = .waiting
            state.lastFailure = failure
            state.lastErrorAt = now
            state.retryAt = Timestamp(milliseconds: now.milliseconds + Int64(pause))
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

    private func noteDisconnected() {
        state.withLock { state in
            state.isConnected = false
            state.interruption = nil
        }
    }

    private func dismissTheCurious() {
        let curious = state.withLock { state in
            defer { state.curious = [] }
            return state.curious
        }
        for one in curious { one.end(false) }
    }

    // MARK: Watching

    private func watch(_ session: MailboxSession, isLive: () -> Void) async throws {
        state.withLock { state in
            state.isConnected = true
            state.phase = .syncing
            state.interruption = session.interruption
        }
        let sync = MailboxSync(account: key, parts: parts, session: session)
        try await round(sync)
        try await parts.store.write { [key] tx in try tx.mirror.set(.connected, reason: nil, of: key) }
        state.withLock { $0.failures = 0 }
        try await fillAll(sync)
        state.withLock { $0.phase = .watching }
        while !Task.isCancelled, !isReconfigured {
            let inbox = try await parts.store.read { [key] snapshot in
                try snapshot.folders.find(.inbox, in: key).flatMap { try snapshot.mirror.remote($0) }
            }
            let news = try await session.wait(
                milliseconds: parts.limits.pollMilliseconds,
                inbox: inbox,
                wakeup,
                on: loop
            )
            isLive()
            try await take(news, sync)
        }
    }

    /// Compares all folders with the server's, and puts there what has to be put there.
    private func round(_ sync: MailboxSync) async throws {
        let curious = state.withLock { state in
            defer { state.curious = [] }
            return state.curious
        }
        var isDone = false
        defer { for one in curious { one.end(isDone) } }
        try await turns.take {
            let looks = try await sync.syncFolders()
            try await sync.round(looks.filter(\.isDue))
            try await sync.verify(looks.filter { !$0.isDue })
        }
        isDone = true
        try await uploadPending()
    }

    private func take(_ news: MailboxNews, _ sync: MailboxSync) async throws {
        let isAsked = state.withLock { !$0.curious.isEmpty }
        switch news {
        case .inbox where !isAsked:
            let left = try await turns.take { try await sync.roundOfInbox() }
            // What left the inbox may be in another folder now.
            if left { try await round(sync) }
        case .inbox, .anything:
            try await round(sync)
            try await fillAll(sync)
        }
    }

    /// Mirrors what is older, the beginning of each folder first, and looks at the inbox in between.
    private func fillAll(_ sync: MailboxSync) async throws {
        var count = parts.limits.firstPage
        while true {
            var hasMore = false
            for look in try await sync.unfilled() {
                guard !isReconfigured else { return }
                hasMore = try await turns.take { try await sync.fill(look, count: count) } || hasMore
                if state.withLock({ !$0.curious.isEmpty }) { try await round(sync) }
            }
            guard hasMore else { return }
            count = parts.limits.chunk
            _ = try await turns.take { try await sync.roundOfInbox() }
        }
    }

    /// Puts at the server what is here and has yet to be there: copies of what was sent.
    func uploadPending() async throws {
        let waiting = try await parts.store.read { [key] in try $0.mirror.pendingUploads(of: key, limit: 20) }
        for message in waiting {
            do {
                try await upload(message)
            } catch let error as RemoteError {
                parts.logger.warning(
                    "a copy is not at the server yet",
                    metadata: ["account": "\(id)", "message": "\(message.id)", "err": "\(error.reason)"]
                )
                // What the server says of this one it need not say of the next.
                guard error.isOfMessage else { return }
            }
        }
    }
}
