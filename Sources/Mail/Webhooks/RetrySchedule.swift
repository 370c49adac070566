// SPDX-License-Identifier: Apache-2.0

/// When an event that did not come through is tried again.
package struct RetrySchedule: Hashable, Sendable {
    /// Seconds from each failed attempt to the next; after the last the event has run out.
    package let seconds: [Int]

    /// That of Standard Webhooks 1.0 (5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h) and another day: a receiver
    /// that is down from Friday to Monday loses nothing.
    package static let standard = RetrySchedule(
        seconds: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400]
    )

    package init(seconds: [Int]) { self.seconds = seconds }

    /// Milliseconds until the next attempt after so many; nil when there is none.
    ///
    /// - Parameter jitter: 0…1, of which up to a tenth is added, so that receivers are not called by all at once.
    package func delay(afterAttempts attempts: Int, jitter: Double) -> Int64? {
        guard attempts > 0, attempts <= seconds.count else { return nil }
        let milliseconds = Int64(seconds[attempts - 1]) * 1000
        return milliseconds + Int64(Double(milliseconds) / 10 * min(max(jitter, 0), 1))
    }

    /// The longest delay there is, in milliseconds.
    package var longestDelay: Int64 { Int64(seconds.max() ?? 0) * 1100 }
}
