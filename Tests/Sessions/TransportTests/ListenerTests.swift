// SPDX-License-Identifier: Apache-2.0

import Glibc
import Runtime
import Sockets
import Testing
import Wire

@testable import Transport

@Suite struct ListenerTests {
    @Test func servesTwoThousandIdleConnections() async throws {
        let count = 2000
        let fixture = try Fixture(handler: echo)
        let (open, mismatches) = try await fixture.run { loop, fixture in
            var connections: [Connection] = []
            for _ in 0..<count { connections.append(try await fixture.connect(loop)) }
            var mismatches = 0
            for (number, connection) in connections.enumerated() { try await connection.send("\(number % 10)") }
            for (number, connection) in connections.enumerated() {
                if try await connection.receive(1) != Array("\(number % 10)".utf8) { mismatches += 1 }
            }
            let open = fixture.listener.counts.open
            for connection in connections { connection.close() }
            return (open, mismatches)
        }
        #expect(open == count)
        #expect(mismatches == 0)
        #expect(fixture.listener.counts == .init(open: 0, accepted: UInt64(count)))
    }

    @Test func allLoopsServe() async throws {
        let seen = Lock<[Int: Int]>([:])
        let fixture = try Fixture(loops: 3) { connection in
            let index = connection.loop.index
            precondition(EventLoop.current?.index == index)
            seen.withLock { $0[index, default: 0] += 1 }
            await echo(connection)
        }
        try await fixture.run { loop, fixture in
            var connections: [Connection] = []
            for _ in 0..<90 {
                let connection = try await fixture.connect(loop)
                try await connection.send("x")
                _ = try await connection.receive(1)
                connections.append(connection)
            }
            for connection in connections { connection.close() }
        }
        // One loop may have so many connections more than another as is tolerated, and one.
        let counts = seen.withLock { $0 }
        #expect(counts.count == 3)
        #expect((counts.values.max() ?? 0) - (counts.values.min() ?? 0) <= 9)
    }

    @Test func aClientsConnectionsAreLimited() async throws {
        let configuration = Listener.Configuration(
            maximumPerClient: 3,
            isExempt: { _ in false },
            refusal: Array("421 too many\r\n".utf8)
        )
        let fixture = try Fixture(configuration: configuration, handler: echo)
        let (refusal, afterwards) = try await fixture.run { loop, fixture in
            var connections: [Connection] = []
            for _ in 0..<3 {
                let connection = try await fixture.connect(loop)
                try await connection.send("x")
                _ = try await connection.receive(1)
                connections.append(connection)
            }
            let fourth = try await fixture.connect(loop)
            let refusal = try await fourth.receiveAll()
            fourth.close()
            connections[0].close()
            while fixture.listener.counts.open > 2 { try await loop.sleep(milliseconds: 5) }
            let next = try await fixture.connect(loop)
            try await next.send("y")
            let afterwards = try await next.receive(1)
            for connection in connections + [next] { connection.close() }
            return (refusal, afterwards)
        }
        #expect(refusal == Array("421 too many\r\n".utf8))
        #expect(afterwards == Array("y".utf8))
        #expect(fixture.listener.counts.refused == 1)
    }

    @Test func allConnectionsTogetherAreLimited() async throws {
        let fixture = try Fixture(configuration: .init(maximumConnections: 2), handler: echo)
        let refusal = try await fixture.run { loop, fixture in
            let first = try await fixture.connect(loop)
            let second = try await fixture.connect(loop)
            for connection in [first, second] {
                try await connection.send("x")
                _ = try await connection.receive(1)
            }
            let third = try await fixture.connect(loop)
            let refusal = try await third.receiveAll()
            for connection in [first, second, third] { connection.close() }
            return refusal
        }
        #expect(refusal.isEmpty)
    }

    @Test func listenersShareABudget() async throws {
        let budget = ConnectionBudget(limit: 2)
        let refused = Lock<[Listener.Refusal]>([])
        let configuration = Listener.Configuration(
            budget: budget,
            refusal: Array("503".utf8),
            onRefusal: { reason, _ in refused.withLock { $0.append(reason) } }
        )
        let (one, other) = (
            try Fixture(configuration: configuration, handler: echo),
            try Fixture(configuration: configuration, handler: echo)
        )
        try await one.run { loop, fixture in
            var connections: [Connection] = []
            for place in [fixture, other] {
                let connection = try await place.connect(loop)
                try await connection.send("x")
                _ = try await connection.receive(1)
                connections.append(connection)
            }
            #expect(budget.isExhausted)
            let third = try await fixture.connect(loop)
            let words = try await third.receiveAll()
            #expect(words == Array("503".utf8))
            connections[1].close()
            while budget.open > 1 { try await loop.sleep(milliseconds: 5) }
            let next = try await fixture.connect(loop)
            try await next.send("y")
            let answer = try await next.receive(1)
            #expect(answer == Array("y".utf8))
            for connection in [connections[0], third, next] { connection.close() }
        }
        #expect(refused.withLock { $0 } == [.serverFull])
        try await other.run { _, _ in }
    }

    @Test func limitsCanChangeWhileItServes() async throws {
        let fixture = try Fixture(configuration: .init(maximumConnections: 0), handler: echo)
        let (before, after) = try await fixture.run { loop, fixture in
            let first = try await fixture.connect(loop)
            let before = try await first.receiveAll()
            fixture.listener.setLimits(maximumConnections: 1, maximumPerClient: 1)
            let second = try await fixture.connect(loop)
            try await second.send("x")
            let after = try await second.receive(1)
            for connection in [first, second] { connection.close() }
            return (before, after)
        }
        #expect(before.isEmpty)
        #expect(after == Array("x".utf8))
    }

    @Test func theUnixDomainServesToo() async throws {
        let path = "/tmp/postern-test-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
        let fixture = try Fixture(address: .unix(path: path), handler: echo)
        let octets = pattern(500_000)
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            defer { connection.close() }
            return try await connection.exchange(octets)
        }
        #expect(received == octets)
    }

    @Test func drainingWakesTheIdleAndWaitsForTheBusy() async throws {
        let log = Lock<[String]>([])
        let group = try EventLoopGroup(count: 2)
        let listener = try Listener.bind(.loopback(port: 0), loops: group.loops) { connection in
            while let hasInput = try? await connection.idle(), hasInput {
                var buffer = ByteBuffer()
                guard let count = try? await connection.read(into: &buffer), count > 0 else { return }
                try? await connection.loop.sleep(milliseconds: 150)
                let isTold = connection.isDraining
                log.withLock { $0.append(isTold ? "told" : "not told") }
                guard (try? await connection.write(&buffer)) != nil else { return }
            }
            log.withLock { $0.append("ended") }
        }
        let loop = group.loops[0]
        let replies = try await Task(executorPreference: loop) {
            let idle = try await Connection.connect(to: listener.localAddress, on: loop, milliseconds: 5000)
            let busy = try await Connection.connect(to: listener.localAddress, on: loop, milliseconds: 5000)
            try await busy.send("work")
            while listener.counts.open < 2 { try await loop.sleep(milliseconds: 5) }
            try await loop.sleep(milliseconds: 30)
            let isOrderly = await listener.drain(milliseconds: 10_000)
            #expect(isOrderly)
            #expect(listener.counts.open == 0)
            let replies = [try await idle.receiveAll(), try await busy.receiveAll()]
            idle.close()
            busy.close()
            let late = await error { () throws(IOError) in
                _ = try await Connection.connect(to: listener.localAddress, on: loop, milliseconds: 5000)
            }
            #expect(late == .errno(ECONNREFUSED))
            return replies
        }.value
        #expect(replies == [[], Array("work".utf8)])
        #expect(log.withLock { $0.sorted() } == ["ended", "ended", "told"])
        group.stop()
    }

    @Test func drainingCancelsWhoDoesNotEnd() async throws {
        let seen = Lock<[IOError?]>([])
        let group = try EventLoopGroup(count: 1)
        let listener = try Listener.bind(.loopback(port: 0), loops: group.loops) { connection in
            let found = await error { () throws(IOError) in try await connection.readable() }
            let isCancelled = Task.isCancelled
            seen.withLock { $0 = [found, isCancelled ? .cancelled : nil] }
        }
        let loop = group.loops[0]
        let isOrderly = try await Task(executorPreference: loop) {
            let connection = try await Connection.connect(to: listener.localAddress, on: loop, milliseconds: 5000)
            while listener.counts.open < 1 { try await loop.sleep(milliseconds: 5) }
            let isOrderly = await listener.drain(milliseconds: 30)
            // The cancelled handler's connection was closed.
            #expect(try await connection.receiveAll().isEmpty)
            connection.close()
            return isOrderly
        }.value
        #expect(!isOrderly)
        #expect(seen.withLock { $0 } == [.cancelled, .cancelled])
        group.stop()
    }
}
