// SPDX-License-Identifier: Apache-2.0

/// Pauses between attempts: each twice as long as the last, with jitter, so that those who failed together do not come back
/// together.
struct BackOff: Sendable {
    private(set) var failures = 0
    private let first: Int
    private let last: Int

    init(firstMilliseconds: Int, lastMilliseconds: Int) {
        first = firstMilliseconds
        last = lastMilliseconds
    }

    /// Another failure; milliseconds to wait: from half to the whole of the pause.
    mutating func pause(random: (ClosedRange<Int>) -> Int = { Int.random(in: $0) }) -> Int {
        let whole = min(first << min(failures, 20), last)
        failures += 1
        return random(max(whole / 2, 1)...max(whole, 1))
    }

    mutating func reset() { failures = 0 }
}
