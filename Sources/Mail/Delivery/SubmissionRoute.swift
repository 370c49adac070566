// SPDX-License-Identifier: Apache-2.0

package import SASL
import Sockets
package import Storage
package import Transport
package import Wire

/// Through which server, and as whom, an account sends.
package struct SubmissionRoute: Sendable {
    package var server: ServerEndpoint
    package var credentials: SASLClientCredentials?
    /// Where one logs in with tokens: one that is good now, and another one than what was refused.
    package var token: SubmissionToken?
    /// Whether a delivery whose end nobody answered is tried once more, or only reported.
    package var retriesUnknown: Bool
    /// Changes whenever something of the route does, secrets included: sessions of another one are not used any more.
    package var version: [UInt8]

    package init(
        server: ServerEndpoint,
        credentials: SASLClientCredentials?,
        retriesUnknown: Bool,
        version: [UInt8]
    ) {
        self.server = server
        self.credentials = credentials
        self.retriesUnknown = retriesUnknown
        self.version = version
    }

    /// `name:port`, for those who count connections.
    package var host: String { "\(server.host):\(server.port)" }
}

/// A name with an access token, another one than what was refused; in one sentence why there is none.
package typealias SubmissionToken =
    @Sendable (_ rejected: SASLClientCredentials?) async throws(SubmissionTokenError) -> SASLClientCredentials

package struct SubmissionTokenError: Error {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }
}

/// Finds an account's route; nil where it has none, by which its mail waits.
package typealias SubmissionRoutes = @Sendable (AccountKey) async throws -> SubmissionRoute?

extension SubmissionRoute {
    /// The route through a stored server.
    ///
    /// Nil where name and secret cannot be used: there is one without the other, or an octet that cannot stand in it.
    ///
    /// - Parameters:
    ///   - secret: the password; nil where it asks for none.
    ///   - token: where it takes tokens.
    ///   - grant: which grant those are of.
    package init?(_ stored: RemoteServer, secret: Secret?, token: SubmissionToken? = nil, grant: Int64? = nil) {
        var credentials: SASLClientCredentials?
        switch (stored.credential, secret) {
        case (.none, _): break
        case (.password, let secret?):
            credentials = SASLClientCredentials(
                authenticationID: Array(stored.username.utf8),
                proof: .password(secret)
            )
            guard credentials != nil else { return nil }
        case (.oauth2, _):
            guard token != nil else { return nil }
        case (.password, nil): return nil
        }
        let security: ServerEndpoint.Security =
            switch stored.security {
            case .implicit: .implicit
            case .starttls: .startTLS
            case .none: .none
            }
        self.init(
            server: ServerEndpoint(
                host: stored.host,
                port: stored.port,
                security: security,
                pin: stored.pin.flatMap { CertificateFingerprint(octets: $0) }
            ),
            credentials: credentials,
            retriesUnknown: stored.onUnknown == .retry,
            version: Self.version(stored, grant)
        )
        if stored.credential == .oauth2 { self.token = token }
    }

    /// In memory only, and only compared.
    private static func version(_ stored: RemoteServer, _ grant: Int64?) -> [UInt8] {
        var version = ByteBuffer()
        for text in [stored.host, stored.security.rawValue, stored.username, stored.credential.rawValue] {
            version.append(utf8: text)
            version.append(ASCII.nul)
        }
        version.append(decimal: stored.port)
        version.append(utf8: stored.onUnknown.rawValue)
        version.append(stored.pin ?? [])
        version.append(ASCII.nul)
        if let grant { version.append(decimal: grant) }
        version.append(ASCII.nul)
        version.append(stored.secret ?? [])
        return version.array()
    }
}
