// SPDX-License-Identifier: Apache-2.0

import Egress
import Glibc
import Resolver
import Runtime
import Sockets
import TLS
import TestSupport
import Testing
import Transport
import WebClient
import Wire

/// A web server that does what the path says, well or badly; and a client that may reach it.
final class Origin: Sendable {
    /// What to change before the client is made.
    struct Setup: Sendable {
        var allowed = ["127.0.0.0/8"]
        var authoritiesPath = ""
        var client = WebClientConfiguration()
        var tls: TLSServerContext?
        var address = SocketAddress.loopback(port: 0)
        /// Names besides `origin.test`, which is 127.0.0.1.
        var script: DNSResponder.Script = { _, _ in .code(3) }
    }

    let clients: WebClients
    let loop: EventLoop
    let responder: DNSResponder
    private let group: EventLoopGroup
    private let resolver: NameResolver
    private let listener: Listener
    private let log: Log

    /// What the server saw.
    final class Log: Sendable {
        struct Seen: Sendable {
            var connections = 0
            var open = 0
            var ended = 0
            var requests: [String] = []
        }
        let seen = Lock(Seen())
    }

    /// The port, as the URLs have it.
    var port: UInt16 { listener.localAddress.port ?? 0 }
    var seen: Log.Seen { log.seen.withLock { $0 } }

    private init(_ setup: Setup) throws {
        group = try EventLoopGroup(count: 2)
        loop = group.loops[0]
        let log = Log()
        self.log = log
        listener = try Listener.bind(setup.address, loops: [group.loops[1]], tls: setup.tls) { connection in
            await Self.serve(connection, log)
        }
        responder = try DNSResponder { question, turn in
            question.name == "origin.test" ? .addresses(["127.0.0.1"], ttl: 60) : setup.script(question, turn)
        }
        var names = ResolverConfiguration()
        names.servers = [responder.server]
        resolver = NameResolver(names, loops: group.loops)
        var policy = EgressPolicy()
        policy.allowed = try setup.allowed.map { try #require(IPNetwork($0.utf8)) }
        policy.ports = [:]
        var configuration = setup.client
        configuration.authoritiesPath = setup.authoritiesPath
        clients = WebClients(configuration, policy: policy, resolver: resolver, loops: group.loops)
    }

    /// Runs `body` on a loop, and ends everything afterwards.
    static func run<R: Sendable>(
        _ setup: Setup = Setup(),
        _ body: @escaping @Sendable (Origin) async throws -> R
    ) async throws -> R {
        let origin = try Origin(setup)
        let result = await Task(executorPreference: origin.loop) { try await body(origin) }.result
        await origin.clients.stop()
        await origin.resolver.stop()
        await origin.listener.drain(milliseconds: 0)
        origin.group.stop()
        origin.responder.stop()
        return try result.get()
    }

    // MARK: What tests ask of it

    func url(_ path: String, host: String = "origin.test", scheme: String = "http") -> String {
        "\(scheme)://\(host):\(port)\(path)"
    }

    /// The status and the body, or the error, as text.
    func outcome(_ request: WebRequest) async -> String {
        do throws(WebClientError) {
            let response = try await clients.send(request)
            return "\(response.status) \(String(decoding: response.body, as: UTF8.self))"
        } catch {
            return "\(error)"
        }
    }

    func error(_ request: WebRequest) async -> WebClientError? {
        do throws(WebClientError) {
            _ = try await clients.send(request)
            return nil
        } catch {
            return error
        }
    }

    // MARK: The server

    private static func serve(_ connection: Connection, _ log: Log) async {
        log.seen.withLock {
            $0.connections += 1
            $0.open += 1
        }
        defer {
            log.seen.withLock {
                $0.open -= 1
                $0.ended += 1
            }
        }
        connection.setDeadline(milliseconds: 60_000)
        var input = ByteBuffer()
        while let request = await nextRequest(connection, &input) {
            log.seen.withLock { $0.requests.append(request) }
            guard (try? await answer(request, connection)) == true else { return }
        }
    }

    /// A head with its body behind it; nil at the end.
    private static func nextRequest(_ connection: Connection, _ input: inout ByteBuffer) async -> String? {
        while true {
            let text = String(decoding: input.array(), as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let head = text[..<end.lowerBound]
                let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                    .flatMap { Int($0.dropFirst(16)) }
                let count = head.utf8.count + 4 + (length ?? 0)
                if input.count >= count {
                    let request = String(decoding: input.array().prefix(count), as: UTF8.self)
                    input.consume(count)
                    return request
                }
            }
            guard let count = try? await connection.read(into: &input), count > 0 else { return nil }
        }
    }

    private static func send(_ text: String, _ connection: Connection) async throws {
        var buffer = ByteBuffer(Array(text.utf8))
        try await connection.write(&buffer)
    }

    /// Whether the connection is good for more.
    private static func answer(_ request: String, _ connection: Connection) async throws -> Bool {
        let path = request.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        switch path {
        case "/echo":
            try await send("HTTP/1.1 200 OK\r\nContent-Length: \(request.utf8.count)\r\n\r\n\(request)", connection)
            return true
        case "/redirect":
            try await send(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
                connection
            )
            return true
        case "/429":
            try await send(
                "HTTP/1.1 429 Slow\r\nretry-after:  120 \r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno",
                connection
            )
            return true
        case "/interim":
            try await send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 Fine\r\nX-Last: yes\r\n\r\n",
                connection
            )
            return true
        case "/trailer":
            try await send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Trailer: t\r\n\r\n",
                connection
            )
            return true
        default: return try await misbehave(path, connection)
        }
    }

    private static func misbehave(_ path: String, _ connection: Connection) async throws -> Bool {
        switch path {
        case "/huge":
            try await send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", connection)
            while true { try await send(String(repeating: "x", count: 10_000), connection) }
        case "/drip":
            try await send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", connection)
            while true {
                try await send("x", connection)
                try await connection.loop.sleep(milliseconds: 10)
            }
        case "/silent": try await connection.readable()
        case "/short": try await send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", connection)
        case "/garbage": try await send("this is not HTTP\r\n\r\n", connection)
        case "/garbage-status": try await send("HTTP/1.1 two OK\r\n\r\n", connection)
        case "/bomb":
            try await send("HTTP/1.1 200 OK\r\n", connection)
            while true { try await send("X-Bomb: \(String(repeating: "x", count: 1000))\r\n", connection) }
        case "/hints": while true { try await send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", connection) }
        case "/reset":
            var option = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                connection.socket.descriptor,
                SOL_SOCKET,
                SO_LINGER,
                &option,
                socklen_t(MemoryLayout<linger>.size)
            )
        case "/once": try await send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nonce", connection)
        case "/end": return false
        default: try await send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", connection)
        }
        return false
    }
}
