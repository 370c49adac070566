// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SessionSupport
import Transport
import Wire

@testable import SMTPSessions

extension ServerStep {
    /// A session up to EHLO, with these extensions.
    static func greeting(_ extensions: String...) -> [ServerStep] {
        let lines = ["example.test"] + extensions
        let reply = lines.enumerated().map { $0.offset == lines.count - 1 ? "250 \($0.element)" : "250-\($0.element)" }
        return [.say("220 example.test ESMTP"), .hear, .say(reply.joined(separator: "\r\n"))]
    }

    /// MAIL, one RCPT and DATA, taken.
    static let transaction: [ServerStep] = [
        .hear, .say("250 2.1.0 ok"), .hear, .say("250 2.1.5 ok"), .hear, .say("354 go"), .hearText,
    ]
}

extension ScriptedServer {
    func route(_ security: ServerEndpoint.Security = .none) throws -> SMTPClientRoute {
        SMTPClientRoute(server: endpoint(security), clientName: try Domain(Array("client.example".utf8).span))
    }
}
