// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Wire

/// How a client speaks with one server.
package struct POP3ClientConfiguration: Sendable {
    package enum TLSPolicy: Sendable {
        /// STLS, or no session.
        case required
        /// The connection stays as it is: it is TLS already, or is meant not to be.
        case asIs
    }

    package var tls = TLSPolicy.required
    /// Nil: the session is set up and nobody logs in, to see what the server can do.
    package var credentials: SASLClientCredentials?
    /// Of the server, for mechanisms that name it.
    package var hostName: [UInt8] = []
    package var port: UInt16 = 0
    /// Lets a secret be shown without TLS; for a server on this machine.
    package var allowsSecretsInClear = false
    /// Of one message, dots undone.
    package var maximumMessageOctets: Int64 = 64 << 20
    /// Makes up the client's nonce: at least 18 octets of randomness, in printable octets without comma.
    package var makeNonce: @Sendable () -> [UInt8]

    package init(makeNonce: @escaping @Sendable () -> [UInt8]) { self.makeNonce = makeNonce }
}

/// The part of a session something happened in.
package enum POP3ClientPhase: String, CaseIterable, Hashable, Sendable {
    case greeting, capabilities, startTLS, authentication
    case status, list, uniqueIDs, retrieve, top, delete, reset, noop, quit
    case idle

    /// How long a server is given for an answer, or for more of one: RFC 1939 says nothing of it.
    package var patienceSeconds: Int {
        switch self {
        // The messages are deleted before QUIT is answered.
        case .quit: 120
        case .idle: 10
        default: 60
        }
    }
}

/// Why a session ended.
package enum POP3ClientFailure: Error, Hashable, Sendable {
    /// The server's own refusal.
    case refused(POP3ClientPhase, POP3Reply)
    /// Nobody was let in, and the server says that this is not about the credentials (RFC 2449 §8.1, RFC 3206).
    case loginPrevented(POP3Reply)
    case syntax(POP3ClientPhase, POP3SyntaxError)
    case connectionLost(POP3ClientPhase)
    case timedOut(POP3ClientPhase)
    /// The server said something nobody had asked for.
    case unsolicited(POP3ClientPhase)
    /// TLS is required and not offered.
    case tlsNotOffered
    /// Octets stood behind the reply to STLS: somebody put them there.
    case injectedBeforeTLS
    /// Credentials are there, and no way of using them that the server offers and this connection allows.
    case noCommonMechanism
    /// A name or a password that cannot stand in a command: it has line ends or other controls.
    case unsuitableCredentials
    case authentication(SASLClientError)
}

/// What a client asks for, once it is logged in.
package enum POP3Command: Hashable, Sendable {
    case stat
    /// Of one message, or of all.
    case list(UInt32?)
    case uidl(UInt32?)
    case retr(UInt32)
    /// The header and so many lines of the body.
    case top(UInt32, lines: UInt32)
    case dele(UInt32)
    case rset
    case noop
    /// Ends the session; what was marked is deleted, all of it or nothing, before the answer comes.
    case quit

    package var phase: POP3ClientPhase {
        switch self {
        case .stat: .status
        case .list: .list
        case .uidl: .uniqueIDs
        case .retr: .retrieve
        case .top: .top
        case .dele: .delete
        case .rset: .reset
        case .noop: .noop
        case .quit: .quit
        }
    }

    func append(to output: inout ByteBuffer) {
        switch self {
        case .stat: output.append("STAT")
        case .list(let number): append("LIST", number, &output)
        case .uidl(let number): append("UIDL", number, &output)
        case .retr(let number): append("RETR", number, &output)
        case .top(let number, let lines):
            append("TOP", number, &output)
            output.append(ASCII.space)
            output.append(decimal: lines)
        case .dele(let number): append("DELE", number, &output)
        case .rset: output.append("RSET")
        case .noop: output.append("NOOP")
        case .quit: output.append("QUIT")
        }
        output.appendLineEnd()
    }

    private func append(_ word: StaticString, _ number: UInt32?, _ output: inout ByteBuffer) {
        output.append(word)
        guard let number else { return }
        output.append(ASCII.space)
        output.append(decimal: number)
    }
}
