// SPDX-License-Identifier: Apache-2.0

import MailTypes
import POP3Sessions
import Runtime
import Sockets
import Storage
import Transport

/// A POP3 account: one task asks its server again and again, each time in a session of its own, because nobody else may have one
/// meanwhile (RFC 1939 §8).
///
/// Folders, flags and where a message is are the store's alone: what is changed there needs no server.
package final class PolledMaildrop: RemoteAccount {
    private struct State {
        /// When the last login was, in nanoseconds of the clock.
        var loginAt: UInt64?
        var loginDelaySeconds = 0
    }

    private let parts: RemoteParts
    private let loop: EventLoop
    private let connector: ServerConnector
    private let watch: AccountWatch
    private let state = Lock(State())

    init(_ account: AccountRow, _ parts: RemoteParts, on loop: EventLoop) {
        self.parts = parts
        self.loop = loop
        connector = ServerConnector(.pop3, of: account.key, id: account.id, parts: parts)
        watch = AccountWatch(account, parts, on: loop)
    }

    package var status: RemoteStatus { watch.status }

    package func wake() { watch.wake() }

    package func refresh(milliseconds: Int) async -> RemoteError? {
        let delay = state.withLock { $0.loginDelaySeconds }
        guard loginWait <= milliseconds else {
            return .busy("The server lets one log in only every \(delay) seconds, and did just now.")
        }
        return await watch.refresh(milliseconds: milliseconds)
    }

    func reconfigure() {
        state.withLock { $0 = State() }
        watch.reconfigure()
    }

    func stop() { watch.stop() }

    func noteStaleness() async { await watch.noteStaleness() }

    // MARK: The task

    /// Until the account is gone or the server stops.
    func run() async {
        await watch.run(pause: pause) { isLive in
            while !Task.isCancelled, !watch.isReconfigured {
                await rest(milliseconds: loginWait)
                let hasMore = try await watch.satisfying {
                    let hasMore = try await poll()
                    try await watch.noteAlive()
                    return hasMore
                }
                isLive()
                watch.set(phase: .watching)
                await rest(milliseconds: hasMore ? 0 : pollPause) { watch.isAsked }
            }
        }
    }

    /// Not all accounts at the same moment.
    private var pollPause: Int {
        let longest = parts.limits.maildropPollMilliseconds
        return Int.random(in: (longest - longest / 10)...longest)
    }

    /// What the server asks for by a refusal (RFC 2449 §8.1.1): whoever is in the maildrop has to leave it first, or the time
    /// between two logins to pass.
    private func pause(after failure: RemoteError) -> Int {
        guard case .busy = failure else { return loginWait }
        return max(parts.limits.maildropBusyMilliseconds, loginWait)
    }

    /// Milliseconds until the server takes another login.
    private var loginWait: Int {
        let (loginAt, delay) = state.withLock { ($0.loginAt, $0.loginDelaySeconds) }
        guard let loginAt, delay > 0 else { return 0 }
        let end = loginAt &+ UInt64(delay) * 1_000_000_000
        let now = parts.clock.monotonic()
        // A second more, because its clock is not ours.
        return end > now ? Int(clamping: (end - now) / 1_000_000) + 1000 : 0
    }

    private func rest(milliseconds: Int, unless isOver: () -> Bool = { false }) async {
        let end = loop.time(afterMilliseconds: milliseconds)
        while !Task.isCancelled, !watch.isReconfigured, !isOver() {
            let left = loop.milliseconds(until: end)
            guard left > 0 else { return }
            await watch.wakeup.sleep(milliseconds: left, on: loop)
        }
    }

    /// One session; whether there is more to fetch at once.
    private func poll() async throws -> Bool {
        watch.set(phase: .connecting)
        let (session, server) = try await open()
        watch.noteConnected()
        defer { watch.noteDisconnected() }
        let sync = MaildropSync(
            account: watch.key,
            id: watch.id,
            parts: parts,
            session: session,
            server: server
        )
        do {
            return try await sync.round { !watch.isReconfigured }
        } catch {
            session.close()
            throw error
        }
    }

    private func open() async throws -> (MaildropSession, RemoteServer) {
        let parts = parts
        var patience = POP3ClientPatience()
        patience.connectMilliseconds = parts.limits.connectMilliseconds
        let (session, server) = try await connector.open(
            waitingAtMost: .max,
            watch.wakeup,
            while: { !watch.isReconfigured },
            judge: RemoteError.judgePOP3
        ) { [patience] target in
            var route = POP3ClientRoute(server: target.endpoint, credentials: target.credentials)
            route.maximumMessageOctets = parts.store.configuration.maximumMessageOctets
            let session = try await POP3ClientSession.open(
                route,
                dialer: parts.dialer,
                patience: patience,
                pool: parts.workers
            )
            return (MaildropSession(session, whenOver: target.whenOver), target.server)
        }
        let now = parts.clock.monotonic()
        state.withLock { state in
            state.loginAt = now
            state.loginDelaySeconds = session.loginDelaySeconds
        }
        return (session, server)
    }
}
