// SPDX-License-Identifier: Apache-2.0

import Egress
import Foundation
import MailTypes
import Resolver
import Runtime
import SASL
import SMTP
import Sockets
import TLS
import TestSupport
import Transport
import Wire

@testable import SMTPSessions

/// One step of a server that does what a test wants, whatever the protocol says.
enum ServerStep: Sendable {
    /// Sends this, with CR LF behind it.
    case say(String)
    /// Sends exactly this.
    case sayRaw(String)
    /// Reads a line and notes it.
    case hear
    /// Reads up to the dot and notes the text.
    case hearText
    /// Reads so many octets of whatever comes.
    case hearOctets(Int)
    case startTLS
    /// Reads and says nothing until the client goes.
    case silence
    case close

    /// A session up to EHLO, with these extensions.
    static func greeting(_ extensions: String...) -> [ServerStep] {
        let lines = ["example.test"] + extensions
        let reply = lines.enumerated().map { $0.offset == lines.count - 1 ? "250 \($0.element)" : "250-\($0.element)" }
        return [.say("220 example.test ESMTP"), .hear, .say(reply.joined(separator: "\r\n"))]
    }

    /// MAIL, one RCPT and DATA, taken.
    static let transaction: [ServerStep] = [
        .hear, .say("250 2.1.0 ok"), .hear, .say("250 2.1.5 ok"), .hear, .say("354 go"), .hearText,
    ]
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

    /// What the server heard, line by line; a text as one.
    var lines: [String] { heard.withLock { $0 } }

    func route(_ security: ServerEndpoint.Security = .none) throws -> SMTPClientRoute {
        SMTPClientRoute(
            server: ServerEndpoint(host: "127.0.0.1", port: listener.localAddress.port ?? 0, security: security),
            clientName: try Domain(Array("client.example".utf8).span)
        )
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
        case .say(let text): return try await say(text + "\r\n")
        case .sayRaw(let text): return try await say(text)
        case .hear: return try await take(through: Array("\r\n".utf8))
        case .hearText: return try await take(through: Array("\r\n.\r\n".utf8))
        case .hearOctets(let count):
            while input.count < count { try await fill() }
            input.consume(count)
            return ""
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

    private func say(_ text: String) async throws -> String {
        var output = ByteBuffer(Array(text.utf8))
        try await connection.write(&output)
        return ""
    }

    private func take(through end: [UInt8]) async throws -> String {
        while true {
            let octets = input.array()
            if octets.count >= end.count,
                let start = (0...(octets.count - end.count)).first(where: {
                    octets[$0..<($0 + end.count)].elementsEqual(end)
                })
            {
                input.consume(start + end.count)
                return String(decoding: octets[..<start], as: UTF8.self)
            }
            try await fill()
        }
    }

    private func fill() async throws {
        guard try await connection.read(into: &input) > 0 else { throw Ended() }
    }
}
