// SPDX-License-Identifier: Apache-2.0

import Crypto
package import IMAP
package import SASL
package import Transport
import Wire

/// Whom we are to a server, and which server that is.
package struct IMAPClientRoute: Sendable {
    package var server: ServerEndpoint
    /// Nil: only what can be asked without a login.
    package var credentials: SASLClientCredentials?
    /// What ID tells the server.
    package var identification: [IMAPParameter]
    /// Has the connection compressed where the server offers it.
    package var usesCompression = false
    /// What is enabled where the server offers it.
    package var enables: [IMAPCapability] = [.condStore, .qresync, .utf8Accept, .imap4rev2]
    package var limits = IMAPLimits()

    package init(
        server: ServerEndpoint,
        credentials: SASLClientCredentials?,
        identification: [IMAPParameter] = []
    ) {
        self.server = server
        self.credentials = credentials
        self.identification = identification
    }

    var configuration: IMAPClientConfiguration {
        var configuration = IMAPClientConfiguration { Base64.encode(RandomOctets.make(18)) }
        configuration.tls = server.security == .startTLS ? .required : .asIs
        configuration.credentials = credentials
        configuration.hostName = Array(server.host.utf8)
        configuration.port = server.port
        // Only where a connection in the clear was asked for by name.
        configuration.allowsSecretsInClear = server.security == .none
        configuration.identification = identification
        configuration.enables = enables
        configuration.usesCompression = usesCompression
        configuration.limits = limits
        return configuration
    }
}

/// How long a client waits for a server, in milliseconds.
package struct IMAPClientPatience: Hashable, Sendable {
    /// For a connection: looking the name up, connecting and, where it comes first, TLS.
    package var connect = 30_000
    /// For a handshake behind STARTTLS.
    package var handshake = 30_000
    /// For the server to send or take anything, while something is awaited.
    package var stall = 60_000
    /// For greeting, login and all else until the session is set up, not counting what ``connect`` is for.
    package var setUp = 60_000
    /// For all that is awaited of one command, not counting what the caller takes.
    package var command = 600_000
    /// For one IDLE: servers hang up after 30 minutes (RFC 9051 §6.3.13).
    package var idle = 1_700_000
    /// For the answer to LOGOUT, which nobody needs.
    package var logout = 1_000

    package init() {}
}

/// Why an operation on a server did not come about.
package enum IMAPSessionError: Error, Hashable, Sendable {
    /// There is no connection, or TLS did not come about on it.
    case dial(DialError)
    /// The server would not have us, or the connection broke; the session is over.
    case session(IMAPClientFailure)
    /// The server said NO or BAD, in these words; the session goes on.
    case refused(IMAPStatus)
    /// The server cannot do it.
    case unsupported(IMAPCapability)
    /// Something that no command can carry: a name with a line's end in it, an empty set.
    case unencodable
    /// The answer is beyond what we hold; the session is over.
    case tooMuch
    /// The message that was to be appended had another size than was said; the session is over.
    case wrongSize
}
