// SPDX-License-Identifier: Apache-2.0

/// How long a loop's turns took: whatever comes up during a turn waits for its end.
package struct LoopTurns: Hashable, Sendable {
    /// Upper bounds of the buckets, in nanoseconds; the last bucket has none.
    package static let bounds: [UInt64] = [
        100_000, 1_000_000, 5_000_000, 10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000,
    ]

    /// Turns by how long they took, one count for each bound and one above them.
    package private(set) var buckets = [UInt64](repeating: 0, count: bounds.count + 1)
    /// All turns together.
    package private(set) var nanoseconds: UInt64 = 0

    mutating func add(_ duration: UInt64) {
        nanoseconds &+= duration
        // Nearly every turn: no search.
        if duration <= 100_000 {
            buckets[0] &+= 1
        } else {
            buckets[Self.bounds.firstIndex { duration <= $0 } ?? Self.bounds.count] &+= 1
        }
    }
}
