// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import SASL
import SMTP
import SessionSupport
import Sockets
import Testing
import Transport
import Wire

@testable import SMTPSessions

private func address(_ text: String) -> EmailAddress {
    guard let address = EmailAddress(text) else { preconditionFailure("no address: \(text)") }
    return address
}

private func envelope(_ recipients: String..., octets: UInt64 = 100) -> SMTPEnvelope {
    SMTPEnvelope(
        reversePath: address("me@client.example"),
        recipients: recipients.map(address),
        octets: octets
    )
}

/// Gives these octets in pieces of one size.
private func pieces(_ octets: [UInt8], of size: Int = 7) -> SMTPClientSession.Text {
    var rest = octets[...]
    return { buffer in
        buffer.append(rest.prefix(size))
        rest = rest.dropFirst(size)
        return !rest.isEmpty
    }
}

private func text(_ text: String) -> SMTPClientSession.Text { pieces(Array(text.utf8)) }

/// What a test looks at of a result.
private func said(_ results: [SMTPRecipientResult]) -> [String] {
    results.map { result in
        switch result {
        case .delivered(let reply): "delivered \(reply.code)"
        case .refused(let phase, let reply): "refused \(phase.rawValue) \(reply.code)"
        case .unsupported: "unsupported"
        case .failed(let failure): "failed \(failure)"
        case .unknown(let failure): "unknown \(failure)"
        }
    }
}

private let credentials = SASLClientCredentials(
    authenticationID: Array("user".utf8),
    proof: .password(Secret(Array("pencil".utf8)))
)

@Suite struct SMTPClientSessionTests {
    /// Opens a session and sends one message to one recipient.
    private static func send(
        to server: ScriptedServer,
        _ security: ServerEndpoint.Security = .none,
        patience: SMTPClientPatience = SMTPClientPatience(),
        octets: [UInt8] = Array("Subject: x\r\n\r\nhello\r\n".utf8)
    ) async throws -> [String] {
        let route = try server.route(security)
        return try await server.run {
            let session = try await SMTPClientSession.open(
                route,
                dialer: server.dialer,
                patience: patience,
                pool: server.pool
            )
            let results = try await session.send(envelope("a@example.test"), text: pieces(octets, of: 4096))
            await session.quit()
            return said(results)
        }
    }

    @Test func messagesFollowEachOtherOnOneConnection() async throws {
        let second: [ServerStep] = [.hear, .say("550 5.1.1 nobody"), .hear, .say("503 no")]
        let third: [ServerStep] = [.hear, .say("250 reset")] + ServerStep.transaction + [.say("250 2.0.0 third")]
        let server = try ScriptedServer([
            ServerStep.greeting("PIPELINING", "SIZE 1000") + ServerStep.transaction + [.say("250 2.0.0 taken")]
                + [.hear, .say("250 2.1.0 ok")] + second + third + [.hear, .say("221 bye")]
        ])
        let route = try server.route()
        let results = try await server.run {
            let session = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
            #expect(session.capabilities.pipelining)
            var all: [[String]] = []
            all.append(said(try await session.send(envelope("a@example.test"), text: text("A: 1\n\n.dot\n"))))
            all.append(said(try await session.send(envelope("b@example.test"), text: text("A: 2\n"))))
            #expect(session.isUsable)
            all.append(said(try await session.send(envelope("c@example.test"), text: text("A: 3"))))
            all.append(said(try await session.send(envelope("d@example.test", octets: 2000), text: text(""))))
            await session.quit()
            return all
        }
        #expect(results == [["delivered 250"], ["refused rcpt 550"], ["delivered 250"], ["unsupported"]])
        #expect(
            server.lines == [
                "EHLO client.example", "MAIL FROM:<me@client.example> SIZE=100", "RCPT TO:<a@example.test>", "DATA",
                "A: 1\r\n\r\n..dot", "MAIL FROM:<me@client.example> SIZE=100", "RCPT TO:<b@example.test>", "DATA",
                "RSET", "MAIL FROM:<me@client.example> SIZE=100", "RCPT TO:<c@example.test>", "DATA", "A: 3", "QUIT",
            ]
        )
    }

    @Test func authenticationComesBehindSTARTTLS() async throws {
        let server = try ScriptedServer([
            ServerStep.greeting("STARTTLS", "AUTH PLAIN") + [.hear, .say("220 go"), .startTLS, .hear]
                + [.say("250-example.test\r\n250 AUTH PLAIN"), .hear, .say("235 2.7.0 in")]
        ])
        var route = try server.route(.startTLS)
        route.credentials = credentials
        let secured = route
        let isTLS = try await server.run {
            let session = try await SMTPClientSession.open(secured, dialer: server.dialer, pool: server.pool)
            defer { session.close() }
            return session.isTLS
        }
        #expect(isTLS)
        #expect(
            server.lines == [
                "EHLO client.example", "STARTTLS", "EHLO client.example", "AUTH PLAIN AHVzZXIAcGVuY2ls",
            ]
        )
    }

    /// Nothing secret is said to a server that did not prove who it is.
    @Test(arguments: [ServerEndpoint.Security.startTLS, .implicit])
    func aCertificateNobodyVouchesForEndsTheSession(_ security: ServerEndpoint.Security) async throws {
        let server = try ScriptedServer(
            [ServerStep.greeting("STARTTLS", "AUTH PLAIN") + [.hear, .say("220 go"), .startTLS, .hear]],
            isTLS: security == .implicit,
            isTrusted: false
        )
        var route = try server.route(security)
        route.credentials = credentials
        let secured = route
        let error = await #expect(throws: SMTPSessionError.self) {
            try await server.run {
                _ = try await SMTPClientSession.open(secured, dialer: server.dialer, pool: server.pool)
            }
        }
        guard case .dial(.certificate(let rejection)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(rejection.reason == .selfSigned)
        #expect(!server.lines.contains { $0.hasPrefix("AUTH") })
    }

    @Test func whatStandsBehindTheAnswerToSTARTTLSEndsTheSession() async throws {
        let server = try ScriptedServer([
            ServerStep.greeting("STARTTLS") + [.hear, .sayRaw(Array("220 go\r\n250 AUTH PLAIN\r\n".utf8)), .silence]
        ])
        let route = try server.route(.startTLS)
        let error = await #expect(throws: SMTPSessionError.self) {
            try await server.run {
                _ = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
            }
        }
        #expect(error == .session(.injectedBeforeTLS))
    }

    @Test func aServerWithoutTLSIsNotTalkedTo() async throws {
        let server = try ScriptedServer([ServerStep.greeting("AUTH PLAIN") + [.silence]])
        var route = try server.route(.startTLS)
        route.credentials = credentials
        let secured = route
        let error = await #expect(throws: SMTPSessionError.self) {
            try await server.run {
                _ = try await SMTPClientSession.open(secured, dialer: server.dialer, pool: server.pool)
            }
        }
        #expect(error == .session(.tlsNotOffered))
        #expect(server.lines == ["EHLO client.example"])
    }

    @Test func anEndWithoutAnswerIsUnknown() async throws {
        let server = try ScriptedServer([ServerStep.greeting() + ServerStep.transaction + [.close]])
        #expect(try await Self.send(to: server) == ["unknown connectionLost(SMTP.SMTPClientPhase.final)"])
        var patience = SMTPClientPatience()
        patience[.final] = 50
        let mute = try ScriptedServer([ServerStep.greeting() + ServerStep.transaction + [.silence]])
        #expect(try await Self.send(to: mute, patience: patience) == ["unknown timedOut(SMTP.SMTPClientPhase.final)"])
    }

    @Test func aConnectionCutBeforeTheEndIsNoDelivery() async throws {
        let start: [ServerStep] = [.hear, .say("250 ok"), .hear, .say("250 ok"), .hear, .say("354 go")]
        let server = try ScriptedServer([ServerStep.greeting() + start + [.hearOctets(10), .close]])
        let results = try await Self.send(to: server, octets: [UInt8](repeating: 0x61, count: 20_000_000))
        #expect(results == ["failed connectionLost(SMTP.SMTPClientPhase.text)"])
    }

    @Test func aRefusalInTheMiddleOfATextIsHeard() async throws {
        let start: [ServerStep] = [.hear, .say("250 ok"), .hear, .say("250 ok"), .hear, .say("354 go")]
        let server = try ScriptedServer([
            ServerStep.greeting() + start + [.hearOctets(10), .say("552 5.3.4 too much"), .silence]
        ])
        let results = try await Self.send(to: server, octets: [UInt8](repeating: 0x61, count: 20_000_000))
        #expect(results == ["refused text 552"])
    }

    @Test func aServerThatHangsUpIsHeardTo421() async throws {
        let server = try ScriptedServer([[.say("421 4.3.2 too many connections"), .close]])
        let route = try server.route()
        let error = await #expect(throws: SMTPSessionError.self) {
            try await server.run {
                _ = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
            }
        }
        guard case .session(.refused(.greeting, let reply)) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reply.code == 421)
    }

    @Test(arguments: [SMTPClientPhase.greeting, .hello, .mail, .rcpt, .data])
    func eachPhaseHasItsDeadline(_ phase: SMTPClientPhase) async throws {
        let all: [ServerStep] = ServerStep.greeting() + ServerStep.transaction
        // How much of the script goes well: everything before the answer to the phase's command.
        let length = [SMTPClientPhase.greeting: 0, .hello: 2, .mail: 4, .rcpt: 6, .data: 8][phase] ?? 0
        let server = try ScriptedServer([Array(all.prefix(length)) + [.silence]])
        var patience = SMTPClientPatience()
        patience[phase] = 50
        do {
            let results = try await Self.send(to: server, patience: patience)
            #expect(results == ["failed \(SMTPClientFailure.timedOut(phase))"])
        } catch let error as SMTPSessionError {
            #expect(error == .session(.timedOut(phase)))
        }
    }

    @Test func aReplyThatDribblesHasOneDeadline() async throws {
        let dribble = (0..<2000).map { _ in ServerStep.sayRaw(Array("250-x\r\n".utf8)) }
        let server = try ScriptedServer([[.say("220 hello"), .hear] + dribble + [.silence]])
        let route = try server.route()
        let error = await #expect(throws: SMTPSessionError.self) {
            try await server.run {
                _ = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
            }
        }
        #expect(error == .session(.syntax(.hello, .tooManyLines)))
    }

    /// What is to be remembered before the end goes out is remembered, or the end does not go out.
    @Test func theEndWaitsForItsOwner() async throws {
        struct Refusal: Error {}
        let start: [ServerStep] = [.hear, .say("250 ok"), .hear, .say("250 ok"), .hear, .say("354 go")]
        let server = try ScriptedServer([ServerStep.greeting() + start + [.hearText]])
        let route = try server.route()
        await #expect(throws: Refusal.self) {
            try await server.run {
                let session = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
                _ = try await session.send(
                    envelope("a@example.test"),
                    beforeEnd: { _ in throw Refusal() },
                    text: text("A: b")
                )
            }
        }
        #expect(server.lines.last == "DATA")
    }

    @Test func aMessageThatCannotBeReadIsNotSent() async throws {
        struct Unreadable: Error {}
        let start: [ServerStep] = [.hear, .say("250 ok"), .hear, .say("250 ok"), .hear, .say("354 go")]
        let server = try ScriptedServer([ServerStep.greeting() + start + [.hearText]])
        let route = try server.route()
        await #expect(throws: Unreadable.self) {
            try await server.run {
                let session = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
                _ = try await session.send(envelope("a@example.test")) { buffer in
                    guard buffer.isEmpty else { throw Unreadable() }
                    buffer.append("A: b\r\n")
                    return true
                }
            }
        }
        #expect(server.lines.last == "DATA")
    }

    @Test func aCancelledSendLosesItsConnection() async throws {
        let server = try ScriptedServer([ServerStep.greeting() + ServerStep.transaction + [.silence]])
        let route = try server.route()
        let results = try await server.run {
            let task = Task(executorPreference: server.group.loops[0]) {
                let session = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
                return said(try await session.send(envelope("a@example.test"), text: text("A: b")))
            }
            while server.lines.count < 5, let loop = EventLoop.current { try await loop.sleep(milliseconds: 5) }
            task.cancel()
            return try await task.value
        }
        #expect(results == ["unknown connectionLost(SMTP.SMTPClientPhase.final)"])
    }

    @Test func LMTPAnswersForEachRecipient() async throws {
        let server = try ScriptedServer([
            ServerStep.greeting("PIPELINING") + [.hear, .hear, .hear, .hear]
                + [.say("250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go"), .hearText, .say("452 4.2.2 full")]
        ])
        var route = try server.route()
        route.dialect = .lmtp
        let lmtp = route
        let results = try await server.run {
            let session = try await SMTPClientSession.open(lmtp, dialer: server.dialer, pool: server.pool)
            defer { session.close() }
            return said(
                try await session.send(envelope("a@example.test", "b@example.test"), text: text("A: b"))
            )
        }
        #expect(results == ["refused final 452", "refused rcpt 550"])
        #expect(server.lines.first == "LHLO client.example")
    }

    @Test(arguments: [
        [ServerStep.sayRaw(Array("250 2.0.0 ok\r\n421 4.4.2 idle for too long\r\n".utf8)), .silence],
        [.say("250 2.0.0 ok"), .hear, .say("421 4.4.2 idle for too long"), .silence],
        [.say("250 2.0.0 ok"), .hear, .close],
    ])
    func anIdleConnectionThatTheServerEndedIsNotUsable(_ end: [ServerStep]) async throws {
        let server = try ScriptedServer([ServerStep.greeting() + ServerStep.transaction + end])
        let route = try server.route()
        try await server.run {
            let session = try await SMTPClientSession.open(route, dialer: server.dialer, pool: server.pool)
            let results = try await session.send(envelope("a@example.test"), text: text("A: b"))
            #expect(said(results) == ["delivered 250"])
            await session.nudge()
            while session.isUsable, let loop = EventLoop.current { try await loop.sleep(milliseconds: 5) }
            session.close()
        }
    }
}

extension SMTPClientSession {
    /// Sends an empty line, so that a script goes on.
    fileprivate func nudge() async {
        var line = ByteBuffer([13, 10])
        try? await channel.connection.write(&line)
    }
}
