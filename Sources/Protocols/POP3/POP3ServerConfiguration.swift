// SPDX-License-Identifier: Apache-2.0

/// What one listener offers and how much it bears with.
package struct POP3ServerConfiguration: Sendable {
    /// Our name in the greeting: of printable ASCII.
    package var hostName: String
    /// Whether a certificate is at hand, so that STLS can be offered.
    package var offersStartTLS: Bool
    package var limits: Limits

    package init(hostName: String, offersStartTLS: Bool, limits: Limits = Limits()) {
        self.hostName = hostName
        self.offersStartTLS = offersStartTLS
        self.limits = limits
    }

    package struct Limits: Sendable {
        /// Of a command line, CRLF included.
        ///
        /// RFC 2449 §4 has 255; a name or a password alone may have as many.
        package var commandOctets = 1024
        /// Of what answers a challenge, and of AUTH (RFC 5034 §4).
        package var authenticationOctets = 12_288
        /// Commands that are none, or not now, after which a session ends.
        package var errors = 20
        /// Commands that lead nowhere before somebody is logged in.
        package var junkCommands = 100
        package var authenticationFailures = 3
        /// Of errors and junk commands while the server is overloaded.
        package var errorsUnderLoad = 1
        package var junkCommandsUnderLoad = 10

        package init() {}
    }
}

/// What is known of the client, for whoever decides.
package struct POP3ServerSession: Sendable {
    package internal(set) var isTLS: Bool
    /// The client takes UTF-8 in headers (RFC 6856 §2.1).
    package internal(set) var isUTF8 = false

    init(isTLS: Bool) { self.isTLS = isTLS }
}

/// What somebody decided about credentials.
package enum POP3LoginVerdict: Sendable {
    case accept(POP3Maildrop)
    /// Wrong, as far as the client may know.
    case refuse
    /// They could not be checked, or the maildrop not be read, now.
    case unavailable
    /// Too many wrong ones came from there: not checked.
    case throttled
}

/// Whether a message can be sent.
package enum POP3RetrievalVerdict: Sendable {
    /// Its octets can be asked for.
    case begin
    /// Somebody else deleted it.
    case gone
    /// It has UTF-8 in its header, which the client did not say it takes (RFC 6856 §5).
    case needsUTF8
    case unavailable
}

/// One reply given, for counting.
package struct POP3ServerRecord: Hashable, Sendable {
    package let verb: POP3Verb
    package let isPositive: Bool
}
