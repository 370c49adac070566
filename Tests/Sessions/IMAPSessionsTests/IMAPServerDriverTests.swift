// SPDX-License-Identifier: Apache-2.0

import Crypto
import IMAP
import MailTypes
import Resolver
import Runtime
import SASL
import SessionSupport
import Sockets
import TLS
import Testing
import Transport
import Wire

@testable import IMAPSessions

/// Our client's sessions with our server's driver, and single lines where it matters what is sent.
@Suite struct IMAPServerDriverTests {
    @Test(arguments: [false, true]) func ourClientsSession(isCompressed: Bool) async throws {
        let server = try DrivenServer()
        let message = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 % 251 | 1) }
        try await server.run {
            let session = try await server.open(isCompressed: isCompressed)
            #expect(session.isTLS && session.isCompressed == isCompressed)
            _ = try await session.select(.inbox)
            let appended = try await session.append(IMAPAppend(.inbox, octets: 300_000)) { octets in
                octets.append(message)
                return false
            }
            #expect(appended == IMAPAppended(uidValidity: 7, uid: 1))
            var received: [UInt8] = []
            let isFound = try await session.stream(IMAPSection(), of: 1) { received += $0 }
            #expect(isFound && received == message)
            await session.logout()
        }
        let mailbox = server.mailbox
        #expect(mailbox.withLock { $0.largestPiece } <= 64 << 10)
        #expect(mailbox.withLock { $0.endings } == 1)
    }

    @Test func newsInIDLEIsToldWhenSomebodyHasIt() async throws {
        let server = try DrivenServer()
        try await server.run {
            let session = try await server.open()
            _ = try await session.select(.inbox)
            var told: [IMAPUpdate] = []
            try await session.idle { update in
                told.append(update)
                // The server's own loop is this one.
                server.mailbox.withLock { $0.exists = told.count + 5 }
                server.wake()
                return told.count < 3
            }
            #expect(told == [.exists(3), .exists(6), .exists(7)])
            try await session.noop()
            await session.logout()
        }
        #expect(server.mailbox.withLock { $0.idles } == [true, false])
    }

    @Test func whoWritesFasterThanTheClientReadsIsHeldBack() async throws {
        let server = try DrivenServer()
        server.mailbox.withLock { $0.kept = [UInt8](repeating: 0x78, count: 20_000_000) }
        try await server.run {
            let session = try await server.open()
            _ = try await session.select(.inbox)
            var count = 0
            _ = try await session.stream(IMAPSection(), of: 1) { octets in
                count += octets.count
                await Task.yield()
            }
            #expect(count == 20_000_000)
            await session.logout()
        }
        #expect(server.mailbox.withLock { $0.largestOutput } <= 128 << 10)
    }

    @Test func aClientThatSaysNothingIsToldSo() async throws {
        var patience = IMAPServerPatience()
        patience.idleMillisecondsBeforeLogin = 20
        let server = try DrivenServer(patience)
        let lines = try await server.run {
            let connection = try await server.connect()
            var received = ByteBuffer()
            while try await connection.read(into: &received) > 0 {}
            connection.close()
            return received.array().split(separator: 10)
        }
        #expect(lines.count == 2)
        #expect(lines.last.map { String(decoding: $0, as: UTF8.self) } == "* BYE Nothing came for too long\r")
        #expect(server.mailbox.withLock { $0.endings } == 1)
    }

    @Test func aMessageThatDoesNotComeToItsEndIsGivenUp() async throws {
        let server = try DrivenServer()
        try await server.run {
            let connection = try await server.connect(isTLS: true)
            var octets = ByteBuffer(Array("a LOGIN u1 pw\r\nb APPEND x {10+}\r\nabc".utf8))
            try await connection.write(&octets)
            connection.shutdownWrite()
            var received = ByteBuffer()
            while (try? await connection.read(into: &received)) ?? 0 > 0 {}
            connection.close()
        }
        #expect(server.mailbox.withLock { $0.aborted } == 1)
        #expect(server.mailbox.withLock { $0.kept } == [])
    }

    @Test func aStoppingServerSaysGoodbyeToIDLE() async throws {
        let server = try DrivenServer()
        try await server.run {
            let session = try await server.open()
            _ = try await session.select(.inbox)
            await #expect(throws: (any Error).self) {
                try await session.idle { _ in
                    server.drain()
                    return true
                }
            }
        }
        #expect(server.mailbox.withLock { $0.idles } == [true, false])
    }

    @Test func nothingInTheClearSurvivesSTARTTLS() async throws {
        let server = try DrivenServer()
        let text = try await server.run {
            let connection = try await server.connect()
            var octets = ByteBuffer(Array("a STARTTLS\r\nb LOGIN u1 pw\r\n".utf8))
            try await connection.write(&octets)
            var received = ByteBuffer()
            while try await connection.read(into: &received) > 0 {}
            connection.close()
            return received.bytes.repairedUTF8String()
        }
        #expect(!text.contains("a OK") && !text.contains("b OK"))
    }
}

/// One mailbox for all connections: the message that was appended last, under TLS with STARTTLS.
private final class DrivenServer: Sendable {
    struct Mailbox: Sendable {
        var kept: [UInt8] = []
        var exists = 3
        var idles: [Bool] = []
        var largestPiece = 0
        var largestOutput = 0
        var aborted = 0
        var endings = 0
        var sockets: [StreamSocket] = []
    }

    let mailbox = Lock(Mailbox())
    let group: EventLoopGroup
    private let listener: Listener
    private let implicit: Listener
    private let resolver: NameResolver
    private let dialer: Dialer
    private let pool = BlockingPool(name: "kdf", threads: 1)
    private let trust: TLSClientContext

    init(_ patience: IMAPServerPatience = IMAPServerPatience()) throws {
        group = try EventLoopGroup(count: 1)
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["127.0.0.1"])
        let tls = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        trust = try TLSClientContext(trustedCertificatesPEM: certificate)
        resolver = NameResolver(ResolverConfiguration(), loops: group.loops)
        dialer = try Dialer.loopback(resolver, trusting: certificate)
        let mailbox = mailbox
        let serve: Listener.Handler = { connection in
            mailbox.withLock { $0.sockets.append(connection.socket) }
            await IMAPServerDriver(
                connection: connection,
                configuration: IMAPServerConfiguration(
                    hostName: "127.0.0.1",
                    offersStartTLS: true,
                    capabilities: [.uidPlus, .namespace],
                    appendLimit: 1 << 20
                ),
                patience: patience,
                tls: tls,
                clock: .system,
                delegate: Delegate(mailbox),
                isOverloaded: { false }
            ).run()
        }
        listener = try Listener.bind(.loopback(port: 0), loops: group.loops, handler: serve)
        implicit = try Listener.bind(.loopback(port: 0), loops: group.loops, tls: tls, handler: serve)
    }

    func run<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let result = await Task(executorPreference: group.loops[0]) { try await body() }.result
        await listener.drain(milliseconds: 5000)
        await implicit.drain(milliseconds: 5000)
        await resolver.stop()
        group.stop()
        pool.stop()
        return try result.get()
    }

    func open(isCompressed: Bool = false) async throws -> IMAPClientSession {
        var route = IMAPClientRoute(
            server: ServerEndpoint(host: "127.0.0.1", port: listener.localAddress.port ?? 0, security: .startTLS),
            credentials: SASLClientCredentials(
                authenticationID: Array("u1".utf8),
                proof: .password(Secret(Array("pw".utf8)))
            )
        )
        route.usesCompression = isCompressed
        return try await IMAPClientSession.open(route, dialer: dialer, pool: pool)
    }

    func connect(isTLS: Bool = false) async throws -> Connection {
        let address = isTLS ? implicit.localAddress : listener.localAddress
        let connection = try await Connection.connect(to: address, on: group.loops[0], milliseconds: 10_000)
        connection.setDeadline(milliseconds: 30_000)
        if isTLS { try await connection.startTLS(trust, serverName: "127.0.0.1", unread: ByteBuffer()) }
        return connection
    }

    /// Has all connections look whether there is news.
    func wake() { for socket in mailbox.withLock({ $0.sockets }) { socket.loop.post { socket.wake() } } }
    func drain() { for socket in mailbox.withLock({ $0.sockets }) { socket.loop.post { socket.drain() } } }

    private final class Delegate: IMAPServerDelegate {
        private let mailbox: Lock<Mailbox>
        private var message: [UInt8] = []

        init(_ mailbox: Lock<Mailbox>) { self.mailbox = mailbox }

        func authenticate(_ credentials: SASLCredentials, _ session: IMAPServerSession) async -> IMAPLoginVerdict {
            credentials.password.withOctets { $0 == Array("pw".utf8) } ? .accept : .refuse
        }

        func perform(
            _ command: IMAPCommand,
            tag: [UInt8],
            _ session: IMAPServerSession,
            _ responses: IMAPServerResponses
        ) async throws -> IMAPStatus {
            switch command {
            case .select:
                responses.write(.flags(IMAPFlags()))
                responses.write(.exists(3))
                responses.write(.status(IMAPStatus(.ok, .uidValidity(7), "UIDs valid")))
                responses.write(.status(IMAPStatus(.ok, .uidNext(9), "Next")))
                return IMAPStatus(.ok, .readWrite, "Selected")
            case .fetch(let request): try await fetch(request, responses)
            case .namespace: responses.write(.namespace(IMAPNamespaces()))
            default: break
            }
            return IMAPStatus(.ok, nil, "Done")
        }

        private func fetch(_ request: IMAPFetchRequest, _ responses: IMAPServerResponses) async throws {
            let octets = mailbox.withLock { $0.kept }
            responses.encoder.beginFetch(1)
            responses.encoder.item(.uid(1))
            responses.encoder.beginSection(IMAPSection(), octets: UInt64(octets.count))
            var rest = octets[...]
            while !rest.isEmpty {
                responses.encoder.octets(Array(rest.prefix(60_000)).span)
                rest = rest.dropFirst(60_000)
                let written = responses.encoder.output.count
                mailbox.withLock { $0.largestOutput = max($0.largestOutput, written) }
                try await responses.relieve()
            }
            responses.encoder.endFetch()
        }

        func enabled(_ session: IMAPServerSession) {}

        func appendBegins(_ append: IMAPAppend, number: Int, _ session: IMAPServerSession) async -> IMAPStatus? {
            message = []
            return nil
        }

        func append(_ octets: inout ByteBuffer) async -> IMAPStatus? {
            let piece = octets.array()
            mailbox.withLock { $0.largestPiece = max($0.largestPiece, piece.count) }
            message += piece
            return nil
        }

        func appendEnds(_ session: IMAPServerSession, _ responses: IMAPServerResponses) async throws -> IMAPStatus {
            let message = message
            mailbox.withLock { $0.kept = message }
            return IMAPStatus(.ok, .appendUID(validity: 7, uids: IMAPNumberSet(1...1)), "Kept")
        }

        func appendAborted() { mailbox.withLock { $0.aborted += 1 } }
        func idling(_ isIdle: Bool) { mailbox.withLock { $0.idles.append(isIdle) } }

        func update(_ session: IMAPServerSession, _ responses: IMAPServerResponses) async throws {
            responses.write(.exists(UInt32(mailbox.withLock { $0.exists })))
        }

        func replied(_ record: IMAPServerRecord) {}
        func sessionEnded() { mailbox.withLock { $0.endings += 1 } }
    }
}
