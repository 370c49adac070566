// SPDX-License-Identifier: Apache-2.0

import Resolver
package import Runtime
package import Sockets
import TLS
import TestSupport
package import Transport
import Wire

/// One step of a server that does what a test wants, whatever the protocol says.
package enum ServerStep: Sendable {
    /// Sends this, with CR LF behind it.
    case say(String)
    /// Sends exactly this.
    case sayRaw([UInt8])
    /// Reads a line and notes it.
    case hear
    /// Reads up to a line that is a dot, and notes what came before it.
    case hearText
    /// Reads so many octets of whatever comes, and notes them.
    case hearOctets(Int)
    /// Sends this again and again until the client goes.
    case flood(String)
    /// Sends an octet now and then until the client goes.
    case drip
    case startTLS
    /// Reads and says nothing until the client goes.
    case silence
    case close
}

/// A server with a script for each connection, and what a client needs to talk to it.
package final class ScriptedServer: Sendable {
    package let group: EventLoopGroup
    package let dialer: Dialer
    package let pool = BlockingPool(name: "kdf", threads: 1)
    private let listener: Listener
    private let resolver: NameResolver
    private let heard = Lock<[String]>([])
    private let connections = Lock(0)

    package init(_ scripts: [[ServerStep]], isTLS: Bool = false, isTrusted: Bool = true) throws {
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
    package var lines: [String] { heard.withLock { $0 } }

    package func endpoint(_ security: ServerEndpoint.Security = .none) -> ServerEndpoint {
        ServerEndpoint(host: "127.0.0.1", port: listener.localAddress.port ?? 0, security: security)
    }

    /// Runs `body` on the loop, and ends everything afterwards.
    package func run<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let result = await Task(executorPreference: group.loops[0]) { try await body() }.result
        await listener.drain(milliseconds: 0)
        await resolver.stop()
        group.stop()
        pool.stop()
        return try result.get()
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
        case .say(let text): try await say(Array("\(text)\r\n".utf8))
        case .sayRaw(let octets): try await say(octets)
        case .flood(let text):
            let octets = Array(String(repeating: text, count: 1 + 4096 / text.utf8.count).utf8)
            while true { try await say(octets) }
        case .drip:
            while true {
                try await say([UInt8(ascii: "x")])
                try await connection.loop.sleep(milliseconds: 20)
            }
        case .hear: return try await take(through: Array("\r\n".utf8))
        case .hearText: return try await take(through: Array("\r\n.\r\n".utf8))
        case .hearOctets(let count):
            while input.count < count { try await fill() }
            return take(count, and: 0)
        case .startTLS: try await connection.startTLS(tls, unread: input)
        case .silence: while true { try await fill() }
        case .close:
            connection.close()
            throw Ended()
        }
        return ""
    }

    private func say(_ octets: [UInt8]) async throws {
        var output = ByteBuffer(octets)
        try await connection.write(&output)
    }

    /// What stands before the first `end`, which is taken too.
    private func take(through end: [UInt8]) async throws -> String {
        while true {
            let octets = input.array()
            if octets.count >= end.count,
                let start = (0...(octets.count - end.count)).first(where: {
                    octets[$0..<($0 + end.count)].elementsEqual(end)
                })
            {
                return take(start, and: end.count)
            }
            try await fill()
        }
    }

    private func take(_ count: Int, and end: Int) -> String {
        let text = input.bytes.extracting(0..<count).repairedUTF8String()
        input.consume(count + end)
        return text
    }

    private func fill() async throws {
        guard try await connection.read(into: &input) > 0 else { throw Ended() }
    }
}
