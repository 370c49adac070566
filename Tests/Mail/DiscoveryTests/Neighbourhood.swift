// SPDX-License-Identifier: Apache-2.0

import Egress
import Foundation
import MailTypes
import Resolver
import Runtime
import Sockets
import TLS
import TestSupport
import Testing
import Transport
import WebClient
import Wire

@testable import Discovery

/// Domains of others, on this machine: their records, and what their web servers have.
struct Neighbourhood: Sendable {
    enum Page: Sendable {
        case file(String)
        case redirect(String)
        /// So many octets that are no file.
        case flood(Int)
        case silence
    }

    /// By name and type.
    var records: [DNSResponder.Question: DNSResponder.Answer] = [:]
    /// By URL, with `https` or `http`, without a port and without a query; hosts of pages have this machine's address.
    var pages: [String: Page] = [:]
    var configuration = DiscoveryConfiguration()
    var allowed = ["127.0.0.0/8"]

    mutating func srv(_ name: String, _ records: [UInt8]...) {
        self.records[DNSResponder.Question(name: name, type: 33)] = .records(records)
    }

    mutating func mx(_ name: String, _ host: String) {
        records[DNSResponder.Question(name: name, type: 15)] = .records([DNSResponder.mx(10, host)])
    }

    static func file(_ host: String, port: Int = 993, socket: String = "SSL") -> String {
        """
        <?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x"><incomingServer type="imap">
        <hostname>\(host)</hostname><port>\(port)</port><socketType>\(socket)</socketType>
        <username>%EMAILLOCALPART%</username><authentication>password-cleartext</authentication></incomingServer>
        <outgoingServer type="smtp"><hostname>smtp.\(host)</hostname><port>465</port><socketType>SSL</socketType>
        <username>%EMAILADDRESS%</username><authentication>OAuth2</authentication></outgoingServer>
        </emailProvider></clientConfig>
        """
    }

    // MARK: Living in it

    /// What the tests see of those who ask.
    final class Seen: Sendable {
        let urls = Lock<[String]>([])
    }

    private var hosts: Set<String> {
        Set(pages.keys.compactMap { $0.split(separator: "/").dropFirst().first.map(String.init) })
    }

    /// Runs `body` on a loop with what finds servers here.
    func run<R: Sendable>(
        _ body: @escaping @Sendable (DiscoveryAgent, DNSResponder, Seen) async throws -> R
    ) async throws -> R {
        let (records, hosts, pages, seen) = (records, hosts, pages, Seen())
        let group = try EventLoopGroup(count: 2)
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["x.test"] + hosts.sorted())
        let tls = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        let authorities = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).pem")
        try Data(certificate).write(to: authorities)
        defer { try? FileManager.default.removeItem(at: authorities) }
        let secure = try Listener.bind(.loopback(port: 0), loops: [group.loops[1]], tls: tls) { connection in
            await Self.serve(connection, "https", pages, seen)
        }
        let open = try Listener.bind(.loopback(port: 0), loops: [group.loops[1]]) { connection in
            await Self.serve(connection, "http", pages, seen)
        }
        let responder = try DNSResponder { question, _ in
            records[question] ?? (hosts.contains(question.name) ? .addresses(["127.0.0.1"]) : .code(3))
        }
        var resolving = ResolverConfiguration()
        resolving.servers = [responder.server]
        let names = NameResolver(resolving, loops: group.loops)
        var policy = EgressPolicy()
        policy.allowed = allowed.compactMap { IPNetwork($0.utf8) }
        policy.ports = [:]
        var client = WebClientConfiguration()
        client.authoritiesPath = authorities.path
        let web = WebClients(client, policy: policy, resolver: names, loops: group.loops)
        var configuration = configuration
        configuration.httpsPort = secure.localAddress.port ?? 0
        configuration.httpPort = open.localAddress.port ?? 0
        configuration.database = configuration.database.replacing(":443", with: ":\(configuration.httpsPort)")
        let agent = DiscoveryAgent(names: names, web: web, configuration: configuration, clock: .system)
        let result = await Task(executorPreference: group.loops[0]) { try await body(agent, responder, seen) }.result
        await web.stop()
        await names.stop()
        for listener in [secure, open] { await listener.drain(milliseconds: 0) }
        group.stop()
        responder.stop()
        return try result.get()
    }

    /// What is found for an address.
    func find(_ address: String) async throws -> Discovery {
        let address = try #require(EmailAddress(address))
        return try await run { agent, _, _ in try await agent.servers(for: address) }
    }

    private static func serve(_ connection: Connection, _ scheme: String, _ pages: [String: Page], _ seen: Seen) async {
        connection.setDeadline(milliseconds: 60_000)
        var input = ByteBuffer()
        while !input.array().contains([13, 10, 13, 10]) {
            guard let count = try? await connection.read(into: &input), count > 0 else { return }
        }
        let lines = String(decoding: input.array(), as: UTF8.self).split(separator: "\r\n")
        let target = lines.first?.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let host = lines.first { $0.hasPrefix("Host: ") }?.dropFirst(6).prefix { $0 != ":" } ?? ""
        seen.urls.withLock { $0.append("\(scheme)://\(host)\(target)") }
        let path = target.prefix { $0 != "?" }
        switch pages["\(scheme)://\(host)\(path)"] {
        case .file(let text): await say("200 OK", "Content-Length: \(text.utf8.count)", text, connection)
        case .redirect(let place): await say("302 Found", "Location: \(place)\r\nContent-Length: 0", "", connection)
        case .flood(let count):
            await say("200 OK", "Content-Length: \(count)", String(repeating: "<a>", count: count / 3), connection)
        case .silence: try? await connection.readable()
        case nil: await say("404 Not Found", "Content-Length: 0", "", connection)
        }
    }

    private static func say(_ status: String, _ field: String, _ body: String, _ connection: Connection) async {
        var output = ByteBuffer(Array("HTTP/1.1 \(status)\r\n\(field)\r\nConnection: close\r\n\r\n\(body)".utf8))
        try? await connection.write(&output)
    }
}

extension [UInt8] {
    fileprivate func contains(_ other: [UInt8]) -> Bool { firstRange(of: other) != nil }
}

extension Discovery {
    /// In short, in order.
    var lines: [String] {
        servers.map {
            "\($0.service) \($0.host):\($0.port) \($0.security) \($0.username) \($0.source) \($0.confidence)"
        }
    }
}
