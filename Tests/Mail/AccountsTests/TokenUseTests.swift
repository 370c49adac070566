// SPDX-License-Identifier: Apache-2.0

import Runtime
import Testing

@testable import Accounts

@Suite struct RequestBudgetTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func aBurstIsGrantedAndThenOneAnInterval() throws {
        let budget = try #require(RequestBudget(requestsPerSecond: 5, burst: 10))
        #expect(budget.burst == 10 && budget.seconds == 2)
        let use = TokenUse()
        let start = 100 * Self.second
        for left in (0..<10).reversed() {
            let standing = use.take(of: budget, at: start)
            #expect(standing.isGranted && standing.remaining == UInt64(left))
        }
        let refused = use.take(of: budget, at: start)
        #expect(!refused.isGranted && refused.remaining == 0 && refused.seconds == 1)
        #expect(refused.nanoseconds == Self.second / 5)
        // What is refused costs nothing.
        #expect(use.take(of: budget, at: start + refused.nanoseconds).isGranted)
        #expect(!use.take(of: budget, at: start + refused.nanoseconds).isGranted)
        #expect(use.take(of: budget, at: start + 10 * Self.second).remaining == 9)
    }

    @Test func aClockThatLagsGrantsNothingMore() throws {
        let budget = try #require(RequestBudget(requestsPerSecond: 1, burst: 2))
        let use = TokenUse()
        #expect(use.take(of: budget, at: 10 * Self.second).remaining == 1)
        #expect(use.take(of: budget, at: 9 * Self.second).isGranted == false)
    }

    @Test(arguments: [(1, 1), (1_000_000, 10_000_000), (3, 7)])
    func anyLimitsCanBeCounted(_ rate: Int, _ burst: Int) throws {
        let budget = try #require(RequestBudget(requestsPerSecond: rate, burst: burst))
        let standing = TokenUse().take(of: budget, at: .max / 2)
        #expect(standing.isGranted && standing.remaining == UInt64(burst - 1))
    }

    @Test func zeroIsNoLimit() { #expect(RequestBudget(requestsPerSecond: 0, burst: 1) == nil) }

    @Test func twoThreadsShareABudget() throws {
        let budget = try #require(RequestBudget(requestsPerSecond: 1, burst: 10_000))
        let use = TokenUse()
        let granted = Lock(0)
        let threads = (0..<4).map { index in
            NamedThread("taker-\(index)") {
                var count = 0
                for _ in 0..<5000 where use.take(of: budget, at: 1).isGranted { count += 1 }
                granted.withLock { $0 += count }
            }
        }
        for thread in threads { thread.join() }
        #expect(granted.withLock { $0 } == 10_000)
    }
}

@Suite struct TokenThrottleTests {
    private let time = ManualTime()
    private let here = LoginSource(addressOctets: [192, 0, 2, 1])
    private let neighbour = LoginSource(addressOctets: [192, 0, 2, 200])
    private let elsewhere = LoginSource(addressOctets: [198, 51, 100, 1])

    @Test func failuresAreAnsweredLaterAndLater() {
        let throttle = TokenThrottle(clock: time.clock)
        #expect((0..<9).map { _ in throttle.failed(here) } == [0, 0, 0, 100, 200, 400, 800, 1600, 3000])
        #expect(throttle.failed(elsewhere) == 0)
    }

    @Test func afterTooManyANetworkWaits() {
        let throttle = TokenThrottle(clock: time.clock, failuresPerSource: 5)
        for _ in 0..<5 {
            #expect(throttle.retryAfterSeconds(here) == nil)
            _ = throttle.failed(here)
        }
        #expect(throttle.retryAfterSeconds(neighbour) == 5)
        #expect(throttle.retryAfterSeconds(elsewhere) == nil)
        time.advance(milliseconds: 5000)
        #expect(throttle.retryAfterSeconds(here) == nil)
    }
}
