// SPDX-License-Identifier: Apache-2.0

package import Accounts
import Egress
import Foundation
package import Logging
import Metrics
package import OAuth
import Resolver
package import Runtime
package import Sockets
package import Storage
import TLS
import Transport
import WebClient
import Wire

/// The token endpoint of a provider on this machine, which answers as a test says.
package final class FakeTokenEndpoint: Sendable {
    /// Status and body; nil: the connection is cut.
    package typealias Script = @Sendable (_ turn: Int, _ form: String) async -> (Int, String)?

    package let loops: [EventLoop]
    /// What was asked, as it came.
    package let forms = Lock<[String]>([])
    private let script: Script
    private let web: WebClients
    private let port: UInt16

    package static func token(_ access: String, refresh: String? = nil, seconds: Int = 3600) -> (Int, String) {
        let member = refresh.map { #","refresh_token":"\#($0)""# } ?? ""
        return (200, #"{"access_token":"\#(access)","token_type":"Bearer","expires_in":\#(seconds)\#(member)}"#)
    }

    private init(_ script: @escaping Script, web: WebClients, loops: [EventLoop], port: UInt16) {
        self.script = script
        self.web = web
        self.loops = loops
        self.port = port
    }

    /// Runs `body` on a loop, with an endpoint.
    package static func run<R: Sendable>(
        _ script: @escaping Script,
        _ body: @escaping @Sendable (FakeTokenEndpoint) async throws -> R
    ) async throws -> R {
        let group = try EventLoopGroup(count: 2)
        let authorities = FileManager.default.temporaryDirectory.appendingPathComponent("postern-\(UUID()).pem")
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["127.0.0.1"])
        try Data(certificate).write(to: authorities)
        defer { try? FileManager.default.removeItem(at: authorities) }
        let seen = Lock<FakeTokenEndpoint?>(nil)
        let tls = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        let listener = try Listener.bind(.loopback(port: 0), loops: [group.loops[1]], tls: tls) { connection in
            await seen.withLock { $0 }?.serve(connection)
        }
        let names = NameResolver(ResolverConfiguration(), loops: group.loops)
        var policy = EgressPolicy()
        policy.allowed = ["127.0.0.0/8"].compactMap { IPNetwork($0.utf8) }
        policy.ports = [:]
        var client = WebClientConfiguration()
        client.authoritiesPath = authorities.path
        let web = WebClients(client, policy: policy, resolver: names, loops: group.loops)
        let endpoint = FakeTokenEndpoint(
            script,
            web: web,
            loops: group.loops,
            port: listener.localAddress.port ?? 0
        )
        seen.withLock { $0 = endpoint }
        let result = await Task(executorPreference: group.loops[0]) { try await body(endpoint) }.result
        seen.withLock { $0 = nil }
        await web.stop()
        await names.stop()
        await listener.drain(milliseconds: 0)
        group.stop()
        return try result.get()
    }

    /// A keeper of tokens of this provider, whose name is `generic`.
    package func keeper(store: Store, box: SecretBox, clock: Clock, logger: Logger) -> TokenKeeper {
        let provider = OAuthProvider(
            name: "generic",
            displayName: "Generic",
            clientID: "us",
            clientSecret: Secret(Array("s&cret".utf8)),
            authorizeURL: "https://127.0.0.1/authorize",
            tokenURL: "https://127.0.0.1:\(port)/token",
            scopes: ["mail"],
            username: .address
        )
        return TokenKeeper(
            [provider],
            store: store,
            box: box,
            web: web,
            loops: loops,
            metrics: MetricsRegistry(),
            clock: clock,
            logger: logger
        )
    }

    private func serve(_ connection: Connection) async {
        connection.setDeadline(milliseconds: 60_000)
        var input = ByteBuffer()
        while true {
            if let form = Self.form(String(decoding: input.array(), as: UTF8.self)) {
                let turn = forms.withLock { forms in
                    forms.append(form)
                    return forms.count
                }
                guard let (status, body) = await script(turn, form) else { return }
                var output = ByteBuffer(
                    Array(
                        "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
                            .utf8
                    )
                )
                try? await connection.write(&output)
                return
            }
            guard let count = try? await connection.read(into: &input), count > 0 else { return }
        }
    }

    /// The body of a request, once all of it is there.
    private static func form(_ request: String) -> String? {
        guard let end = request.firstRange(of: "\r\n\r\n") else { return nil }
        let length = request.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
            .flatMap { Int($0.dropFirst(16)) }
        let body = request[end.upperBound...]
        return body.utf8.count >= length ?? 0 ? String(body) : nil
    }
}
