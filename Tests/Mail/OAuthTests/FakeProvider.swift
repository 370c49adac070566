// SPDX-License-Identifier: Apache-2.0

import Accounts
import Egress
import Foundation
import Logging
import MailTypes
import Metrics
import Resolver
import Runtime
import Sockets
import Storage
import TLS
import TestSupport
import Testing
import Transport
import WebClient
import Wire

@testable import OAuth

/// A provider on this machine that answers as a test says, and an account with a grant of it.
final class FakeProvider: Sendable {
    /// Status and body; nil: the connection is cut.
    typealias Script = @Sendable (_ turn: Int, _ form: String) async -> (Int, String)?

    let keeper: TokenKeeper
    let box: SecretBox
    let store: Store
    let account: AccountRow
    let forms = Lock<[String]>([])
    /// Added to the clock, in milliseconds.
    let passed = Lock<Int64>(0)
    private let group: EventLoopGroup

    static func token(_ access: String, refresh: String? = nil, seconds: Int = 3600) -> (Int, String) {
        let member = refresh.map { #","refresh_token":"\#($0)""# } ?? ""
        return (200, #"{"access_token":"\#(access)","token_type":"Bearer","expires_in":\#(seconds)\#(member)}"#)
    }

    private init(
        store: Store,
        box: SecretBox,
        account: AccountRow,
        group: EventLoopGroup,
        _ make: (Clock) -> TokenKeeper
    ) {
        self.store = store
        self.box = box
        self.account = account
        self.group = group
        let passed = passed
        keeper = make(
            Clock(
                now: { Clock.system.now() + passed.withLock { $0 } },
                monotonic: { Clock.system.monotonic() &+ UInt64(passed.withLock { $0 }) &* 1_000_000 }
            )
        )
    }

    /// Runs `body` on a loop, with the refresh token `r0` for the account.
    static func run<R: Sendable>(
        _ script: @escaping Script,
        _ body: @escaping @Sendable (FakeProvider) async throws -> R
    ) async throws -> R {
        let group = try EventLoopGroup(count: 2)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-oauth-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (certificate, key) = try TLSServerContext.makeSelfSigned(hostnames: ["127.0.0.1"])
        let authorities = folder.appendingPathComponent("ca.pem")
        try Data(certificate).write(to: authorities)
        let seen = Lock<FakeProvider?>(nil)
        let tls = try TLSServerContext(certificateChainPEM: certificate, privateKeyPEM: key)
        let listener = try Listener.bind(.loopback(port: 0), loops: [group.loops[1]], tls: tls) { connection in
            await serve(connection, script, seen)
        }
        let names = NameResolver(ResolverConfiguration(), loops: group.loops)
        var policy = EgressPolicy()
        policy.allowed = ["127.0.0.0/8"].compactMap { IPNetwork($0.utf8) }
        policy.ports = [:]
        var client = WebClientConfiguration()
        client.authoritiesPath = authorities.path
        let web = WebClients(client, policy: policy, resolver: names, loops: group.loops)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let store = try Store.open(
            StoreConfiguration(directory: folder.appendingPathComponent("data").path),
            clock: .system,
            logger: logger
        )
        let address = try #require(EmailAddress("ann@example.com"))
        let account = try await store.write { try $0.accounts.create(NewAccount(kind: .imap, address: address)) }
        let provider = OAuthProvider(
            name: "generic",
            displayName: "Generic",
            clientID: "us",
            clientSecret: Secret(Array("s&cret".utf8)),
            authorizeURL: "https://127.0.0.1/authorize",
            tokenURL: "https://127.0.0.1:\(listener.localAddress.port ?? 0)/token",
            scopes: ["mail"],
            username: .address
        )
        let quiet = logger
        let box = SecretBox(key: Secret([UInt8](repeating: 5, count: 32)))
        let fake = FakeProvider(store: store, box: box, account: account, group: group) { clock in
            TokenKeeper(
                [provider],
                store: store,
                box: box,
                web: web,
                loops: group.loops,
                metrics: MetricsRegistry(),
                clock: clock,
                logger: quiet
            )
        }
        seen.withLock { $0 = fake }
        let grant = fake.keeper.grant(refresh: Secret(Array("r0".utf8)), at: "generic", for: account.id)
        try await store.write { try $0.oauthGrants.put(grant, of: account.key) }
        let result = await Task(executorPreference: group.loops[0]) { try await body(fake) }.result
        seen.withLock { $0 = nil }
        await web.stop()
        await names.stop()
        await listener.drain(milliseconds: 0)
        store.close()
        group.stop()
        return try result.get()
    }

    /// The token, or the error, in words.
    func token(insteadOf rejected: String? = nil) async -> String {
        do throws(AccessTokenError) {
            let token = try await keeper.token(
                for: account.key,
                insteadOf: rejected.map { Secret(Array($0.utf8)) }
            )
            return token.withOctets { String(decoding: $0, as: UTF8.self) }
        } catch {
            switch error {
            case .refused(let reason): return "refused: \(reason)"
            case .unavailable: return "unavailable"
            }
        }
    }

    private static func serve(_ connection: Connection, _ script: Script, _ fake: Lock<FakeProvider?>) async {
        connection.setDeadline(milliseconds: 60_000)
        var input = ByteBuffer()
        while true {
            let text = String(decoding: input.array(), as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let length = text.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                    .flatMap { Int($0.dropFirst(16)) }
                if text[end.upperBound...].utf8.count >= length ?? 0 {
                    let form = String(text[end.upperBound...])
                    let turn = fake.withLock { $0 }?.forms.withLock { forms in
                        forms.append(form)
                        return forms.count
                    }
                    guard let (status, body) = await script(turn ?? 0, form) else { return }
                    var output = ByteBuffer(
                        Array(
                            "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
                                .utf8
                        )
                    )
                    try? await connection.write(&output)
                    return
                }
            }
            guard let count = try? await connection.read(into: &input), count > 0 else { return }
        }
    }
}
