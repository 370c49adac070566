// SPDX-License-Identifier: Apache-2.0

import Egress
import Resolver
import SASL
import Sockets
import TLS
import TestSupport
import Testing
import Wire

@testable import Transport

/// A name server with these names, and servers on loopback addresses that a policy allows or not.
private struct DialerFixture {
    let names: [String: [String]]
    var allowed = ["127.0.0.0/8", "::1/128"]
    var trusted: [UInt8]?

    func run<R: Sendable>(
        tls: TLSServerContext? = nil,
        address: SocketAddress = .loopback(port: 0),
        handler: @escaping Listener.Handler = echo,
        _ body: @escaping @Sendable (Dialer, UInt16) async throws -> R
    ) async throws -> R {
        let names = names
        let responder = try DNSResponder { question, _ in
            names[question.name].map { .addresses($0) } ?? .code(3)
        }
        var policy = EgressPolicy()
        policy.allowed = allowed.compactMap { IPNetwork($0.utf8) }
        policy.ports[.mail] = [1...65_535]
        let context = try TLSClientContext(trustedCertificatesPEM: trusted)
        let fixture = try Fixture(address: address, tls: tls, handler: handler)
        let resolver: NameResolver = {
            var configuration = ResolverConfiguration()
            configuration.servers = [responder.server]
            return NameResolver(configuration, loops: fixture.group.loops)
        }()
        let dialer = Dialer(policy: policy, resolver: resolver, tls: context)
        return try await fixture.run { _, fixture in
            let result: Result<R, any Error>
            do { result = .success(try await body(dialer, fixture.listener.localAddress.port ?? 0)) } catch {
                result = .failure(error)
            }
            await resolver.stop()
            responder.stop()
            return try result.get()
        }
    }
}

/// Whether an echo came back, or why there was no connection.
private func outcome(
    _ dialer: Dialer,
    _ host: String,
    _ port: UInt16,
    _ security: ServerEndpoint.Security = .none,
    pin: CertificateFingerprint? = nil,
    milliseconds: Int = 20_000
) async -> DialError? {
    do throws(DialError) {
        let server = ServerEndpoint(host: host, port: port, security: security, pin: pin)
        let connection = try await dialer.connect(to: server, milliseconds: milliseconds)
        connection.setDeadline(milliseconds: 20_000)
        let answer = try? await connection.exchange(Array("hello".utf8))
        #expect(answer == Array("hello".utf8))
        connection.close()
        return nil
    } catch {
        return error
    }
}

private func reason(_ error: DialError?) -> CertificateRejection.Reason? {
    guard case .certificate(let rejection) = error else { return nil }
    return rejection.reason
}

@Suite struct DialerTests {
    // MARK: Addresses

    @Test func namesAndLiteralsAreConnectedTo() async throws {
        let fixture = DialerFixture(names: ["mail.example.test": ["127.0.0.1"]])
        try await fixture.run { dialer, port in
            #expect(await outcome(dialer, "mail.example.test", port) == nil)
            #expect(await outcome(dialer, "127.0.0.1", port) == nil)
        }
    }

    @Test func anIPv6ServerIsConnectedTo() async throws {
        let fixture = DialerFixture(names: ["six.example.test": ["::1"]])
        try await fixture.run(address: try SocketAddress(parsing: "[::1]:0")) { dialer, port in
            #expect(await outcome(dialer, "six.example.test", port) == nil)
            #expect(await outcome(dialer, "::1", port) == nil)
        }
    }

    @Test func addressesThatRefuseArePassedOver() async throws {
        let fixture = DialerFixture(names: ["many.example.test": ["127.0.0.9", "::1", "127.0.0.8", "127.0.0.1"]])
        try await fixture.run { dialer, port in
            #expect(await outcome(dialer, "many.example.test", port) == nil)
        }
    }

    @Test func whatCannotBeReachedIsTold() async throws {
        let fixture = DialerFixture(names: ["dead.example.test": ["127.0.0.9", "127.0.0.8"]])
        try await fixture.run { dialer, port in
            #expect(await outcome(dialer, "dead.example.test", port) == .connect("Connection refused"))
            #expect(await outcome(dialer, "nowhere.example.test", port) == .resolve(.notFound))
            #expect(await outcome(dialer, "not a name", port) == .resolve(.malformedName))
            #expect(await outcome(dialer, "0x7f.1", port) == .resolve(.malformedName))
        }
    }

    @Test func thePolicyJudgesEveryAddress() async throws {
        var fixture = DialerFixture(names: [
            "inside.example.test": ["127.0.0.1"], "cloud.example.test": ["169.254.169.254"],
            "mixed.example.test": ["127.0.0.2", "127.0.0.1"],
        ])
        fixture.allowed = []
        try await fixture.run { dialer, port in
            #expect(await outcome(dialer, "inside.example.test", port) == .denied(.loopback))
            #expect(await outcome(dialer, "127.0.0.1", port) == .denied(.loopback))
            #expect(await outcome(dialer, "cloud.example.test", port) == .denied(.metadata))
            #expect(dialer.egressRefusals == [.loopback: 2, .metadata: 1])
        }
        fixture.allowed = ["127.0.0.1/32"]
        try await fixture.run { dialer, port in
            #expect(await outcome(dialer, "mixed.example.test", port) == nil)
            #expect(dialer.egressRefusals == [.loopback: 1])
        }
    }

    @Test func mailGoesToMailPorts() {
        let policy = EgressPolicy()
        let address = IPAddress("8.8.8.8".utf8)
        for port: UInt16 in [25, 110, 143, 465, 587, 993, 995] {
            #expect(address.map { policy.refusal(to: $0, port: port, for: .mail) } == .some(nil))
        }
        #expect(address.flatMap { policy.refusal(to: $0, port: 80, for: .mail) } == .port)
        #expect(address.flatMap { policy.refusal(to: $0, port: 25, for: .web) } == .port)
    }

    // MARK: TLS

    @Test func aCertificateOfATrustedAuthorityIsTaken() async throws {
        let server = try TLSServerContext(
            certificateChainPEM: TestAuthority.certificatePEM,
            privateKeyPEM: TestAuthority.keyPEM
        )
        let name = "mail.example.test"
        var fixture = DialerFixture(names: [
            name: ["127.0.0.1"], "a.pool.example.test": ["127.0.0.1"], "ignored.example": ["127.0.0.1"],
            "a.b.pool.example.test": ["127.0.0.1"],
        ])
        fixture.trusted = TestAuthority.authorityPEM
        try await fixture.run(tls: server) { dialer, port in
            #expect(await outcome(dialer, name, port, .implicit) == nil)
            #expect(await outcome(dialer, "a.pool.example.test", port, .implicit) == nil)
            // The subject's common name counts for nothing.
            #expect(reason(await outcome(dialer, "ignored.example", port, .implicit)) == .wrongName)
            #expect(reason(await outcome(dialer, "a.b.pool.example.test", port, .implicit)) == .wrongName)
            #expect(reason(await outcome(dialer, "127.0.0.1", port, .implicit)) == .wrongName)
        }
        fixture.trusted = try TLSServerContext.makeSelfSigned().certificatePEM
        try await fixture.run(tls: server) { dialer, port in
            #expect(reason(await outcome(dialer, name, port, .implicit)) == .untrusted)
        }
    }

    @Test func aSelfSignedCertificateIsRefusedUnlessItIsPinned() async throws {
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["other.example"])
        let server = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        let name = "mail.example.test"
        let fixture = DialerFixture(names: [name: ["127.0.0.1"]])
        try await fixture.run(tls: server) { dialer, port in
            let error = await outcome(dialer, name, port, .implicit)
            #expect(reason(error) == .selfSigned)
            guard case .certificate(let rejection) = error, let shown = rejection.fingerprint else {
                Issue.record("no fingerprint: \(String(describing: error))")
                return
            }
            #expect(CertificateFingerprint(shown.description.utf8) == shown)
            #expect(await outcome(dialer, name, port, .implicit, pin: shown) == nil)
            let other = try #require(CertificateFingerprint(octets: shown.octets.map { $0 ^ 1 }))
            #expect(reason(await outcome(dialer, name, port, .implicit, pin: other)) == .notPinned)
        }
    }

    /// A pin is the only certificate taken, not one more.
    @Test func aPinIsStrict() async throws {
        let server = try TLSServerContext(
            certificateChainPEM: TestAuthority.certificatePEM,
            privateKeyPEM: TestAuthority.keyPEM
        )
        var fixture = DialerFixture(names: ["mail.example.test": ["127.0.0.1"]])
        fixture.trusted = TestAuthority.authorityPEM
        try await fixture.run(tls: server) { dialer, port in
            let other = try #require(CertificateFingerprint(octets: [UInt8](repeating: 7, count: 32)))
            #expect(reason(await outcome(dialer, "mail.example.test", port, .implicit, pin: other)) == .notPinned)
        }
    }

    @Test func anExpiredCertificateIsRefused() async throws {
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["mail.example.test"], days: -1)
        let server = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        var fixture = DialerFixture(names: ["mail.example.test": ["127.0.0.1"]])
        fixture.trusted = certificate
        try await fixture.run(tls: server) { dialer, port in
            #expect(reason(await outcome(dialer, "mail.example.test", port, .implicit)) == .expired)
        }
    }

    @Test func aServerThatSaysNothingIsGivenUp() async throws {
        let fixture = DialerFixture(names: ["mute.example.test": ["127.0.0.1"]])
        let silence: Listener.Handler = { connection in
            connection.setDeadline(milliseconds: 20_000)
            _ = try? await connection.receiveAll()
        }
        try await fixture.run(handler: silence) { dialer, port in
            let error = await outcome(dialer, "mute.example.test", port, .implicit, milliseconds: 50)
            #expect(error == .timeout(.tls))
        }
    }

    @Test func aServerWithoutTLSIsToldFromOneWithABadCertificate() async throws {
        let fixture = DialerFixture(names: ["plain.example.test": ["127.0.0.1"]])
        let greeting: Listener.Handler = { connection in
            connection.setDeadline(milliseconds: 20_000)
            _ = try? await connection.send("220 hello, this is SMTP in the clear\r\n")
            _ = try? await connection.receiveAll()
        }
        try await fixture.run(handler: greeting) { dialer, port in
            guard case .tls = await outcome(dialer, "plain.example.test", port, .implicit) else {
                Issue.record("not .tls")
                return
            }
        }
    }

    @Test func aCancelledTaskConnectsToNothing() async throws {
        let fixture = DialerFixture(names: ["mail.example.test": ["127.0.0.1"]])
        try await fixture.run { dialer, port in
            guard let loop = EventLoop.current else { return }
            let task = Task(executorPreference: loop) {
                withUnsafeCurrentTask { $0?.cancel() }
                return await outcome(dialer, "mail.example.test", port)
            }
            #expect(await task.value == .cancelled)
        }
    }

    // MARK: What ties an authentication to the connection

    @Test func theChannelIsBoundByTheExporter() async throws {
        let server = try TLSServerContext(
            certificateChainPEM: TestAuthority.certificatePEM,
            privateKeyPEM: TestAuthority.keyPEM
        )
        var fixture = DialerFixture(names: ["mail.example.test": ["127.0.0.1"]])
        fixture.trusted = TestAuthority.authorityPEM
        // The server says what it exports itself.
        let telling: Listener.Handler = { connection in
            connection.setDeadline(milliseconds: 20_000)
            guard let binding = connection.channelBinding else { return }
            _ = try? await connection.send(binding.data)
        }
        try await fixture.run(tls: server, handler: telling) { dialer, port in
            let endpoint = ServerEndpoint(host: "mail.example.test", port: port, security: .implicit)
            let connection = try await dialer.connect(to: endpoint, milliseconds: 20_000)
            let binding = try #require(connection.channelBinding)
            #expect(binding.kind == .tlsExporter)
            #expect(try await connection.receive(32) == binding.data)
            // As OpenSSL's command line digests the certificate.
            #expect(
                connection.tls?.serverEndPointBinding == [
                    0x6D, 0xAA, 0x7D, 0x23, 0x76, 0x32, 0x69, 0xF3, 0xB0, 0x05, 0x5E, 0x93,
                    0xCE, 0xC0, 0x48, 0x30, 0x4C, 0x24, 0xDA, 0xF6, 0x9A, 0x14, 0xC9, 0xD0,
                    0x25, 0xA5, 0x3D, 0xCB, 0xE4, 0x8A, 0xAA, 0x0A, 0x28, 0x4A, 0xBF, 0xF0,
                    0xE2, 0x63, 0xE3, 0x82, 0xCF, 0x68, 0x60, 0x5A, 0x66, 0xD0, 0x10, 0xDB,
                ]
            )
            connection.close()
        }
    }
}
