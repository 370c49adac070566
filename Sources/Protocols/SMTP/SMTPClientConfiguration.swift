// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import SASL
import Wire

/// How a client speaks with one server.
package struct SMTPClientConfiguration: Sendable {
    package enum Dialect: Sendable {
        case smtp
        /// RFC 2033: LHLO, and one answer for each recipient.
        case lmtp
    }

    package enum TLSPolicy: Sendable {
        /// STARTTLS, or no session.
        case required
        /// STARTTLS where it is offered.
        case opportunistic
        /// The connection stays as it is: it is TLS already, or is meant not to be.
        case asIs
    }

    package var dialect = Dialect.smtp
    /// What we call ourselves: a domain or an address literal.
    package var clientName: Domain
    package var tls = TLSPolicy.required
    package var credentials: SASLClientCredentials?
    /// Of the server, for mechanisms that name it.
    package var hostName: [UInt8] = []
    package var port: UInt16 = 0
    /// Lets a mechanism that reveals the secret be used without TLS; for a server on this machine.
    package var allowsSecretsInClear = false
    /// Sends messages by BDAT where the server offers CHUNKING.
    package var usesChunking = false
    /// Makes up the client's nonce: at least 18 octets of randomness, in printable octets without comma.
    package var makeNonce: @Sendable () -> [UInt8]

    package init(clientName: Domain, makeNonce: @escaping @Sendable () -> [UInt8]) {
        self.clientName = clientName
        self.makeNonce = makeNonce
    }
}
