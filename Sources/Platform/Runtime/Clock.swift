// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The one source of time, handed in at the top.
///
/// `now` is for what is stored and shown; `monotonic` for waiting and measuring.
public struct Clock: Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let now: @Sendable () -> Int64
    /// Nanoseconds since an arbitrary start; never goes back.
    public let monotonic: @Sendable () -> UInt64

    public init(now: @escaping @Sendable () -> Int64, monotonic: @escaping @Sendable () -> UInt64) {
        self.now = now
        self.monotonic = monotonic
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }

    /// The system's clocks.
    public static let system = Clock(
        now: {
            let time = read(CLOCK_REALTIME)
            return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        },
        monotonic: {
            let time = read(CLOCK_MONOTONIC)
            return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
        }
    )
}
