// SPDX-License-Identifier: Apache-2.0

import Egress
package import Resolver
package import Runtime
import Sockets
import TLS
import TestSupport
package import Transport
import Wire

extension Dialer {
    /// Connects to this machine, at any port.
    package static func loopback(_ resolver: NameResolver, trusting certificate: [UInt8]?) throws -> Dialer {
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

/// Runs `body` on a loop, with a dialer that knows `mail.example.test` as this machine and trusts what the tests' authority
/// has signed, and a thread for keys.
package func withDialer<R: Sendable>(
    _ body: @escaping @Sendable (Dialer, BlockingPool) async throws -> R
) async throws -> R {
    let responder = try DNSResponder { question, _ in
        question.name == "mail.example.test" ? .addresses(["127.0.0.1"]) : .code(3)
    }
    let group = try EventLoopGroup(count: 1)
    var configuration = ResolverConfiguration()
    configuration.servers = [responder.server]
    let resolver = NameResolver(configuration, loops: group.loops)
    let dialer = try Dialer.loopback(resolver, trusting: TestAuthority.authorityPEM)
    let pool = BlockingPool(name: "kdf", threads: 1)
    let result = await Task(executorPreference: group.loops[0]) { try await body(dialer, pool) }.result
    await resolver.stop()
    responder.stop()
    group.stop()
    pool.stop()
    return try result.get()
}
