// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Runtime

@Suite struct BlockingPoolTests {
    private struct Trouble: Error {}

    @Test func everyJobRunsOnceAndGivesItsResult() async throws {
        let pool = BlockingPool(name: "test", threads: 3)
        let results = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<200 { group.addTask { try await pool.run { number * number } } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(results == Set((0..<200).map { $0 * $0 }))
        await #expect(throws: Trouble.self) { try await pool.run { throw Trouble() } }
        pool.stop()
    }

    @Test func whatIsTooMuchOrTooLateIsRefused() async throws {
        let pool = BlockingPool(name: "test", threads: 1, capacity: 0)
        await #expect(throws: BlockingPool.Refused.self) { try await pool.run {} }
        let stopped = BlockingPool(name: "test", threads: 1)
        stopped.stop()
        await #expect(throws: BlockingPool.Refused.self) { try await stopped.run {} }
    }
}

@Suite struct MonitorTests {
    @Test func aWaiterSeesWhatItWaitedFor() {
        let monitor = Monitor(0)
        let seen = Lock(0)
        let waiter = NamedThread("waiter") {
            let value = monitor.wait { $0 >= 100 ? $0 : nil }
            seen.withLock { $0 = value ?? -1 }
        }
        for _ in 0..<100 { monitor.signal { $0 += 1 } }
        waiter.join()
        #expect(seen.withLock { $0 } == 100)
        #expect(monitor.withLock { $0 } == 100)
    }

    @Test func aWaitMayEndWithoutIt() {
        #expect(Monitor(false).wait(timeoutMilliseconds: 20) { $0 ? true : nil } == nil)
    }

    @Test func aLockLetsOneInAtATime() {
        let count = Lock(0)
        let threads = (0..<4).map { index in
            NamedThread("count-\(index)") { for _ in 0..<10_000 { count.withLock { $0 += 1 } } }
        }
        for thread in threads { thread.join() }
        #expect(count.withLock { $0 } == 40_000)
    }
}
