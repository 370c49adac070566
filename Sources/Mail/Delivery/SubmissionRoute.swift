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

/// Finds an account's route; nil where it has none, by which its mail waits.
package typealias SubmissionRoutes = @Sendable (AccountKey) async throws -> SubmissionRoute?

extension SubmissionRoute {
    /// The route through a stored server.
    ///
    /// - Parameter secret: what the server asks for, a password or an access token; nil where it asks for nothing.
    ///
    /// Nil where name and secret cannot be used: there is one without the other, or an octet that cannot stand in it.
    package init?(_ stored: RemoteServer, secret: Secret?) {
        var credentials: SASLClientCredentials?
        switch (stored.credential, secret) {
        case (.none, _): break
        case (.password, let secret?):
            credentials = SASLClientCredentials(
                authenticationID: Array(stored.username.utf8),
                proof: .password(secret)
            )
            guard credentials != nil else { return nil }
        case (.oauth2, let token?):
            credentials = SASLClientCredentials(
                authenticationID: Array(stored.username.utf8),
                proof: .bearerToken(token)
            )
            guard credentials != nil else { return nil }
        case (.password, nil), (.oauth2, nil): return nil
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
            version: Self.version(stored)
        )
    }

    /// In memory only, and only compared.
    private static func version(_ stored: RemoteServer) -> [UInt8] {
        var version = ByteBuffer()
        for text in [stored.host, stored.security.rawValue, stored.username, stored.credential.rawValue] {
            version.append(utf8: text)
            version.append(ASCII.nul)
        }
        version.append(decimal: stored.port)
        version.append(utf8: stored.onUnknown.rawValue)
        version.append(stored.pin ?? [])
        version.append(ASCII.nul)
        // A token is sealed anew with each renewal, a password only when it changes.
        version.append(stored.secret ?? [])
        return version.array()
    }
}
