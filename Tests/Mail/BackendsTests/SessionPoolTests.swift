// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import Testing

@testable import Backends

private final class FakeSession: PooledSession {
    let number: Int
    var isUsable = true
    let ends: Lock<[String]>

    init(_ number: Int, _ ends: Lock<[String]>) {
        self.number = number
        self.ends = ends
    }

    func dismiss() { ends.withLock { $0.append("dismissed \(number)") } }
    func close() { ends.withLock { $0.append("closed \(number)") } }
}

private struct NotNow: Error {}

@Suite struct SessionPoolTests {
    private typealias Pool = SessionPool<FakeSession, NotNow>

    private static func run<R: Sendable>(
        idleMilliseconds: Int = 30_000,
        failing: Bool = false,
        perHost: Int = 20,
        _ body: @escaping @Sendable (LoopBound<Pool>, HostLedger, Lock<[String]>) async throws -> R
    ) async throws -> R {
        let group = try EventLoopGroup(count: 1)
        let loop = group.loops[0]
        let result = await Task(executorPreference: loop) { () async throws -> R in
            let ends = Lock<[String]>([])
            let made = Lock(0)
            var hostLimits = HostLedger.Limits()
            hostLimits.connectionsPerHost = perHost
            let ledger = HostLedger(hostLimits, clock: .system)
            var limits = Pool.Limits()
            limits.sessions = 2
            limits.idleMilliseconds = idleMilliseconds
            let pool = Pool(
                host: "a:25",
                limits: limits,
                ledger: ledger,
                on: loop,
                judge: { _ in (.unreachable, "not now") },
                make: { () async throws(NotNow) in
                    if failing { throw NotNow() }
                    return FakeSession(
                        made.withLock {
                            $0 += 1
                            return $0
                        },
                        ends
                    )
                }
            )
            return try await body(LoopBound(pool, to: loop), ledger, ends)
        }.result
        group.stop()
        return try result.get()
    }

    @Test func sessionsAreUsedAgain() async throws {
        try await Self.run { pool, ledger, _ in
            let first = try await pool.value.take()
            pool.value.give(first)
            #expect(try await pool.value.take().number == 1)
            #expect(try await pool.value.take().number == 2)
            await #expect(throws: PoolRefusal<NotNow>.self) { _ = try await pool.value.take().number }
            #expect(ledger.standing(of: "a:25").open == 2)
        }
    }

    @Test func brokenOnesAreNot() async throws {
        let ends = try await Self.run { pool, ledger, ends in
            let first = try await pool.value.take()
            pool.value.give(first)
            first.isUsable = false
            let second = try await pool.value.take()
            #expect(second.number == 2)
            pool.value.give(second, mayKeep: false)
            #expect(ledger.standing(of: "a:25").open == 0)
            return ends.withLock { $0 }
        }
        #expect(ends == ["closed 1", "closed 2"])
    }

    @Test func idleOnesEnd() async throws {
        let ends = try await Self.run(idleMilliseconds: 20) { pool, _, ends in
            pool.value.give(try await pool.value.take())
            while pool.value.count > 0 { try await pool.loop.sleep(milliseconds: 5) }
            return ends.withLock { $0 }
        }
        #expect(ends == ["dismissed 1"])
    }

    /// Another account waits for a place at the server: nobody sits on one.
    @Test func nobodyKeepsWhatOthersWant() async throws {
        try await Self.run(perHost: 1) { pool, ledger, _ in
            let session = try await pool.value.take()
            #expect(ledger.admit("a:25") == .full)
            pool.value.give(session)
            #expect(ledger.admit("a:25") == .granted)
        }
    }

    @Test func aFailureIsToldAndRemembered() async throws {
        try await Self.run(failing: true) { pool, ledger, _ in
            do {
                _ = try await pool.value.take().number
                Issue.record("a session was made")
            } catch let refusal as PoolRefusal<NotNow> {
                guard case .failed = refusal else {
                    Issue.record("\(refusal)")
                    return
                }
            }
            #expect(ledger.standing(of: "a:25").failures == 1)
            #expect(pool.value.count == 0)
        }
    }
}
