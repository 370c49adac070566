// SPDX-License-Identifier: Apache-2.0

package import SASL

/// How a client speaks with one server.
package struct IMAPClientConfiguration: Sendable {
    package enum TLSPolicy: Sendable {
        /// STARTTLS, or no session.
        case required
        /// The connection stays as it is: it is TLS already, or is meant not to be.
        case asIs
    }

    package var tls = TLSPolicy.required
    /// Nil: the session gets ready without a login, and can do little more than tell the capabilities.
    package var credentials: SASLClientCredentials?
    /// Of the server, for mechanisms that name it.
    package var hostName: [UInt8] = []
    package var port: UInt16 = 0
    /// Lets the secret be shown without verified TLS; for a server that was configured so by name.
    package var allowsSecretsInClear = false
    /// What ID tells the server (RFC 2971), where it knows ID; nothing when empty.
    package var identification: [IMAPParameter] = []
    /// What is enabled where the server offers it.
    package var enables: [IMAPCapability] = [.condStore, .qresync, .utf8Accept, .imap4rev2]
    /// Has the stream compressed where the server offers it (RFC 4978).
    package var usesCompression = false
    package var limits = IMAPLimits()
    /// Octets a server may send before it has let us in.
    package var octetsBeforeLogin = 64 * 1024
    /// Responses that cannot be read, in one session, before it is given up.
    package var unreadableResponses = 100
    /// Commands under way at once.
    package var window = 32
    /// Makes up the client's nonce: at least 18 octets of randomness, in printable octets without comma.
    package var makeNonce: @Sendable () -> [UInt8]

    package init(makeNonce: @escaping @Sendable () -> [UInt8]) { self.makeNonce = makeNonce }
}

/// What is under way in a session.
package enum IMAPClientPhase: String, CaseIterable, Sendable {
    case greeting, capability, startTLS, authentication
    /// Between the login and the first command.
    case setup
    case command
    /// IDLE, to which the server answers when there is something to tell.
    case idle
    /// Nothing is awaited.
    case ready
    case closed
}

/// Why a session ended, or never began.
package enum IMAPClientFailure: Error, Hashable, Sendable {
    /// The server's words, where it said no while the session was set up.
    case refused(IMAPClientPhase, IMAPStatus)
    /// The server hung up, and said why.
    case bye(IMAPStatus)
    case syntax(IMAPClientPhase, IMAPSyntaxError)
    case connectionLost(IMAPClientPhase)
    case timedOut(IMAPClientPhase)
    /// The server said what cannot be an answer to anything.
    case unsolicited(IMAPClientPhase)
    /// The server greets with PREAUTH: nobody knows as whom, and STARTTLS cannot follow.
    case preauthenticated
    case tlsNotOffered
    /// Something came between STARTTLS and the handshake.
    case injectedBeforeTLS
    /// No mechanism that fits the credentials and may be used on this connection.
    case noCommonMechanism
    case authentication(SASLClientError)
    /// More than a server that has not let us in has to say.
    case tooMuchBeforeLogin
    case tooManyUnreadable
    /// The compressed stream cannot be read.
    case badCompression
}
