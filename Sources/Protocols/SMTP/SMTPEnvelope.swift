// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import SASL

/// What is to be sent, apart from its text.
package struct SMTPEnvelope: Hashable, Sendable {
    /// Nil is the null reverse-path.
    package var reversePath: EmailAddress?
    /// At least one.
    package var recipients: [EmailAddress]
    /// Octets of the message, about: said to a server that wants to know, and compared with its limit.
    package var octets: UInt64
    /// Whether the text has octets above 0x7F.
    package var isEightBit: Bool
    /// Whether its header section has.
    package var isUTF8: Bool

    package init(
        reversePath: EmailAddress?,
        recipients: [EmailAddress],
        octets: UInt64,
        isEightBit: Bool = false,
        isUTF8: Bool = false
    ) {
        precondition(!recipients.isEmpty)
        self.reversePath = reversePath
        self.recipients = recipients
        self.octets = octets
        self.isEightBit = isEightBit
        self.isUTF8 = isUTF8
    }

    /// Whether it can go only to a server with SMTPUTF8 (RFC 6531 §3.5): there are no other means to say an address that is
    /// not ASCII.
    package var needsSMTPUTF8: Bool {
        isUTF8 || !(reversePath?.isASCII ?? true) || recipients.contains { !$0.isASCII }
    }
}

/// The part of a session something happened in.
package enum SMTPClientPhase: String, CaseIterable, Hashable, Sendable {
    case greeting, hello, startTLS, authentication, mail, rcpt, data
    /// The message's text is under way.
    case text
    /// The text's end was sent, and what the server makes of it is awaited.
    case final
    case reset, quit, idle
}

/// Why a session ended, or an attempt in it.
package enum SMTPClientFailure: Error, Hashable, Sendable {
    /// The server's own refusal.
    case refused(SMTPClientPhase, SMTPReply)
    case syntax(SMTPClientPhase, SMTPReplySyntaxError)
    /// The connection ended: closed by the server, reset, or unreachable.
    case connectionLost(SMTPClientPhase)
    case timedOut(SMTPClientPhase)
    /// The server said something nobody had asked for.
    case unsolicited(SMTPClientPhase)
    /// TLS is required and not offered.
    case tlsNotOffered
    /// Octets stood behind the reply to STARTTLS: somebody put them there (RFC 3207 §6).
    case injectedBeforeTLS
    /// Credentials are there, and no way of using them that the server offers and this connection allows.
    case noCommonMechanism
    case authentication(SASLClientError)
}

/// What became of one recipient.
package enum SMTPRecipientResult: Hashable, Sendable {
    /// The server has taken responsibility.
    case delivered(SMTPReply)
    /// The server refused, for now (4yz) or for good (5yz), in that phase.
    case refused(SMTPClientPhase, SMTPReply)
    /// The server cannot carry what the message needs, which it was therefore not sent.
    case unsupported(SMTPUnsupported)
    /// The message was not sent as a whole: it certainly was not taken.
    case failed(SMTPClientFailure)
    /// The end of the text was sent and no answer came: the server may have taken it.
    case unknown(SMTPClientFailure)
}

/// What a message needs and a server has not.
package enum SMTPUnsupported: Hashable, Sendable {
    /// The message is larger than the server's limit, in octets.
    case size(limit: UInt64)
    case smtpUTF8
    case eightBitMIME
}
