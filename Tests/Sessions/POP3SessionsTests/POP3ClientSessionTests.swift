// SPDX-License-Identifier: Apache-2.0

import Foundation
import POP3
import Runtime
import SASL
import SessionSupport
import TestSupport
import Testing
import Transport
import Wire

@testable import POP3Sessions

private func route(
    _ server: ServerEndpoint,
    password: String? = "pw"
) -> POP3ClientRoute {
    POP3ClientRoute(
        server: server,
        credentials: password.flatMap {
            SASLClientCredentials(
                authenticationID: Array("u1".utf8),
                proof: .password(Secret(Array($0.utf8)))
            )
        }
    )
}

/// A server that says what a test wants, line for line: each element is what it says when a line has come, nil for nothing more.
private func scripted<R: Sendable>(
    _ answers: [String?],
    _ body: @escaping @Sendable (ScriptedServer) async throws -> R
) async throws -> R {
    let steps: [[ServerStep]] = answers.map { $0.map { [.sayRaw(Array($0.utf8)), .hear] } ?? [.silence] }
    let server = try ScriptedServer([Array(steps.joined())])
    return try await server.run { try await body(server) }
}

private func error<R>(_ body: () async throws -> R) async -> POP3SessionError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? POP3SessionError
    }
}

@Suite struct POP3ClientSessionTests {
    private static let login: [String?] = [
        "+OK ready\r\n", "+OK\r\nUSER\r\nPIPELINING\r\n.\r\n", "+OK\r\n", "+OK\r\n",
        "+OK\r\nUIDL\r\nPIPELINING\r\n.\r\n",
    ]

    private static func open(_ server: ScriptedServer) async throws -> POP3ClientSession {
        var patience = POP3ClientPatience()
        patience[.list] = 100
        return try await POP3ClientSession.open(
            route(server.endpoint()),
            dialer: server.dialer,
            patience: patience,
            pool: server.pool
        )
    }

    @Test func refusalsLeaveTheSessionUsable() async throws {
        try await scripted(Self.login + ["-ERR no such message\r\n", "+OK 2 300\r\n", nil]) { server in
            let session = try await Self.open(server)
            let refused = await error { try await session.retrieve(9) { $0.removeAll() } }
            #expect(refused == .refused(POP3Reply(isPositive: false, text: "no such message")))
            #expect(try await session.status() == POP3Status(messages: 2, octets: 300))
            session.close()
        }
    }

    @Test func aServerThatSaysNothingIsGivenUp() async throws {
        try await scripted(Self.login + [nil]) { server in
            let session = try await Self.open(server)
            #expect(await error { try await session.sizes { _, _ in } } == .session(.timedOut(.list)))
            #expect(!session.isUsable)
            #expect(await error { try await session.noop() } == .session(.timedOut(.list)))
        }
    }

    /// Each octet of it comes in time, and the message never ends.
    @Test func aServerThatDribblesIsGivenUp() async throws {
        let steps: [ServerStep] =
            Self.login.flatMap { [.sayRaw(Array(($0 ?? "").utf8)), .hear] } + [.sayRaw(Array("+OK\r\n".utf8)), .drip]
        let server = try ScriptedServer([steps])
        try await server.run {
            var patience = POP3ClientPatience()
            patience.answerMilliseconds = 300
            let session = try await POP3ClientSession.open(
                route(server.endpoint()),
                dialer: server.dialer,
                patience: patience,
                pool: server.pool
            )
            let error = await error { try await session.retrieve(1) { $0.removeAll() } }
            #expect(error == .session(.timedOut(.retrieve)))
        }
    }

    @Test func whoeverCannotTakeATextLosesTheSession() async throws {
        struct Full: Error {}
        try await scripted(Self.login + ["+OK\r\nhalf a message\r\n", nil]) { server in
            let session = try await Self.open(server)
            await #expect(throws: Full.self) { try await session.retrieve(1) { _ in throw Full() } }
            #expect(!session.isUsable)
        }
    }

    @Test func aQuitWithoutAnswerLeavesItOpen() async throws {
        try await scripted(Self.login + ["+OK\r\n"]) { server in
            let session = try await Self.open(server)
            #expect(try await session.delete([1]).isEmpty)
            #expect(await error { try await session.quit() } == .session(.connectionLost(.quit)))
        }
    }

    @Test func thePasswordStaysHereWithoutTLS() async throws {
        let heard = try await scripted(["+OK\r\n", "+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n", nil]) { server in
            await error {
                try await POP3ClientSession.open(
                    route(server.endpoint(.startTLS)),
                    dialer: server.dialer,
                    pool: server.pool
                )
            }
        }
        #expect(heard == .session(.tlsNotOffered))
    }

    // MARK: Against Dovecot

    private static func withDovecot(
        _ texts: [String],
        _ body: @escaping @Sendable (Dovecot, Dialer, BlockingPool) async throws -> Void
    ) async throws {
        let dovecot = try Dovecot(relay: 1)
        defer { dovecot.stop() }
        try dovecot.deliver(texts, to: "u1")
        try await withDialer { dialer, pool in try await body(dovecot, dialer, pool) }
    }

    @Test(.enabled(if: Dovecot.isInstalled), arguments: [ServerEndpoint.Security.startTLS, .implicit])
    func dovecotHandsMessagesOut(_ security: ServerEndpoint.Security) async throws {
        let long = String(repeating: ".a line with a dot\n..and with two\n", count: 3000)
        try await Self.withDovecot(["Subject: 1\n\none\n", "Subject: 2\n\n\(long)", "Subject: 3\n\n"]) {
            dovecot,
            dialer,
            pool in
            let port = security == .implicit ? dovecot.pop3s : dovecot.pop3
            let endpoint = ServerEndpoint(host: "mail.example.test", port: port, security: security)
            let session = try await POP3ClientSession.open(route(endpoint), dialer: dialer, pool: pool)
            #expect(session.isTLS && session.capabilities.pipelining && session.capabilities.uidl)
            #expect(try await session.status().messages == 3)
            var sizes: [UInt32: UInt64] = [:]
            var names: [UInt32: [UInt8]] = [:]
            try await session.sizes { sizes[$0] = $1 }
            try await session.uniqueIDs { names[$0] = $1 }
            #expect(sizes.count == 3 && Set(names.values).count == 3)
            for number in UInt32(1)...3 {
                var octets: [UInt8] = []
                try await session.retrieve(number) { piece in
                    octets += piece.array()
                    piece.removeAll()
                }
                #expect(UInt64(octets.count) == sizes[number])
                let subject = String(decoding: octets.prefix(12), as: UTF8.self)
                #expect(subject == "Subject: \(number)\r\n")
                if subject.hasSuffix("2\r\n") {
                    #expect(octets.dropFirst(14).elementsEqual(long.replacingOccurrences(of: "\n", with: "\r\n").utf8))
                }
            }
            var top: [UInt8] = []
            try await session.top(2, lines: 1) { piece in
                top += piece.array()
                piece.removeAll()
            }
            #expect(String(decoding: top, as: UTF8.self) == "Subject: 2\r\n\r\n.a line with a dot\r\n")
            #expect(
                await error { try await session.retrieve(4) { $0.removeAll() } }.map { "\($0)" }?.hasPrefix("refused")
                    == true
            )
            try await session.noop()
            #expect(try await session.delete([1, 2, 9]).keys.sorted() == [9])
            try await session.reset()
            #expect(try await session.delete([3]).isEmpty)
            try await session.quit()
            let again = try await POP3ClientSession.open(route(endpoint), dialer: dialer, pool: pool)
            #expect(try await again.status().messages == 2)
            // A connection that just ends deletes nothing.
            #expect(try await again.delete([1, 2]).isEmpty)
            again.close()
            let last = try await POP3ClientSession.open(route(endpoint), dialer: dialer, pool: pool)
            #expect(try await last.status().messages == 2)
            try await last.quit()
        }
    }

    @Test(.enabled(if: Dovecot.isInstalled)) func dovecotRefusesAWrongPassword() async throws {
        try await Self.withDovecot([]) { dovecot, dialer, pool in
            let found = await error {
                try await POP3ClientSession.open(
                    route(
                        ServerEndpoint(host: "mail.example.test", port: dovecot.pop3s, security: .implicit),
                        password: "wrong"
                    ),
                    dialer: dialer,
                    pool: pool
                )
            }
            guard case .session(.refused(.authentication, let reply)) = found else {
                Issue.record("\(String(describing: found))")
                return
            }
            #expect(reply.code == "AUTH")
        }
    }

    @Test(.enabled(if: Dovecot.isInstalled)) func dovecotCanBeLookedAtWithoutALogin() async throws {
        try await Self.withDovecot([]) { dovecot, dialer, pool in
            let session = try await POP3ClientSession.open(
                route(
                    ServerEndpoint(host: "mail.example.test", port: dovecot.pop3, security: .startTLS),
                    password: nil
                ),
                dialer: dialer,
                pool: pool
            )
            #expect(session.capabilities.user && session.capabilities.responseCodes)
            #expect(session.capabilities.mechanisms.contains(.scramSHA256))
            try await session.quit()
        }
    }
}
