// SPDX-License-Identifier: Apache-2.0

/// When a delivery that did not come about is tried again.
package struct DeliverySchedule: Hashable, Sendable {
    /// Seconds from each failed try to the next; the last one goes on until the message expires.
    package let seconds: [Int]

    /// A minute, then longer, up to a little more than an hour (RFC 5321 §4.5.4.1).
    package static let standard = DeliverySchedule(seconds: [60, 300, 900, 1800, 3600, 4000])

    /// At least one.
    package init(seconds: [Int]) {
        precondition(!seconds.isEmpty)
        self.seconds = seconds
    }

    /// Milliseconds until the next try after so many that failed, at least one.
    ///
    /// - Parameter jitter: 0…1, of which up to a fifth is added, so that what failed together does not come again together.
    package func delay(afterTries tries: Int, jitter: Double) -> Int64 {
        let milliseconds = Int64(seconds[min(max(tries, 1), seconds.count) - 1]) * 1000
        return milliseconds + Int64(Double(milliseconds) / 5 * min(max(jitter, 0), 1))
    }
}
