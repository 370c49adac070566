// SPDX-License-Identifier: Apache-2.0

import Glibc
import Runtime
import Sockets
import Testing
import Wire

@testable import Transport

@Suite struct ConnectionTests {
    @Test(arguments: [1, 100, 16_384, 3_000_000]) func echoes(_ count: Int) async throws {
        let octets = pattern(count)
        let received = try await Fixture(handler: echo).run { loop, fixture in
            let connection = try await fixture.connect(loop)
            let received = try await connection.exchange(octets)
            connection.close()
            return received
        }
        #expect(received == octets)
    }

    @Test func manyRequestsOnOneConnection() async throws {
        let mismatches = try await Fixture(handler: echo).run { loop, fixture in
            let connection = try await fixture.connect(loop)
            var mismatches = 0
            for number in 0..<500 {
                try await connection.send("request \(number)\n")
                let expected = Array("request \(number)\n".utf8)
                if try await connection.receive(expected.count) != expected { mismatches += 1 }
            }
            connection.close()
            return mismatches
        }
        #expect(mismatches == 0)
    }

    @Test func headAndBodyArriveInOrderAtASlowReader() async throws {
        let body = pattern(4_000_000)
        let fixture = try Fixture { connection in
            var head = ByteBuffer(Array("head".utf8))
            var content = ByteBuffer(body)
            #expect((try? await connection.write(&head, &content)) != nil)
            #expect(head.isEmpty && content.isEmpty)
        }
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            try await loop.sleep(milliseconds: 50)
            var buffer = ByteBuffer()
            var count = 0
            while try await connection.read(into: &buffer) > 0 {
                count += 1
                if count % 16 == 0 { try await loop.sleep(milliseconds: 1) }
            }
            connection.close()
            return buffer.array()
        }
        #expect(received.prefix(4).elementsEqual("head".utf8))
        #expect(received.dropFirst(4).elementsEqual(body))
    }

    @Test func nothingIsHeldWhileIdle() async throws {
        let capacities = Lock<[Int]>([])
        let fixture = try Fixture(loops: 1) { connection in
            var buffer = ByteBuffer()
            connection.loop.schedule(afterMilliseconds: 1) { capacities.withLock { $0.append(-1) } }
            _ = try? await connection.readable()
            capacities.withLock { $0.append(buffer.capacity) }
            _ = try? await connection.read(into: &buffer)
            capacities.withLock { $0.append(buffer.capacity) }
        }
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            try await loop.sleep(milliseconds: 40)
            try await connection.send("x")
            _ = try await connection.receiveAll()
            connection.close()
        }
        let seen = capacities.withLock { $0 }
        #expect(seen.prefix(2) == [-1, 0])
        #expect((seen.last ?? 0) >= 4096)
    }

    @Test func aDeadlineEndsAReadAndANewOneLetsTheAnswerOut() async throws {
        let seen = Lock<[IOError?]>([])
        let fixture = try Fixture { connection in
            connection.setDeadline(milliseconds: 30)
            let first = await error { () throws(IOError) in try await connection.readable() }
            let again = await error { () throws(IOError) in try await connection.send("never") }
            connection.setDeadline(milliseconds: 10_000)
            let answer = await error { () throws(IOError) in try await connection.send("408") }
            seen.withLock { $0 = [first, again, answer] }
        }
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            defer { connection.close() }
            return try await connection.receiveAll()
        }
        #expect(seen.withLock { $0 } == [.timeout, .timeout, nil])
        #expect(received == Array("408".utf8))
    }

    @Test func aDeadlineEndsAWriteThatNobodyReads() async throws {
        let seen = Lock<IOError?>(nil)
        let fixture = try Fixture { connection in
            connection.setDeadline(milliseconds: 100)
            let found = await error { () throws(IOError) in try await connection.send(pattern(30_000_000)) }
            seen.withLock { $0 = found }
        }
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            while seen.withLock({ $0 }) == nil { try await loop.sleep(milliseconds: 10) }
            connection.close()
        }
        #expect(seen.withLock { $0 } == .timeout)
    }

    @Test func anEarlierDeadlineReplacesALaterOne() async throws {
        let seen = Lock<IOError?>(nil)
        let fixture = try Fixture { connection in
            connection.setDeadline(milliseconds: 3_600_000)
            connection.setDeadline(milliseconds: 20)
            let found = await error { () throws(IOError) in try await connection.readable() }
            seen.withLock { $0 = found }
        }
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            _ = try await connection.receiveAll()
            connection.close()
        }
        #expect(seen.withLock { $0 } == .timeout)
    }

    @Test func aPutOffDeadlineDoesNotFire() async throws {
        let fixture = try Fixture { connection in
            for _ in 0..<5 {
                connection.setDeadline(milliseconds: 200)
                try? await connection.loop.sleep(milliseconds: 60)
            }
            connection.setDeadline(milliseconds: nil)
            try? await connection.loop.sleep(milliseconds: 260)
            _ = await error { () throws(IOError) in try await connection.send("alive") }
        }
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            defer { connection.close() }
            return try await connection.receiveAll()
        }
        #expect(received == Array("alive".utf8))
    }

    @Test func thePeersCloseIsSeenWithoutReading() async throws {
        let seen = Lock<[Bool]>([])
        let fixture = try Fixture { connection in
            let before = connection.hasPeerClosed
            await withUnsafeContinuation { continuation in
                connection.onInterruption { continuation.resume() }
            }
            let after = connection.hasPeerClosed
            seen.withLock { $0 = [before, after] }
        }
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            try await loop.sleep(milliseconds: 20)
            connection.close()
            while seen.withLock({ $0.isEmpty }) { try await loop.sleep(milliseconds: 5) }
        }
        #expect(seen.withLock { $0 } == [false, true])
    }

    @Test func aClientThatEndsItsSideStillGetsTheAnswer() async throws {
        let fixture = try Fixture { connection in
            var all = ByteBuffer()
            while let count = try? await connection.read(into: &all), count > 0 {}
            _ = await error { () throws(IOError) in try await connection.write(&all) }
        }
        let octets = pattern(100_000)
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            defer { connection.close() }
            try await connection.send(octets)
            connection.shutdownWrite()
            return try await connection.receiveAll()
        }
        #expect(received == octets)
    }

    /// A plain close with unread input sends a reset, which overtakes the answer; a lingering one does not.
    @Test func aLastAnswerIsNotLostToAReset() async throws {
        let fixture = try Fixture { connection in
            _ = try? await connection.readable()
            _ = await error { () throws(IOError) in try await connection.send("413") }
            await connection.closeLingering(milliseconds: 20_000)
        }
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            defer { connection.close() }
            for _ in 0..<8 {
                // A reset would end this with an error, and the reading below too.
                try await connection.send(pattern(16_384))
                try await loop.sleep(milliseconds: 10)
            }
            connection.shutdownWrite()
            return try await connection.receiveAll()
        }
        #expect(received == Array("413".utf8))
    }

    @Test func aClosedConnectionThrowsAndClosesAgainForNothing() async throws {
        let fixture = try Fixture(handler: echo)
        let errors = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            connection.close()
            connection.close()
            await connection.closeLingering()
            // Nothing may remember it: it is gone when its time comes.
            connection.setDeadline(milliseconds: 1)
            var buffer = ByteBuffer()
            let reading = await error { () throws(IOError) in _ = try await connection.read(into: &buffer) }
            let writing = await error { () throws(IOError) in try await connection.send("x") }
            return [reading, writing]
        }
        #expect(errors == [.closed, .closed])
    }

    @Test func closingWakesWhoeverReads() async throws {
        let found = try await Fixture(handler: echo).run { loop, fixture in
            let connection = try await fixture.connect(loop)
            let socket = connection.socket
            async let reading = error { () throws(IOError) in try await socket.readable() }
            try await loop.sleep(milliseconds: 10)
            connection.close()
            return await reading
        }
        #expect(found == .closed)
    }

    @Test func refusedConnectionsSayWhy() async throws {
        let found = try await Fixture(handler: echo).run { loop, fixture in
            let free = try ListeningSocket(.loopback(port: 0))
            let address = free.localAddress
            await free.stop()
            return await error { () throws(IOError) in
                _ = try await Connection.connect(to: address, on: loop, milliseconds: 5000)
            }
        }
        #expect(found == .errno(ECONNREFUSED))
    }
}

@Suite struct BufferPoolTests {
    @Test func givesBackWhatWasGiven() async throws {
        let group = try EventLoopGroup(count: 1)
        let loop = group.loops[0]
        let counts = await loop.run { () -> [Int] in
            var counts: [Int] = []
            var buffer = loop.takeBuffer()
            buffer.append([UInt8](repeating: 1, count: 30_000))
            let grown = buffer.capacity
            loop.giveBuffer(buffer)
            let again = loop.takeBuffer()
            counts += [again.count, again.capacity - grown]
            loop.giveBuffer(ByteBuffer(capacity: 1 << 20))
            loop.giveBuffer(ByteBuffer())
            counts.append(loop.takeBuffer().capacity)
            for _ in 0..<200 { loop.giveBuffer(ByteBuffer(capacity: 8192)) }
            for _ in 0..<200 { counts[0] += loop.takeBuffer().count }
            return counts
        }
        #expect(counts == [0, 0, 16_384])
        group.stop()
    }
}
