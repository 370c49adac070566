// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import SASL
import SMTP
import SMTPSessions
import Transport

extension SubmissionRoute {
    /// A session by this route; with another token, once, where the server does not take the one we have.
    func open(
        clientName: Domain,
        dialer: Dialer,
        patience: SMTPClientPatience,
        pool: BlockingPool
    ) async throws(SMTPSessionError) -> SMTPClientSession {
        func dial(_ credentials: SASLClientCredentials?) async throws(SMTPSessionError) -> SMTPClientSession {
            let route = SMTPClientRoute(server: server, clientName: clientName, credentials: credentials)
            return try await SMTPClientSession.open(route, dialer: dialer, patience: patience, pool: pool)
        }
        guard token != nil else { return try await dial(credentials) }
        let first = try await login(insteadOf: nil)
        do throws(SMTPSessionError) {
            return try await dial(first)
        } catch {
            guard error.isRefusedLogin else { throw error }
            return try await dial(try await login(insteadOf: first))
        }
    }

    private func login(
        insteadOf rejected: SASLClientCredentials?
    ) async throws(SMTPSessionError) -> SASLClientCredentials? {
        do throws(SubmissionTokenError) {
            return try await token?(rejected)
        } catch {
            throw .session(.authentication(.refused(error.reason)))
        }
    }
}

extension SMTPSessionError {
    /// The server does not take who we say that we are (RFC 4954 §6).
    fileprivate var isRefusedLogin: Bool {
        switch self {
        case .session(.authentication): true
        case .session(.refused(.authentication, let reply)): (500...599).contains(reply.code)
        case .session, .dial: false
        }
    }
}
