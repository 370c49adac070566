// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Storage
package import Transport

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
