// SPDX-License-Identifier: Apache-2.0

import SASL
import SessionSupport
import Transport
import Wire

@testable import IMAPSessions

extension ServerStep {
    /// A session up to the login, with these capabilities.
    static func login(_ capabilities: String = "IMAP4rev1") -> [ServerStep] {
        [
            .say("* OK [CAPABILITY \(capabilities)] ready"), .hear,
            .say("A1 OK [CAPABILITY \(capabilities)] in"),
        ]
    }
}

extension ScriptedServer {
    func route(_ security: ServerEndpoint.Security = .none) -> IMAPClientRoute {
        IMAPClientRoute(
            server: endpoint(security),
            credentials: SASLClientCredentials(
                authenticationID: Array("u1".utf8),
                proof: .password(Secret(Array("pw".utf8)))
            )
        )
    }

    func open(
        _ security: ServerEndpoint.Security = .none,
        _ change: (inout IMAPClientPatience) -> Void = { _ in }
    ) async throws -> IMAPClientSession {
        var patience = IMAPClientPatience()
        change(&patience)
        return try await IMAPClientSession.open(route(security), dialer: dialer, patience: patience, pool: pool)
    }
}
