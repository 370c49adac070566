// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import TLS
import Testing
import Wire

@testable import Transport

@Suite struct TLSConnectionTests {
    private static func secure(
        _ loop: EventLoop,
        _ fixture: Fixture,
        _ client: TLSClientContext,
        _ name: String = "localhost"
    ) async throws(IOError) -> Connection {
        let connection = try await fixture.connect(loop)
        do throws(IOError) {
            try await connection.startTLS(client, serverName: name, unread: ByteBuffer())
        } catch {
            connection.close()
            throw error
        }
        return connection
    }

    @Test(arguments: [1, 16_384, 16_385, 3_000_000]) func echoes(_ count: Int) async throws {
        let identity = try Identity()
        let octets = pattern(count)
        let received = try await Fixture(tls: identity.server, handler: echo).run { loop, fixture in
            let connection = try await Self.secure(loop, fixture, identity.client)
            let received = try await connection.exchange(octets)
            connection.close()
            return received
        }
        #expect(received == octets)
    }

    @Test func manyRequestsOnOneConnection() async throws {
        let identity = try Identity()
        let mismatches = try await Fixture(tls: identity.server, handler: echo).run { loop, fixture in
            let connection = try await Self.secure(loop, fixture, identity.client)
            var mismatches = 0
            for number in 0..<300 {
                let expected = Array("request \(number)\n".utf8)
                try await connection.send(expected)
                if try await connection.receive(expected.count) != expected { mismatches += 1 }
            }
            connection.close()
            return mismatches
        }
        #expect(mismatches == 0)
    }

    @Test func headAndBodyArriveInOrderAtASlowReaderAndEndCleanly() async throws {
        let identity = try Identity()
        let body = pattern(2_000_000)
        let fixture = try Fixture(tls: identity.server) { connection in
            var head = ByteBuffer(Array("head".utf8))
            var content = ByteBuffer(body)
            #expect((try? await connection.write(&head, &content)) != nil)
        }
        let received = try await fixture.run { loop, fixture in
            let connection = try await Self.secure(loop, fixture, identity.client)
            try await loop.sleep(milliseconds: 50)
            // The end is told by close_notify: anything else throws.
            let received = try await connection.receiveAll()
            connection.close()
            return received
        }
        #expect(received.prefix(4).elementsEqual("head".utf8))
        #expect(received.dropFirst(4).elementsEqual(body))
    }

    @Test func theServerMustProveItsName() async throws {
        let identity = try Identity()
        let stranger = try Identity()
        let errors = try await Fixture(tls: identity.server, handler: echo).run { loop, fixture in
            var errors: [IOError?] = []
            for (client, name) in [
                (identity.client, "localhost"), (identity.client, "127.0.0.1"), (identity.client, "other.example"),
                (identity.client, "127.0.0.2"), (stranger.client, "localhost"),
            ] {
                errors.append(
                    await error { () throws(IOError) in try await Self.secure(loop, fixture, client, name).close() }
                )
            }
            return errors
        }
        #expect(errors[0] == nil && errors[1] == nil)
        for error in errors[2...] {
            guard case .certificate = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test func applicationProtocolsAreAgreedOn() async throws {
        let both = try Identity(applicationProtocols: ["http/1.1"], offering: ["h2", "http/1.1"])
        let agreed = try await Fixture(tls: both.server, handler: echo).run { loop, fixture in
            let connection = try await Self.secure(loop, fixture, both.client)
            defer { connection.close() }
            return [connection.applicationProtocol, connection.tlsVersion]
        }
        #expect(agreed == ["http/1.1", "TLSv1.3"])
        let none = try Identity(applicationProtocols: ["http/1.1"], offering: ["h2"])
        let found = try await Fixture(tls: none.server, handler: echo).run { loop, fixture in
            await error { () throws(IOError) in try await Self.secure(loop, fixture, none.client).close() }
        }
        #expect(found != nil)
    }

    @Test(arguments: [
        Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), Array("EHLO x\r\n".utf8), [0x16, 0x03, 0x01, 0xFF, 0xFF],
        [UInt8](repeating: 0, count: 5000), pattern(70_000),
    ])
    func whatIsNotTLSIsClosed(_ octets: [UInt8]) async throws {
        let identity = try Identity()
        let served = Lock(0)
        let fixture = try Fixture(tls: identity.server, configuration: .init(handshakeMilliseconds: 500)) { _ in
            served.withLock { $0 += 1 }
        }
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            _ = await error { () throws(IOError) in try await connection.send(octets) }
            // An alert may come; then the end, or a reset where input lay unread.
            _ = await error { () throws(IOError) in _ = try await connection.receiveAll() }
            connection.close()
            while fixture.listener.counts.open > 0 { try await loop.sleep(milliseconds: 5) }
        }
        #expect(served.withLock { $0 } == 0)
        #expect(fixture.listener.counts.failedHandshakes == 1)
    }

    @Test func aHandshakeHasADeadline() async throws {
        let identity = try Identity()
        let fixture = try Fixture(
            tls: identity.server,
            configuration: .init(handshakeMilliseconds: 50),
            handler: echo
        )
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            _ = try await connection.receiveAll()
            connection.close()
        }
        #expect(fixture.listener.counts.failedHandshakes == 1)
    }

    /// Reads a line in the clear, answers, and begins TLS: STARTTLS as SMTP and IMAP have it.
    private static func upgrading(
        _ identity: Identity,
        _ seen: Lock<IOError?>
    ) -> Listener.Handler {
        { connection in
            connection.setDeadline(milliseconds: 10_000)
            var buffer = ByteBuffer()
            while buffer.bytes.firstIndex(of: ASCII.lf) == nil {
                guard let count = try? await connection.read(into: &buffer), count > 0 else { return }
            }
            let length = (buffer.bytes.firstIndex(of: ASCII.lf) ?? 0) + 1
            buffer.consume(length)
            guard (try? await connection.send("220 go\n")) != nil else { return }
            let found = await error { () throws(IOError) in
                try await connection.startTLS(identity.server, unread: buffer)
            }
            seen.withLock { $0 = found }
            if found == nil { await echo(connection) }
        }
    }

    @Test func aConnectionCanBeUpgraded() async throws {
        let identity = try Identity()
        let seen = Lock<IOError?>(.closed)
        let fixture = try Fixture(handler: Self.upgrading(identity, seen))
        let received = try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            try await connection.send("STARTTLS\n")
            #expect(try await connection.receive(7) == Array("220 go\n".utf8))
            try await connection.startTLS(identity.client, serverName: "localhost", unread: ByteBuffer())
            try await connection.send("secret")
            let received = try await connection.receive(6)
            connection.close()
            return received
        }
        #expect(received == Array("secret".utf8))
        #expect(seen.withLock { $0 } == nil)
    }

    /// CVE-2011-0411: what came behind STARTTLS in the clear must not be taken for what came under TLS.
    @Test(arguments: ["STARTTLS\nRSET\n", "STARTTLS\nx"]) func octetsBehindStartTLSAreRefused(
        _ text: String
    ) async throws {
        let identity = try Identity()
        let seen = Lock<IOError?>(nil)
        let fixture = try Fixture(handler: Self.upgrading(identity, seen))
        try await fixture.run { loop, fixture in
            let connection = try await fixture.connect(loop)
            try await connection.send(text)
            _ = await error { () throws(IOError) in _ = try await connection.receiveAll() }
            connection.close()
        }
        #expect(seen.withLock { $0 } == .plaintextBeforeTLS)
    }

    @Test func aCutStreamIsNotAnEnd() async throws {
        let identity = try Identity()
        let seen = Lock<IOError?>(nil)
        let fixture = try Fixture(tls: identity.server) { connection in
            var buffer = ByteBuffer()
            let found = await error { () throws(IOError) in
                while try await connection.read(into: &buffer) > 0 {}
            }
            seen.withLock { $0 = found }
        }
        try await fixture.run { loop, fixture in
            let connection = try await Self.secure(loop, fixture, identity.client)
            try await connection.send("half")
            // Without close_notify.
            connection.socket.shutdownWrite()
            while seen.withLock({ $0 }) == nil { try await loop.sleep(milliseconds: 5) }
            connection.close()
        }
        #expect(seen.withLock { $0 } == .endOfStream)
    }

    @Test func drainingWakesAnIdleConnection() async throws {
        let identity = try Identity()
        let fixture = try Fixture(tls: identity.server, handler: echo)
        let received = try await fixture.run { loop, fixture in
            let connection = try await Self.secure(loop, fixture, identity.client)
            try await connection.send("x")
            _ = try await connection.receive(1)
            let isOrderly = await fixture.listener.drain(milliseconds: 10_000)
            #expect(isOrderly)
            let rest = try await connection.receiveAll()
            connection.close()
            return rest
        }
        #expect(received.isEmpty)
    }
}
