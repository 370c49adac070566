// SPDX-License-Identifier: Apache-2.0

package import Runtime

/// Counts tokens that were none by where they came from: each is answered later than the one before, and after too many
/// nothing more is looked up for some time.
///
/// A token is too long to be guessed; this keeps those who try from costing anything.
package final class TokenThrottle: Sendable {
    private let clock: Clock
    private let throttle: Lock<LoginThrottle>

    /// The first failures of a source, such as a client's with an old token, are answered at once.
    private static let promptFailures = 3
    private static let delayMilliseconds = 100
    private static let maximumDelayMilliseconds = 3000

    package init(clock: Clock, failuresPerSource: Int = 50) {
        self.clock = clock
        var limits = LoginThrottle.Limits()
        limits.failuresPerSource = failuresPerSource
        limits.leakMilliseconds = 5000
        throttle = Lock(LoginThrottle(limits))
    }

    private var now: UInt64 { clock.monotonic() / 1_000_000 }

    /// Seconds until another token from there is looked at; nil when it may be now.
    package func retryAfterSeconds(_ source: LoginSource) -> UInt64? {
        throttle.withLock { $0.delay(source: source, at: now) }.map { ($0 + 999) / 1000 }
    }

    /// Counts a failure, and says how many milliseconds later to answer it.
    package func failed(_ source: LoginSource) -> Int {
        let failures = throttle.withLock { $0.failed(source: source, at: now) }
        guard failures > Self.promptFailures else { return 0 }
        return min(Self.delayMilliseconds << min(failures - Self.promptFailures - 1, 16), Self.maximumDelayMilliseconds)
    }
}
