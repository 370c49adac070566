// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Wire

/// The argument of MAIL.
package struct SMTPMail: Hashable, Sendable {
    package enum Body: Sendable { case sevenBit, eightBitMIME }

    /// Nil is the null reverse-path `<>`, of messages that nobody may answer by another.
    package var reversePath: EmailAddress?
    /// SIZE (RFC 1870): what the client believes, in octets.
    ///
    /// For refusing early, never for allocating.
    package var size: UInt64?
    package var body: Body?
    /// SMTPUTF8 (RFC 6531): headers and addresses may be UTF-8.
    package var isUTF8 = false

    package init(reversePath: EmailAddress?, size: UInt64? = nil, body: Body? = nil, isUTF8: Bool = false) {
        self.reversePath = reversePath
        self.size = size
        self.body = body
        self.isUTF8 = isUTF8
    }

    /// ```
    /// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF
    /// Reverse-path   = Path / "<>"
    /// ```
    /// RFC 5321 §4.1.1.2. Deviation: blanks between the colon and the path are skipped; many scripts write them.
    init(_ argument: Span<UInt8>) throws(SMTPSyntaxError) {
        let (content, rest) = try SMTPPath.split(argument, keyword: "FROM:")
        let parameters = try SMTPParameter.parse(argument.extracting(rest))
        for parameter in parameters { try apply(parameter) }
        let path = argument.extracting(content)
        reversePath = path.isEmpty ? nil : try SMTPPath.mailbox(path)
    }

    private mutating func apply(_ parameter: SMTPParameter) throws(SMTPSyntaxError) {
        switch (parameter.keyword, parameter.value) {
        case ("SIZE", .some(let value)):
            guard value.count <= 20, value.allSatisfy(ASCII.isDigit) else { throw .badParameter }
            size = StrictInteger.decimal(value) ?? .max
        case ("BODY", .some(let value)):
            if ASCII.equalsIgnoringCase(value, "7BIT") {
                body = .sevenBit
            } else if ASCII.equalsIgnoringCase(value, "8BITMIME") {
                body = .eightBitMIME
            } else {
                throw .badParameter
            }
        case ("SMTPUTF8", nil): isUTF8 = true
        // RFC 4954 §5: who first submitted the message. Nobody here relies on it.
        case ("AUTH", .some): break
        case ("SIZE", nil), ("BODY", nil), ("AUTH", nil), ("SMTPUTF8", .some): throw .badParameter
        default: throw .unknownParameter
        }
    }
}

/// The argument of RCPT.
package struct SMTPRcpt: Hashable, Sendable {
    package enum Path: Hashable, Sendable {
        case mailbox(EmailAddress)
        /// `<Postmaster>` without a domain, which every server must know (RFC 5321 §4.5.1).
        case postmaster
    }

    package var path: Path

    package init(path: Path) { self.path = path }

    /// ```
    /// rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF
    /// ```
    /// RFC 5321 §4.1.1.3. We announce nothing that has a parameter here.
    init(_ argument: Span<UInt8>) throws(SMTPSyntaxError) {
        let (content, rest) = try SMTPPath.split(argument, keyword: "TO:")
        guard try SMTPParameter.parse(argument.extracting(rest)).isEmpty else { throw .unknownParameter }
        let path = argument.extracting(content)
        self.path = ASCII.equalsIgnoringCase(path, "postmaster") ? .postmaster : .mailbox(try SMTPPath.mailbox(path))
    }
}

/// ```
/// Path           = "<" [ A-d-l ":" ] Mailbox ">"
/// A-d-l          = At-domain *( "," At-domain )
/// ```
/// RFC 5321 §4.1.2.
enum SMTPPath {
    /// Where in `argument` the path's content and the parameters are, behind `keyword`.
    static func split(
        _ argument: Span<UInt8>,
        keyword: StaticString
    ) throws(SMTPSyntaxError) -> (content: Range<Int>, rest: Range<Int>) {
        let width = keyword.utf8CodeUnitCount
        guard argument.count >= width, ASCII.equalsIgnoringCase(argument.extracting(0..<width), keyword) else {
            throw argument.isEmpty ? .missingArgument : .badPath
        }
        var index = width
        while index < argument.count, ASCII.isBlank(argument[index]) { index += 1 }
        guard index < argument.count, argument[index] == ASCII.less else { throw .badPath }
        let first = index + 1
        guard let end = closingBracket(argument, from: first) else { throw .badPath }
        return (first..<end, (end + 1)..<argument.count)
    }

    /// The first `>` outside of a quoted string.
    private static func closingBracket(_ text: Span<UInt8>, from start: Int) -> Int? {
        var isQuoted = false
        var index = start
        while index < text.count {
            switch text[index] {
            case ASCII.quote: isQuoted.toggle()
            case ASCII.backslash where isQuoted: index += 1
            case ASCII.greater where !isQuoted: return index
            default: break
            }
            index += 1
        }
        return nil
    }

    /// The mailbox of a path.
    ///
    /// A source route is checked and otherwise ignored (RFC 5321 §4.1.1.3, appendix C).
    static func mailbox(_ path: Span<UInt8>) throws(SMTPSyntaxError) -> EmailAddress {
        var start = 0
        if !path.isEmpty, path[0] == ASCII.at {
            guard let colon = path.firstIndex(of: ASCII.colon) else { throw .badAddress(.badDomain) }
            var first = 0
            for index in 0...colon where index == colon || path[index] == ASCII.comma {
                guard first < index, path[first] == ASCII.at else { throw .badAddress(.badDomain) }
                do throws(AddressSyntaxError) {
                    _ = try Domain(path.extracting((first + 1)..<index))
                } catch {
                    throw .badAddress(error)
                }
                first = index + 1
            }
            start = colon + 1
        }
        do throws(AddressSyntaxError) {
            return try EmailAddress(path.extracting(start..<path.count))
        } catch {
            throw .badAddress(error)
        }
    }
}

/// ```
/// esmtp-param    = esmtp-keyword ["=" esmtp-value]
/// esmtp-keyword  = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// esmtp-value    = 1*(%d33-60 / %d62-126)
/// ```
/// RFC 5321 §4.1.2.
struct SMTPParameter: Hashable {
    /// In upper case.
    let keyword: String
    let value: [UInt8]?

    static func parse(_ text: Span<UInt8>) throws(SMTPSyntaxError) -> [SMTPParameter] {
        guard !text.isEmpty else { return [] }
        guard text[0] == ASCII.space else { throw .badPath }
        var parameters: [SMTPParameter] = []
        var first = 1
        for index in 1...text.count where index == text.count || text[index] == ASCII.space {
            if index > first {
                let parameter = try SMTPParameter(text.extracting(first..<index))
                guard !parameters.contains(where: { $0.keyword == parameter.keyword }) else {
                    throw .duplicateParameter
                }
                parameters.append(parameter)
            }
            first = index + 1
        }
        return parameters
    }

    private init(_ text: Span<UInt8>) throws(SMTPSyntaxError) {
        let equals = text.firstIndex(of: ASCII.equals) ?? text.count
        let keyword = text.extracting(0..<equals).array().map(ASCII.uppercased)
        guard let first = keyword.first, ASCII.isAlphanumeric(first),
            keyword.allSatisfy({ ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen })
        else { throw .badParameter }
        self.keyword = keyword.span.repairedUTF8String()
        guard equals < text.count else {
            value = nil
            return
        }
        let value = text.extracting((equals + 1)..<text.count).array()
        guard !value.isEmpty, value.allSatisfy({ (33...126).contains($0) && $0 != ASCII.equals }) else {
            throw .badParameter
        }
        self.value = value
    }
}
