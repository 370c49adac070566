// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SASL
import SMTP
import SessionSupport
import Sockets
import TestSupport
import Testing
import Transport
import Wire

@testable import SMTPSessions

/// Against servers that others wrote.
@Suite struct SMTPPeerTests {
    private static func route(
        _ port: UInt16,
        _ security: ServerEndpoint.Security = .none
    ) throws -> SMTPClientRoute {
        SMTPClientRoute(
            server: ServerEndpoint(host: "mail.example.test", port: port, security: security),
            clientName: try Domain(Array("client.example".utf8).span)
        )
    }

    /// Sends so many messages, of which each is larger than the last, and returns the codes of the answers.
    private static func send(_ count: Int, _ route: SMTPClientRoute, to recipients: [String]) async throws -> [UInt16] {
        try await withDialer { dialer, pool in
            let session = try await SMTPClientSession.open(route, dialer: dialer, pool: pool)
            var codes: [UInt16] = []
            for number in 0..<count {
                let line = Array(".a line that begins with a dot\r\n".utf8)
                let text =
                    Array("From: me@client.example\r\nSubject: \(number)\r\n\r\n".utf8)
                    + Array([[UInt8]](repeating: line, count: 1 + number * 500).joined())
                var rest = text[...]
                let results = try await session.send(
                    SMTPEnvelope(
                        reversePath: EmailAddress("me@client.example"),
                        recipients: recipients.compactMap { EmailAddress($0) },
                        octets: UInt64(text.count)
                    )
                ) { buffer in
                    buffer.append(rest.prefix(5000))
                    rest = rest.dropFirst(5000)
                    return !rest.isEmpty
                }
                for case .delivered(let reply) in results { codes.append(reply.code) }
            }
            await session.quit()
            return codes
        }
    }

    @Test(.enabled(if: SMTPSink.isInstalled), arguments: [["-h", "sink"], ["-p"], ["-8"]])
    func smtpSinkTakesMessages(_ options: [String]) async throws {
        let sink = try SMTPSink(options: options)
        defer { sink.stop() }
        let codes = try await Self.send(10, try Self.route(sink.port), to: ["a@example.test", "b@example.test"])
        #expect(codes == Array(repeating: 250, count: 20))
    }

    @Test(.enabled(if: SMTPSink.isInstalled)) func smtpSinkTakesMessagesByLMTP() async throws {
        let sink = try SMTPSink(options: ["-L"])
        defer { sink.stop() }
        var route = try Self.route(sink.port)
        route.dialect = .lmtp
        let codes = try await Self.send(3, route, to: ["a@example.test", "b@example.test"])
        #expect(codes == Array(repeating: 250, count: 6))
    }

    @Test(.enabled(if: Dovecot.isInstalled && SMTPSink.isInstalled), arguments: [true, false])
    func dovecotTakesSubmissions(_ usesChunking: Bool) async throws {
        let sink = try SMTPSink()
        defer { sink.stop() }
        let dovecot = try Dovecot(relay: sink.port)
        defer { dovecot.stop() }
        for security in [ServerEndpoint.Security.startTLS, .implicit] {
            let port = security == .implicit ? dovecot.submissions : dovecot.submission
            var route = try Self.route(port, security)
            route.usesChunking = usesChunking
            route.credentials = SASLClientCredentials(
                authenticationID: Array("u1".utf8),
                proof: .password(Secret(Array("pw".utf8)))
            )
            #expect(try await Self.send(3, route, to: ["a@example.test"]) == [250, 250, 250])
            route.credentials = SASLClientCredentials(
                authenticationID: Array("u1".utf8),
                proof: .password(Secret(Array("wrong".utf8)))
            )
            let wrong = route
            let error = await #expect(throws: SMTPSessionError.self) { try await Self.send(1, wrong, to: ["a@b.test"]) }
            guard case .session(.refused(.authentication, let reply)) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reply.code == 535)
        }
    }

    @Test(.enabled(if: Dovecot.isInstalled)) func dovecotTakesMailByLMTP() async throws {
        let dovecot = try Dovecot(relay: 1)
        defer { dovecot.stop() }
        var route = try Self.route(dovecot.lmtp)
        route.dialect = .lmtp
        #expect(try await Self.send(3, route, to: ["u1@example.test", "nobody@example.test"]) == [250, 250, 250])
    }
}
