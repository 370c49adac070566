// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// What a token has used: of its budget of requests, and when it was used last.
///
/// Both cost a few atomic instructions and no lock.
package final class TokenUse: Sendable {
    /// When a bucket that leaks one request an interval would be empty, in nanoseconds of the monotonic clock.
    private let emptyAt = Atomic<UInt64>(0)
    /// In milliseconds since 1970.
    private let notedAt = Atomic<Int64>(.min)

    /// A use is noted so often at most.
    private static let noteMilliseconds: Int64 = 60_000

    package init() {}

    /// Whether the last use noted is a minute ago or more; then this one counts as noted.
    func isWorthNoting(at now: Int64) -> Bool {
        let noted = notedAt.load(ordering: .relaxed)
        guard noted == .min || now - noted >= Self.noteMilliseconds || now < noted else { return false }
        return notedAt.compareExchange(expected: noted, desired: now, ordering: .relaxed).exchanged
    }

    /// Takes one request from the budget at `now` (nanoseconds of the monotonic clock, which may lag from thread to thread).
    package func take(of budget: RequestBudget, at now: UInt64) -> RequestBudget.Standing {
        var seen = emptyAt.load(ordering: .relaxed)
        while true {
            let level = seen > now ? seen - now : 0
            guard level + budget.interval <= budget.depth else {
                return RequestBudget.Standing(
                    isGranted: false,
                    remaining: 0,
                    nanoseconds: level + budget.interval - budget.depth
                )
            }
            let (exchanged, original) = emptyAt.compareExchange(
                expected: seen,
                desired: now + level + budget.interval,
                ordering: .relaxed
            )
            if exchanged {
                return RequestBudget.Standing(
                    isGranted: true,
                    remaining: (budget.depth - level - budget.interval) / budget.interval,
                    nanoseconds: level + budget.interval
                )
            }
            seen = original
        }
    }
}

/// So many requests a second on average, and so many at once.
package struct RequestBudget: Hashable, Sendable {
    /// Nanoseconds that one request is worth.
    let interval: UInt64
    /// Nanoseconds that ``burst`` requests are worth.
    let depth: UInt64
    /// Requests at once.
    package let burst: UInt64

    /// How a token stands after a request.
    package struct Standing: Hashable, Sendable {
        package let isGranted: Bool
        /// Requests that would be granted now.
        package let remaining: UInt64
        /// Until all of the budget is there again, where it was granted; else until one more request is.
        package let nanoseconds: UInt64

        /// ``nanoseconds`` in whole seconds, rounded up.
        package var seconds: UInt64 { (nanoseconds + 999_999_999) / 1_000_000_000 }
    }

    /// Nil where `requestsPerSecond` is 0: no limit.
    ///
    /// - Parameters:
    ///   - requestsPerSecond: up to 1,000,000.
    ///   - burst: at least 1, up to 10,000,000.
    package init?(requestsPerSecond: Int, burst: Int) {
        guard requestsPerSecond > 0 else { return nil }
        interval = max(1, 1_000_000_000 / UInt64(clamping: requestsPerSecond))
        self.burst = UInt64(clamping: max(1, burst))
        depth = interval * self.burst
    }

    /// Seconds in which all of the budget comes back, rounded up.
    package var seconds: UInt64 { (depth + 999_999_999) / 1_000_000_000 }
}
