// SPDX-License-Identifier: Apache-2.0

import Egress
import Foundation
import IMAP
import Resolver
import Runtime
import SASL
import Sockets
import TLS
import TestSupport
import Transport
import Wire

@testable import IMAPSessions

/// One step of a server that does what a test wants, whatever the protocol says.
enum ServerStep: Sendable {
    /// Sends this, with CR LF behind it.
    case say(String)
    /// Sends exactly this.
    case sayRaw([UInt8])
    /// Reads a line and notes it.
    case hear
    /// Reads so many octets of whatever comes.
    case hearOctets(Int)
    /// Sends this again and again until the client goes.
    case flood(String)
    /// Sends an octet now and then until the client goes.
    case drip
    case startTLS
    /// Reads and says nothing until the client goes.
    case silence
    case close

    /// A session up to the login, with these capabilities.
    static func login(_ capabilities: String = "IMAP4rev1") -> [ServerStep] {
        [
            .say("* OK [CAPABILITY \(capabilities)] ready"), .hear,
            .say("A1 OK [CAPABILITY \(capabilities)] in"),
        ]
    }
}

/// A server with a script for each connection, and what a client needs to talk to it.
final class ScriptedServer: Sendable {
    let group: EventLoopGroup
    let listener: Listener
    let dialer: Dialer
    let pool = BlockingPool(name: "kdf", threads: 1)
    private let resolver: NameResolver
    private let heard = Lock<[String]>([])
    private let connections = Lock(0)

    init(_ scripts: [[ServerStep]], isTLS: Bool = false, isTrusted: Bool = true) throws {
        group = try EventLoopGroup(count: 1)
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["127.0.0.1"])
        let server = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        resolver = NameResolver(ResolverConfiguration(), loops: group.loops)
        dialer = try Dialer.loopback(resolver, trusting: isTrusted ? certificate : TestAuthority.authorityPEM)
        let heard = heard
        let connections = connections
        listener = try Listener.bind(.loopback(port: 0), loops: group.loops, tls: isTLS ? server : nil) { connection in
            let number = connections.withLock { count in
                defer { count += 1 }
                return count
            }
            guard number < scripts.count else { return }
            let actor = ScriptActor(connection, server)
            for step in scripts[number] {
                guard let line = try? await actor.perform(step) else { break }
                if !line.isEmpty { heard.withLock { $0.append(line) } }
            }
        }
    }

    /// What the server heard, line by line.
    var lines: [String] { heard.withLock { $0 } }

    func route(_ security: ServerEndpoint.Security = .none) -> IMAPClientRoute {
        IMAPClientRoute(
            server: ServerEndpoint(host: "127.0.0.1", port: listener.localAddress.port ?? 0, security: security),
            credentials: SASLClientCredentials(
                authenticationID: Array("u1".utf8),
                proof: .password(Secret(Array("pw".utf8)))
            )
        )
    }

    func open(
        _ security: ServerEndpoint.Security = .none,
        _ change: (inout IMAPClientPatience) -> Void = { _ in }
    ) async throws -> IMAPClientSession {
        var patience = IMAPClientPatience()
        change(&patience)
        return try await IMAPClientSession.open(route(security), dialer: dialer, patience: patience, pool: pool)
    }

    /// Runs `body` on the loop, and ends everything afterwards.
    func run<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let result = await Task(executorPreference: group.loops[0]) { try await body() }.result
        await listener.drain(milliseconds: 0)
        await resolver.stop()
        group.stop()
        pool.stop()
        return try result.get()
    }
}

extension Dialer {
    /// Connects to this machine, at any port.
    static func loopback(_ resolver: NameResolver, trusting certificate: [UInt8]?) throws -> Dialer {
        var policy = EgressPolicy()
        policy.allowed = ["127.0.0.0/8", "::1/128"].compactMap { IPNetwork($0.utf8) }
        policy.ports[.mail] = [1...65_535]
        return Dialer(
            policy: policy,
            resolver: resolver,
            tls: try TLSClientContext(trustedCertificatesPEM: certificate)
        )
    }
}

/// One connection of a scripted server.
private final class ScriptActor {
    private let connection: Connection
    private let tls: TLSServerContext
    private var input = ByteBuffer()

    struct Ended: Error {}

    init(_ connection: Connection, _ tls: TLSServerContext) {
        self.connection = connection
        self.tls = tls
        connection.setDeadline(milliseconds: 30_000)
    }

    /// What was heard, if this was to hear something.
    func perform(_ step: ServerStep) async throws -> String {
        switch step {
        case .say(let text): return try await say(Array("\(text)\r\n".utf8))
        case .sayRaw(let octets): return try await say(octets)
        case .flood(let text):
            let octets = Array(String(repeating: text, count: 1 + 4096 / text.utf8.count).utf8)
            while true { _ = try await say(octets) }
        case .drip:
            while true {
                _ = try await say([UInt8(ascii: "x")])
                try await connection.loop.sleep(milliseconds: 20)
            }
        case .hear:
            while true {
                if let end = input.bytes.firstIndex(of: 10) {
                    let line = input.bytes.extracting(0..<max(0, end - 1)).repairedUTF8String()
                    input.consume(end + 1)
                    return line
                }
                try await fill()
            }
        case .hearOctets(let count):
            while input.count < count { try await fill() }
            let text = input.bytes.extracting(0..<count).repairedUTF8String()
            input.consume(count)
            return text
        case .startTLS:
            try await connection.startTLS(tls, unread: input)
            return ""
        case .silence:
            while true { try await fill() }
        case .close:
            connection.close()
            throw Ended()
        }
    }

    private func say(_ octets: [UInt8]) async throws -> String {
        var output = ByteBuffer(octets)
        try await connection.write(&output)
        return ""
    }

    private func fill() async throws {
        guard try await connection.read(into: &input) > 0 else { throw Ended() }
    }
}
