// SPDX-License-Identifier: Apache-2.0

import MailTypes

/// The replies the dialogue itself gives. Those that follow from policy are made where the policy is.
extension SMTPReply {
    static let unauthorizedPipelining = SMTPReply(554, .code(5, 5, 1), "Error: you talk before it is your turn")
    static let bareLineFeed = SMTPReply(521, .code(5, 5, 2), "Error: lines end in CR LF, not in LF alone")
    static let controlInCommand = SMTPReply(500, .code(5, 5, 2), "Error: bare CR or NUL in a command")
    static let lineTooLong = SMTPReply(500, .code(5, 5, 2), "Error: command line too long")
    static let authenticationLineTooLong = SMTPReply(
        500,
        .code(5, 5, 6),
        "Error: authentication exchange line too long"
    )
    static let badChunkSize = SMTPReply(501, .code(5, 5, 4), "Error: not BDAT <octets> [LAST]")
    static let ok = SMTPReply(250, .code(2, 0, 0), "Ok")
    static let help = SMTPReply(
        214,
        .code(2, 0, 0),
        "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH QUIT",
        "See RFC 5321"
    )
    static let cannotVerify = SMTPReply(252, .code(2, 5, 0), "Cannot verify, but will take mail for it if it is ours")
    static let notImplemented = SMTPReply(502, .code(5, 5, 1), "Error: command not implemented")
    static let unknownCommand = SMTPReply(500, .code(5, 5, 2), "Error: command not recognized")
    static let foreign = SMTPReply(554, .code(5, 5, 1), "Error: this is an SMTP server")
    static let helloFirst = SMTPReply(503, .code(5, 5, 1), "Error: send EHLO first")
    static let startTLSFirst = SMTPReply(530, .code(5, 7, 0), "Must issue a STARTTLS command first")
    static let authenticateFirst = SMTPReply(530, .code(5, 7, 0), "Authentication required")
    static let nestedMail = SMTPReply(503, .code(5, 5, 1), "Error: nested MAIL command")
    static let mailFirst = SMTPReply(503, .code(5, 5, 1), "Error: need MAIL command")
    static let noRecipients = SMTPReply(554, .code(5, 5, 1), "Error: no valid recipients")
    static let chunksBegun = SMTPReply(503, .code(5, 5, 1), "Error: the message began with BDAT")
    static let chunkOutOfPlace = SMTPReply(503, .code(5, 5, 1), "Error: the message was refused already, send RSET")
    static let tooManyRecipients = SMTPReply(452, .code(4, 5, 3), "Error: too many recipients")
    static let senderOk = SMTPReply(250, .code(2, 1, 0), "Sender ok")
    static let recipientOk = SMTPReply(250, .code(2, 1, 5), "Recipient ok")
    static let senderNeedsUTF8 = SMTPReply(553, .code(5, 6, 7), "Error: a non-ASCII address needs SMTPUTF8")
    static let recipientNeedsUTF8 = SMTPReply(553, .code(5, 6, 7), "Error: a non-ASCII address needs SMTPUTF8 on MAIL")
    static let startText = SMTPReply(354, nil, "End data with <CR><LF>.<CR><LF>")
    static let taken = SMTPReply(250, .code(2, 0, 0), "Ok: message taken")
    static let tooManyHops = SMTPReply(554, .code(5, 4, 6), "Error: too many hops, mail seems to loop")
    static let tlsAlready = SMTPReply(503, .code(5, 5, 1), "Error: TLS already active")
    static let tlsReady = SMTPReply(220, .code(2, 0, 0), "Ready to start TLS")
    static let authenticatedAlready = SMTPReply(503, .code(5, 5, 1), "Error: already authenticated")
    static let authenticationInTransaction = SMTPReply(503, .code(5, 5, 1), "Error: AUTH within a mail transaction")
    static let encryptionNeeded = SMTPReply(538, .code(5, 7, 11), "Encryption required: send STARTTLS first")
    static let unknownMechanism = SMTPReply(504, .code(5, 5, 4), "Error: authentication mechanism not supported")
    static let authenticationAborted = SMTPReply(501, .code(5, 7, 0), "Authentication cancelled")
    static let badAuthenticationResponse = SMTPReply(501, .code(5, 5, 2), "Error: malformed authentication response")
    static let authenticated = SMTPReply(235, .code(2, 7, 0), "Authentication successful")
    static let badCredentials = SMTPReply(535, .code(5, 7, 8), "Authentication credentials invalid")
    static let authenticationUnavailable = SMTPReply(454, .code(4, 7, 0), "Temporary authentication failure")
    static let authenticationThrottled = SMTPReply(454, .code(4, 7, 0), "Too many failed logins, try again later")

    static func tooLarge(_ maximum: UInt64) -> SMTPReply {
        SMTPReply(552, .code(5, 3, 4), "Error: message exceeds the limit of \(maximum) octets")
    }

    static func headerTooLarge(_ maximum: Int) -> SMTPReply {
        SMTPReply(552, .code(5, 3, 4), "Error: header section exceeds the limit of \(maximum) octets")
    }

    static func defect(_ defect: SMTPTextDecoder.Defect) -> SMTPReply {
        switch defect {
        case .bareCR: SMTPReply(550, .code(5, 6, 11), "Error: message contains bare CR; lines end in CR LF")
        case .bareLF: SMTPReply(550, .code(5, 6, 11), "Error: message contains bare LF; lines end in CR LF")
        case .nul: SMTPReply(550, .code(5, 6, 0), "Error: message contains NUL")
        case .lineTooLong: SMTPReply(550, .code(5, 6, 0), "Error: message contains a line that is too long")
        }
    }

    static func syntax(_ error: SMTPSyntaxError, _ verb: SMTPVerb) -> SMTPReply {
        switch error {
        case .missingArgument, .unexpectedArgument:
            return SMTPReply(501, .code(5, 5, 4), "Error: wrong arguments for \(verb.rawValue.uppercased())")
        case .badHostName: return SMTPReply(501, .code(5, 5, 4), "Error: bad host name")
        case .badPath:
            return SMTPReply(501, .code(5, 5, 4), "Syntax: \(verb == .mail ? "MAIL FROM" : "RCPT TO"):<address>")
        case .badAddress(let reason): return address(reason, isSender: verb == .mail)
        case .badParameter: return SMTPReply(501, .code(5, 5, 4), "Error: bad parameter")
        case .duplicateParameter: return SMTPReply(501, .code(5, 5, 4), "Error: parameter given twice")
        case .unknownParameter: return SMTPReply(555, .code(5, 5, 4), "Error: unsupported parameter")
        case .badChunkSize: return badChunkSize
        }
    }

    private static func address(_ reason: AddressSyntaxError, isSender: Bool) -> SMTPReply {
        let detail: UInt16 = isSender ? 7 : 3
        let text =
            switch reason {
            case .missingAt: "address without a domain"
            case .badLocalPart: "bad local part"
            case .badDomain: "bad domain"
            case .localPartTooLong, .domainTooLong, .addressTooLong: "address too long"
            case .notASCII, .badUTF8: "address is not UTF-8 text"
            }
        return SMTPReply(501, .code(5, 1, detail), "Error: \(text)")
    }
}
