// SPDX-License-Identifier: Apache-2.0

package import MailTypes

/// What one listener offers and how much it bears with.
package struct SMTPServerConfiguration: Sendable {
    package enum Service: Sendable {
        /// Mail from anywhere for our own mailboxes (RFC 5321): no login, no relaying.
        case exchange
        /// Mail from our own users (RFC 6409): TLS and login first.
        case submission
    }

    package var service: Service
    /// Our name in the greeting and in trace fields.
    package var hostName: Domain
    /// Whether a certificate is at hand, so that STARTTLS can be offered.
    package var offersStartTLS: Bool
    package var lineEnds: SMTPLineEndPolicy
    package var limits: Limits

    package init(
        service: Service,
        hostName: Domain,
        offersStartTLS: Bool,
        lineEnds: SMTPLineEndPolicy = .reject,
        limits: Limits = Limits()
    ) {
        self.service = service
        self.hostName = hostName
        self.offersStartTLS = offersStartTLS
        self.lineEnds = lineEnds
        self.limits = limits
    }

    package struct Limits: Sendable {
        /// Of the message as it is stored; announced by SIZE (RFC 1870).
        package var messageOctets: UInt64 = 64 << 20
        package var headerOctets = 102_400
        /// Of a line of text, without CRLF.
        ///
        /// RFC 5321 §4.5.3.1.6 has 998; longer ones are common.
        package var textLineOctets = 8192
        /// Of a command line, CRLF included.
        ///
        /// RFC 5321 §4.5.3.1.4 has 512, to which extensions add.
        package var commandOctets = 2048
        /// Of AUTH and of what answers a challenge (RFC 4954 §4).
        package var authenticationOctets = 12_288
        package var recipients = 1000
        package var hops = 50
        /// Refused commands, after which a session ends.
        package var errors = 20
        /// Commands that lead nowhere (NOOP, RSET, VRFY, HELP, EHLO again) between two accepted messages.
        package var junkCommands = 100
        /// Refused recipients, apart from the other errors because long lists hold stale ones.
        package var refusedRecipients = 50
        package var authenticationFailures = 3
        /// Refused errors and junk commands while the server is overloaded.
        package var errorsUnderLoad = 1
        package var junkCommandsUnderLoad = 1

        package init() {}
    }
}

/// What is known of the client, for whoever decides and for trace fields.
package struct SMTPSession: Sendable {
    /// The argument of EHLO or HELO; printable, without blanks or parentheses.
    package internal(set) var clientName: [UInt8]?
    /// EHLO rather than HELO.
    package internal(set) var isExtended = false
    package internal(set) var isTLS: Bool
    /// Who logged in, as the one who checked it named the account.
    package internal(set) var login: [UInt8]?

    init(isTLS: Bool) { self.isTLS = isTLS }

    /// The word behind `with` in a trace field (RFC 3848, RFC 6531 §4.3).
    package func protocolName(isUTF8: Bool) -> String {
        guard isExtended else { return "SMTP" }
        return (isUTF8 ? "UTF8SMTP" : "ESMTP") + (isTLS ? "S" : "") + (login != nil ? "A" : "")
    }
}

/// What somebody decided about a command or a message.
package enum SMTPVerdict: Sendable {
    /// With a text of its own, or the usual one.
    case accept(String? = nil)
    case refuse(SMTPReply)
    /// The reply, and the end of the session.
    case close(SMTPReply)
}

/// What somebody decided about credentials.
package enum SMTPAuthenticationVerdict: Sendable {
    case accept(login: [UInt8])
    /// Wrong, as far as the client may know.
    case refuse
    /// They could not be checked now.
    case unavailable
    /// Too many wrong ones came from there: not checked.
    case throttled
}

/// One reply given, for counting.
package struct SMTPServerRecord: Hashable, Sendable {
    package let verb: SMTPVerb
    package let code: UInt16
}
