// SPDX-License-Identifier: Apache-2.0

import Glibc
import Runtime
import Testing

@testable import Sockets

/// Runs `body` as a task of a fresh loop.
func withLoop<R: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> R) async throws -> R {
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let loop = group.loops[0]
    return try await Task(executorPreference: loop) { try await body(loop) }.value
}

@Suite struct EventLoopTests {
    @Test func aTaskStaysOnItsLoop() async throws {
        let strayed = try await withLoop { loop in
            var strayed = 0
            for turn in 0..<1000 {
                await Task.yield()
                if !loop.isCurrent || EventLoop.current !== loop { strayed += 1 }
                let value = await withUnsafeContinuation { (continuation: UnsafeContinuation<Int, Never>) in
                    NamedThread("other") { continuation.resume(returning: turn) }.join()
                }
                if value != turn || !loop.isCurrent { strayed += 1 }
                async let child = loop.isCurrent
                if await !child { strayed += 1 }
            }
            return strayed
        }
        #expect(strayed == 0)
        #expect(EventLoop.current == nil)
    }

    @Test func postedWorkRunsOnTheLoopInOrder() async throws {
        let group = try EventLoopGroup(count: 1)
        let loop = group.loops[0]
        let seen = Lock<[Int]>([])
        for number in 0..<1000 {
            loop.post {
                precondition(loop.isCurrent)
                seen.withLock { $0.append(number) }
            }
        }
        #expect(await loop.run { loop.isCurrent })
        #expect(seen.withLock { $0 } == Array(0..<1000))
        group.stop()
    }

    @Test func manyThreadsCanPost() async throws {
        let group = try EventLoopGroup(count: 2)
        let count = Lock(0)
        let threads = (0..<4).map { _ in
            NamedThread("poster") {
                for _ in 0..<2000 { group.next().post { count.withLock { $0 += 1 } } }
            }
        }
        for thread in threads { thread.join() }
        group.stop()
        #expect(count.withLock { $0 } == 8000)
    }

    @Test func sleepTakesAtLeastItsTime() async throws {
        let elapsed = try await withLoop { loop in
            let start = Clock.system.monotonic()
            try await loop.sleep(milliseconds: 30)
            return Clock.system.monotonic() - start
        }
        // The loop's time is that of the turn in which the sleep began.
        #expect(elapsed >= 25_000_000)
    }

    @Test func aCancelledSleepEnds() async throws {
        let group = try EventLoopGroup(count: 1)
        let loop = group.loops[0]
        let task = Task(executorPreference: loop) { () async -> IOError? in
            do throws(IOError) {
                try await loop.sleep(milliseconds: 3_600_000)
                return nil
            } catch {
                return error
            }
        }
        await loop.run {}
        task.cancel()
        #expect(await task.value == .cancelled)
        group.stop()
    }

    @Test func aTimerRunsOnceUnlessCancelled() async throws {
        let calls = try await withLoop { loop in
            let calls = Lock<[String]>([])
            let note = { @Sendable (name: String) in calls.withLock { $0.append(name) } }
            loop.schedule(afterMilliseconds: 40) { note("late") }
            loop.schedule(afterMilliseconds: 1) { note("early") }
            let cancelled = loop.schedule(afterMilliseconds: 10) { note("cancelled") }
            cancelled.cancel()
            cancelled.cancel()
            try await loop.sleep(milliseconds: 80)
            return calls.withLock { $0 }
        }
        #expect(calls == ["early", "late"])
    }

    @Test func eachLoopHasItsOwnLocalValue() async throws {
        final class Box: Sendable {
            let index: Int
            init(_ index: Int) { self.index = index }
        }
        let made = Lock(0)
        let local = LoopLocal { loop in
            made.withLock { $0 += 1 }
            return Box(loop.index)
        }
        let group = try EventLoopGroup(count: 2)
        for _ in 0..<3 {
            for loop in group.loops { #expect(await loop.run { local[loop].index } == loop.index) }
        }
        #expect(made.withLock { $0 } == 2)
        group.stop()
    }

    @Test func aWatchTellsOfReadinessUntilCancelled() async throws {
        let seen = try await withLoop { loop in
            var ends: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            let (ours, theirs) = (ends[0], ends[1])
            defer {
                close(ours)
                close(theirs)
            }
            let seen = Lock<[UInt8]>([])
            let watch = try loop.watch(ours, .read) { readiness in
                var octet: UInt8 = 0
                guard readiness.contains(.read), read(ours, &octet, 1) == 1 else { return }
                seen.withLock { $0.append(octet) }
            }
            write(theirs, [7, 8, 9] as [UInt8], 3)
            while seen.withLock({ $0.count }) < 3 { try await loop.sleep(milliseconds: 5) }
            watch.cancel()
            watch.cancel()
            write(theirs, [10] as [UInt8], 1)
            try await loop.sleep(milliseconds: 20)
            return seen.withLock { $0 }
        }
        // Level-triggered: one octet is taken at a time, and the rest is told again.
        #expect(seen == [7, 8, 9])
    }
}
