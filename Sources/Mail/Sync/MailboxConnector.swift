// SPDX-License-Identifier: Apache-2.0

package import Accounts
import Backends
import IMAP
import IMAPSessions
package import MailTypes
import Runtime
package import SASL
import Sockets
package import Storage
package import Transport
import Wire

/// Opens sessions at an account's IMAP server, as it is configured just now.
final class MailboxConnector: Sendable {
    private let server: ServerConnector

    init(account: AccountKey, id: AccountID, parts: RemoteParts) {
        server = ServerConnector(.imap, of: account, id: id, parts: parts)
    }

    /// A session that is logged in; waits as ``ServerConnector/open(waitingAtMost:_:while:judge:dial:)`` does.
    ///
    /// Throws ``RemoteError``.
    func open(
        waitingAtMost milliseconds: Int,
        _ wakeup: Wakeup = Wakeup(),
        while isWanted: () -> Bool = { true }
    ) async throws -> MailboxSession {
        let parts = server.parts
        var patience = IMAPClientPatience()
        patience.connect = parts.limits.connectMilliseconds
        patience.setUp = parts.limits.connectMilliseconds
        patience.stall = parts.limits.commandMilliseconds
        patience.command = parts.limits.longestCommandMilliseconds
        patience.idle = parts.limits.idleMilliseconds
        return try await server.open(waitingAtMost: milliseconds, wakeup, while: isWanted, judge: Self.judge) {
            [patience] target in
            let route = IMAPClientRoute(
                server: target.endpoint,
                credentials: target.credentials,
                identification: [IMAPParameter(name: Array("name".utf8), value: Array("Postern".utf8))]
            )
            let session = try await IMAPClientSession.open(
                route,
                dialer: parts.dialer,
                patience: patience,
                pool: parts.workers
            )
            return MailboxSession(session, whenOver: target.whenOver)
        }
    }

    private static func judge(_ error: any Error) -> (RemoteError, HostLedger.Trouble) {
        guard let error = error as? IMAPSessionError else { return (.unavailable("\(error)"), .account) }
        let failure = RemoteError(opening: error)
        return (failure, trouble(error, failure))
    }

    /// What a failure says of the server.
    ///
    /// Whether a certificate is taken, and how TLS begins, is this account's matter: no other shall wait for it.
    private static func trouble(_ error: IMAPSessionError, _ failure: RemoteError) -> HostLedger.Trouble {
        switch (error, failure) {
        case (.dial(let error), _): error.isOfServer ? .unreachable : .account
        case (.session(.tlsNotOffered), _), (.session(.injectedBeforeTLS), _): .account
        case (_, .unavailable): .unreachable
        case (_, .busy): .tooMany
        case (_, .authentication), (_, .refused), (_, .overQuota), (_, .unsupported), (_, .gone): .account
        }
    }
}

extension ServerEndpoint {
    package init(_ server: RemoteServer) {
        let security: Security =
            switch server.security {
            case .implicit: .implicit
            case .starttls: .startTLS
            case .none: .none
            }
        self.init(
            host: server.host,
            port: server.port,
            security: security,
            pin: server.pin.flatMap { CertificateFingerprint(octets: $0) }
        )
    }
}

extension RemoteCredentials {
    /// What one logs in with at the server; nil where it asks for nothing.
    package func login(_ server: RemoteServer, of account: AccountID) throws(RemoteError) -> SASLClientCredentials? {
        guard server.credential != .none else { return nil }
        let secret: Secret?
        do throws(SecretBox.Failure) {
            secret = try open(server, of: account)
        } catch {
            throw .authentication("The account's password cannot be decrypted with the server's key.")
        }
        guard let secret,
            let credentials = SASLClientCredentials(
                authenticationID: Array(server.username.utf8),
                proof: server.credential == .oauth2 ? .bearerToken(secret) : .password(secret)
            )
        else { throw .authentication("The account's user name or password cannot be used to log in.") }
        return credentials
    }
}

extension RemoteError {
    /// Why no session came about.
    init(opening error: IMAPSessionError) {
        switch error {
        case .dial(let error): self = .unavailable("\(error)")
        case .session(let failure): self.init(failure)
        case .refused(let status): self.init(status)
        case .unsupported(let capability): self = .unsupported("The server lacks \(capability.rawValue).")
        case .unencodable: self = .unsupported("That cannot be said in IMAP.")
        case .tooMuch: self = .unavailable("The server's answer was too large.")
        case .wrongSize: self = .unavailable("The message's size changed while it was sent.")
        }
    }

    init(_ failure: IMAPClientFailure) {
        switch failure {
        case .refused(.authentication, let status):
            if status.isAboutLimits {
                self = .busy(status.text)
            } else {
                self = status.code == .unavailable ? .unavailable(status.text) : .authentication(status.text)
            }
        case .refused(_, let status), .bye(let status):
            self = status.isAboutLimits ? .busy(status.text) : .unavailable(status.text)
        case .authentication(let error): self = .authentication("\(error)")
        case .noCommonMechanism: self = .authentication("The server offers no way to log in that may be used here.")
        case .preauthenticated: self = .unavailable("The server greets with PREAUTH, which is not taken.")
        case .tlsNotOffered: self = .unavailable("The server offers no STARTTLS.")
        case .injectedBeforeTLS: self = .unavailable("There were unencrypted octets behind STARTTLS.")
        case .timedOut(let phase): self = .unavailable("The server did not answer in time (\(phase.rawValue)).")
        case .connectionLost(let phase): self = .unavailable("The connection broke (\(phase.rawValue)).")
        case .syntax, .unsolicited, .tooMuchBeforeLogin, .tooManyUnreadable, .badCompression:
            self = .unavailable("The server does not speak IMAP as it should (\(failure)).")
        }
    }

    /// What a NO or BAD to a command means.
    init(_ status: IMAPStatus) {
        switch status.code {
        case .overQuota: self = .overQuota(status.text)
        case .limit, .inUse: self = .busy(status.text)
        case .unavailable: self = .unavailable(status.text)
        case .nonExistent: self = .refused(status.text, code: "NONEXISTENT")
        case .alreadyExists: self = .refused(status.text, code: "ALREADYEXISTS")
        case .noPermission: self = .refused(status.text, code: "NOPERM")
        case .cannot: self = .refused(status.text, code: "CANNOT")
        default: self = .refused(status.text, code: nil)
        }
    }
}

extension IMAPStatus {
    /// The server has enough connections of ours (RFC 5530: LIMIT, INUSE; others say it in words).
    fileprivate var isAboutLimits: Bool {
        if code == .limit || code == .inUse { return true }
        let words = text.lowercased()
        return words.contains("too many") && words.contains("connection")
    }
}
