// SPDX-License-Identifier: Apache-2.0

package import Runtime

extension Clock {
    /// The system's, and so many milliseconds ahead of it.
    package static func system(ahead passed: Lock<Int64>) -> Clock {
        Clock(
            now: { Clock.system.now() + passed.withLock { $0 } },
            monotonic: { Clock.system.monotonic() &+ UInt64(passed.withLock { $0 }) &* 1_000_000 }
        )
    }
}
