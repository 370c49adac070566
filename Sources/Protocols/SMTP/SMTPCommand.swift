// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Wire

/// The verbs a server knows by name; the words of metrics too, so there is no more of them than these.
package enum SMTPVerb: String, CaseIterable, Sendable {
    case helo, ehlo, mail, rcpt, data, bdat, rset, noop, vrfy, expn, help, quit, starttls, auth
    /// TURN, SEND, SOML, SAML, ETRN: known and not implemented.
    case obsolete
    case unknown
    /// Not commands: the greeting, and what ends a session.
    case connect, session
}

/// One command, its arguments parsed.
package enum SMTPCommand: Hashable, Sendable {
    case helo([UInt8])
    case ehlo([UInt8])
    case mail(SMTPMail)
    case rcpt(SMTPRcpt)
    case data
    case bdat(octets: UInt64, isLast: Bool)
    case rset
    case noop
    case vrfy
    case expn
    case help
    case quit
    case startTLS
    /// `initialResponse` is still base64; nil where there was none.
    case auth(mechanism: [UInt8], initialResponse: [UInt8]?)
    case obsolete
    case unknown
    /// A line a web browser or a proxy's client sends: nothing that follows it is meant for us.
    case foreign
}

/// What is wrong with a command whose verb is known.
package enum SMTPSyntaxError: Error, Hashable, Sendable {
    case missingArgument
    case unexpectedArgument
    case badHostName
    /// No `FROM:<…>` or `TO:<…>`.
    case badPath
    case badAddress(AddressSyntaxError)
    case badParameter
    case duplicateParameter
    /// A parameter nobody announced.
    case unknownParameter
    case badChunkSize
}

extension SMTPCommand {
    /// The verb of a line, in any case.
    package static func verb(of line: Span<UInt8>) -> SMTPVerb {
        let word = line.extracting(0..<(line.firstIndex(of: ASCII.space) ?? line.count))
        for verb in SMTPVerb.allCases where ASCII.lowercased(word.array()) == Array(verb.rawValue.utf8) {
            switch verb {
            case .obsolete, .unknown, .connect, .session: return .unknown
            default: return verb
            }
        }
        for name in ["turn", "send", "soml", "saml", "etrn"] where ASCII.lowercased(word.array()) == Array(name.utf8) {
            return .obsolete
        }
        return .unknown
    }

    /// Parses a line without its CRLF.
    ///
    /// It holds no CR, LF or NUL. Blanks at its end are ignored (RFC 5321 §4.1.1).
    package static func parse(_ line: Span<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        var end = line.count
        while end > 0, ASCII.isBlank(line[end - 1]) { end -= 1 }
        let verb = verb(of: line.extracting(0..<end))
        let space = line.extracting(0..<end).firstIndex(of: ASCII.space) ?? end
        let argument = line.extracting(min(space + 1, end)..<end)
        switch verb {
        case .helo: return .helo(try hostName(argument))
        case .ehlo: return .ehlo(try hostName(argument))
        case .mail: return .mail(try SMTPMail(argument))
        case .rcpt: return .rcpt(try SMTPRcpt(argument))
        case .data: return try without(argument, .data)
        case .bdat: return try chunk(argument)
        case .rset: return try without(argument, .rset)
        case .quit: return try without(argument, .quit)
        case .starttls: return try without(argument, .startTLS)
        case .noop: return .noop
        case .help: return .help
        case .vrfy: return try with(argument, .vrfy)
        case .expn: return try with(argument, .expn)
        case .auth: return try auth(argument)
        case .obsolete: return .obsolete
        case .unknown, .connect, .session: return isForeign(line) ? .foreign : .unknown
        }
    }

    private static func without(_ argument: Span<UInt8>, _ command: SMTPCommand) throws(SMTPSyntaxError) -> SMTPCommand
    {
        guard argument.isEmpty else { throw .unexpectedArgument }
        return command
    }

    private static func with(_ argument: Span<UInt8>, _ command: SMTPCommand) throws(SMTPSyntaxError) -> SMTPCommand {
        guard !argument.isEmpty else { throw .missingArgument }
        return command
    }

    /// Whatever names the client, as long as it can be written into a header.
    ///
    /// RFC 5321 §4.1.4 forbids refusing a client for a name that is not true, and names with `_` are common.
    private static func hostName(_ argument: Span<UInt8>) throws(SMTPSyntaxError) -> [UInt8] {
        guard !argument.isEmpty else { throw .missingArgument }
        guard argument.count <= Domain.maximumOctets else { throw .badHostName }
        for index in argument.indices {
            let byte = argument[index]
            let isFit = ASCII.isAlphanumeric(byte) || byte >= 0x80 || Array("-._:[]+~=/*".utf8).contains(byte)
            guard isFit else { throw .badHostName }
        }
        guard argument.utf8String() != nil else { throw .badHostName }
        return argument.array()
    }

    /// `bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CR LF` (RFC 3030 §2).
    private static func chunk(_ argument: Span<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        let space = argument.firstIndex(of: ASCII.space) ?? argument.count
        guard let octets = StrictInteger.decimal(argument.extracting(0..<space)) else { throw .badChunkSize }
        guard space < argument.count else { return .bdat(octets: octets, isLast: false) }
        guard ASCII.equalsIgnoringCase(argument.extracting((space + 1)..<argument.count), "LAST") else {
            throw .badChunkSize
        }
        return .bdat(octets: octets, isLast: true)
    }

    /// `auth-command = "AUTH" SP sasl-mech [SP initial-response]` (RFC 4954 §8).
    private static func auth(_ argument: Span<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        guard !argument.isEmpty else { throw .missingArgument }
        let space = argument.firstIndex(of: ASCII.space) ?? argument.count
        let mechanism = argument.extracting(0..<space).array()
        guard space < argument.count else { return .auth(mechanism: mechanism, initialResponse: nil) }
        let response = argument.extracting((space + 1)..<argument.count)
        guard response.firstIndex(of: ASCII.space) == nil else { throw .unexpectedArgument }
        return .auth(mechanism: mechanism, initialResponse: response.array())
    }

    private static func isForeign(_ line: Span<UInt8>) -> Bool {
        let space = line.firstIndex(of: ASCII.space) ?? line.count
        let word = line.extracting(0..<space).array()
        return ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PRI"].contains { Array($0.utf8) == word }
    }
}
