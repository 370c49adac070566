// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Metrics
import Runtime
import Sockets
import Storage

/// Those who wait for news of a log, on all loops: they are woken after commits, and when their token ends.
///
/// The writer's thread does as little as can be: it notes which accounts changed and wakes the loops where somebody waits.
/// Whoever is woken reads from his own place, so a wake-up for nothing or for twice the same does no harm.
final class EventWaiters: Sendable {
    /// Those of one loop; seen by its thread only.
    private final class OfLoop {
        var all: [ObjectIdentifier: EventWaiter] = [:]
        /// Those that wait for certain accounts only, by each of them.
        var byAccount: [AccountID: [ObjectIdentifier: EventWaiter]] = [:]
        /// Those that wait for whatever happens anywhere.
        var ofAnything: [ObjectIdentifier: EventWaiter] = [:]
    }

    /// What a loop has not been told yet.
    private struct Untold {
        let loop: EventLoop
        var waiters = 0
        var accounts: Set<AccountID> = []
    }

    private struct State {
        var loops: [Int: Untold] = [:]
        var perToken: [TokenID: Int] = [:]
        var refused: UInt64 = 0
    }

    private let maximumPerToken: Int
    private let state = Lock(State())
    private let ofLoops = LoopLocal { _ in OfLoop() }

    init(maximumPerToken: Int) { self.maximumPerToken = maximumPerToken }

    struct Counts: Sendable {
        /// Those who wait now.
        var waiting = 0
        /// Those turned away because of the limit, ever.
        var refused: UInt64 = 0
    }

    var counts: Counts {
        state.withLock { Counts(waiting: $0.perToken.values.reduce(0, +), refused: $0.refused) }
    }

    // MARK: Coming and going, on the waiter's loop

    /// From now on the waiter is woken; false when its token has as many as it may.
    func add(_ waiter: EventWaiter) -> Bool {
        let loop = waiter.loop
        let isWelcome = state.withLock { state in
            guard state.perToken[waiter.token, default: 0] < maximumPerToken else {
                state.refused &+= 1
                return false
            }
            state.perToken[waiter.token, default: 0] += 1
            state.loops[loop.index, default: Untold(loop: loop)].waiters += 1
            return true
        }
        guard isWelcome else { return false }
        let own = ofLoops[loop]
        own.all[ObjectIdentifier(waiter)] = waiter
        guard let accounts = waiter.accounts else {
            own.ofAnything[ObjectIdentifier(waiter)] = waiter
            return true
        }
        for account in accounts { own.byAccount[account, default: [:]][ObjectIdentifier(waiter)] = waiter }
        return true
    }

    func remove(_ waiter: EventWaiter) {
        waiter.end()
        let own = ofLoops[waiter.loop]
        guard own.all.removeValue(forKey: ObjectIdentifier(waiter)) != nil else { return }
        own.ofAnything[ObjectIdentifier(waiter)] = nil
        for account in waiter.accounts ?? [] {
            own.byAccount[account]?[ObjectIdentifier(waiter)] = nil
            if own.byAccount[account]?.isEmpty == true { own.byAccount[account] = nil }
        }
        state.withLock { state in
            let left = state.perToken[waiter.token, default: 1] - 1
            state.perToken[waiter.token] = left == 0 ? nil : left
            state.loops[waiter.loop.index]?.waiters -= 1
        }
    }

    // MARK: Waking, from any thread

    /// Something was committed in an account.
    func tell(_ change: StoreChange) {
        let loops: [EventLoop] = state.withLock { state in
            var loops: [EventLoop] = []
            for index in state.loops.keys {
                guard let untold = state.loops[index], untold.waiters > 0 else { continue }
                if untold.accounts.isEmpty { loops.append(untold.loop) }
                state.loops[index]?.accounts.insert(change.account)
            }
            return loops
        }
        for loop in loops { loop.post { self.wake(loop) } }
    }

    private func wake(_ loop: EventLoop) {
        let accounts = state.withLock { state in
            let accounts = state.loops[loop.index]?.accounts ?? []
            state.loops[loop.index]?.accounts = []
            return accounts
        }
        let own = ofLoops[loop]
        for waiter in own.ofAnything.values { waiter.wake() }
        for account in accounts {
            guard let waiters = own.byAccount[account] else { continue }
            for waiter in waiters.values { waiter.wake() }
        }
    }

    /// The token was revoked: who came with it is to go.
    func revoke(_ token: TokenID) {
        let loops = state.withLock { state in
            state.perToken[token] == nil ? [] : state.loops.values.filter { $0.waiters > 0 }.map(\.loop)
        }
        for loop in loops {
            loop.post { for waiter in self.ofLoops[loop].all.values where waiter.token == token { waiter.revoke() } }
        }
    }
}

/// Somebody who waits on his loop for news of some accounts.
///
/// It belongs to that loop's thread. What happens while nobody waits is remembered, so: add it, then read, then wait.
final class EventWaiter {
    let loop: EventLoop
    /// The only accounts whose changes are news; nil for all.
    let accounts: [AccountID]?
    let token: TokenID
    private(set) var isRevoked = false
    /// Called when the token ends, besides the wake-up.
    var onRevocation: (() -> Void)?
    private var hasNews = false
    /// Whether the last wait ended because of something, and not of the time.
    private(set) var wasWoken = false
    private var continuation: UnsafeContinuation<Void, Never>?
    private var timer: LoopTimer?
    private var expiry: LoopTimer?

    init(on loop: EventLoop, accounts: [AccountID]?, token: TokenID) {
        self.loop = loop
        self.accounts = accounts
        self.token = token
    }

    /// There may be news, or the client is gone: returns from ``wait(milliseconds:)``.
    func wake() {
        hasNews = true
        resume()
    }

    /// The token is good for nothing any more.
    func revoke() {
        guard !isRevoked else { return }
        isRevoked = true
        wake()
        onRevocation.take()?()
    }

    /// Returns when it was woken since the last wait, or after so long.
    func wait(milliseconds: Int) async {
        if !hasNews {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                self.continuation = continuation
                timer = loop.schedule(afterMilliseconds: milliseconds) { self.resume() }
            }
        }
        wasWoken = hasNews
        hasNews = false
    }

    private func resume() {
        guard let continuation = continuation.take() else { return }
        timer.take()?.cancel()
        continuation.resume()
    }

    /// Looks again and again whether the token has expired: the clock of tokens may be set, the loop's cannot.
    func watchExpiry(_ isExpired: @escaping () -> Bool) {
        guard !isExpired() else { return revoke() }
        expiry = loop.schedule(afterMilliseconds: Self.expiryMilliseconds) { self.watchExpiry(isExpired) }
    }

    private static let expiryMilliseconds = 2000

    /// Nobody waits any more.
    fileprivate func end() {
        expiry.take()?.cancel()
        onRevocation = nil
    }
}

extension EventWaiters.Counts {
    func write(to writer: inout MetricsWriter) {
        writer.gauge("postern_event_streams", "Streams of events and requests that wait for one, now.", waiting)
        writer.counter("postern_event_streams_refused_total", "Those refused because the token had too many.", refused)
    }
}
