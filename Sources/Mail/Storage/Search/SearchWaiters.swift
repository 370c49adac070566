// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime

/// Who waits for an index to catch up, each for so long at most.
///
/// A thread of its own watches the time.
final class SearchWaiters: Sendable {
    private struct Waiter: Sendable {
        let account: AccountKey
        let modseq: Int64
        /// In the clock's nanoseconds.
        let deadline: UInt64
        let continuation: UnsafeContinuation<Bool, Never>
    }

    private struct State {
        var waiters: [Waiter] = []
        /// How far each index is known to be.
        var reached: [AccountKey: Int64] = [:]
        var isStopped = false
    }

    private let state = Monitor(State())
    private let clock: Clock
    private let thread = Lock<NamedThread?>(nil)

    init(clock: Clock) {
        self.clock = clock
        let thread = NamedThread("search-wait") { [state, clock] in Self.watch(state, clock) }
        self.thread.withLock { $0 = thread }
    }

    /// True as soon as the account's index has everything up to `modseq`, false when `milliseconds` have passed.
    func wait(for modseq: Int64, of account: AccountKey, milliseconds: Int) async -> Bool {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
            let deadline = clock.monotonic() &+ UInt64(max(milliseconds, 0)) &* 1_000_000
            let answer: Bool? = state.signal { state in
                if let reached = state.reached[account], reached >= modseq { return true }
                if state.isStopped || milliseconds <= 0 { return false }
                state.waiters.append(
                    Waiter(account: account, modseq: modseq, deadline: deadline, continuation: continuation)
                )
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Whether the index is known to have everything up to `modseq`.
    func hasReached(_ modseq: Int64, of account: AccountKey) -> Bool {
        state.withLock { ($0.reached[account] ?? -1) >= modseq }
    }

    /// The index now has everything up to `modseq`; nil: it is gone, and will be built anew.
    func reached(_ modseq: Int64?, of account: AccountKey) {
        let ready = state.signal { state in
            state.reached[account] = modseq
            guard let modseq else { return [Waiter]() }
            let isReady = { (waiter: Waiter) in waiter.account == account && waiter.modseq <= modseq }
            let ready = state.waiters.filter(isReady)
            state.waiters.removeAll(where: isReady)
            return ready
        }
        for waiter in ready { waiter.continuation.resume(returning: true) }
    }

    func stop() {
        state.broadcast { $0.isStopped = true }
        let thread = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    /// Sends those away whose time is up; in the end all of them.
    private static func watch(_ state: Monitor<State>, _ clock: Clock) {
        while true {
            let next = state.withLock { state in state.waiters.map(\.deadline).min() }
            let now = clock.monotonic()
            let milliseconds = next.map { $0 > now ? Int(min(($0 - now) / 1_000_000 + 1, 60_000)) : 0 }
            // Wakes up when the time is up, and when somebody with an earlier deadline comes.
            let isStopped = state.wait(timeoutMilliseconds: milliseconds) { state -> Bool? in
                if state.isStopped { return true }
                let earliest = state.waiters.map(\.deadline).min()
                return earliest != next ? false : nil
            }
            let late = state.signal { state in
                let now = clock.monotonic()
                let isLate = { (waiter: Waiter) in isStopped == true || waiter.deadline <= now }
                let late = state.waiters.filter(isLate)
                state.waiters.removeAll(where: isLate)
                return late
            }
            for waiter in late { waiter.continuation.resume(returning: false) }
            if isStopped == true { return }
        }
    }
}
