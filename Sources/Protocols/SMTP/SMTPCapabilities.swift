// SPDX-License-Identifier: Apache-2.0

package import SASL
import Wire

/// What a server says it can do, in its reply to EHLO (or LHLO).
///
/// ```
/// ehlo-line = ehlo-keyword *( SP ehlo-param )
/// ```
/// RFC 5321 §4.1.1.1. Keywords we do not know are passed over.
package struct SMTPCapabilities: Hashable, Sendable {
    package var pipelining = false
    /// SIZE (RFC 1870): octets of the largest message taken; nil where nothing is said of it.
    package var maximumMessageOctets: UInt64?
    /// Whether MAIL may carry SIZE.
    package var size = false
    package var eightBitMIME = false
    package var smtpUTF8 = false
    package var chunking = false
    package var dsn = false
    package var enhancedStatusCodes = false
    package var startTLS = false
    package var requireTLS = false
    /// RFC 9422: recipients of one message.
    package var maximumRecipients: Int?
    /// RFC 9422: messages in one session.
    package var maximumMessages: Int?
    /// Those we know.
    package var mechanisms: Set<SASLClientMechanism> = []

    package init() {}

    /// Of the lines of a reply; the first is the server's greeting.
    package init(_ reply: SMTPReply) {
        for line in reply.lines.dropFirst() { take(Array(line.utf8)) }
    }

    private mutating func take(_ line: [UInt8]) {
        let words = line.split(whereSeparator: ASCII.isBlank)
        guard let keyword = words.first else { return }
        let parameters = words.dropFirst().map(Array.init)
        switch String(decoding: keyword.map(ASCII.uppercased), as: UTF8.self) {
        case "PIPELINING": pipelining = true
        case "SIZE":
            size = true
            // 0 says that no limit is known (RFC 1870 §4).
            let limit = parameters.first.flatMap { StrictInteger.decimal($0) }
            maximumMessageOctets = limit == 0 ? nil : limit
        case "8BITMIME": eightBitMIME = true
        case "SMTPUTF8": smtpUTF8 = true
        case "CHUNKING": chunking = true
        case "DSN": dsn = true
        case "ENHANCEDSTATUSCODES": enhancedStatusCodes = true
        case "STARTTLS": startTLS = true
        case "REQUIRETLS": requireTLS = true
        case "LIMITS": for parameter in parameters { limit(parameter) }
        // Exchange 2000 says X-EXPS for AUTH, and older servers AUTH=LOGIN.
        case "AUTH", "X-EXPS": add(parameters)
        case let word where word.hasPrefix("AUTH="): add([Array(keyword.dropFirst(5))] + parameters)
        default: break
        }
    }

    private mutating func add(_ names: [[UInt8]]) {
        for name in names { if let known = SASLClientMechanism(name: name.span) { mechanisms.insert(known) } }
    }

    private mutating func limit(_ parameter: [UInt8]) {
        let pair = parameter.split(separator: ASCII.equals, omittingEmptySubsequences: false)
        guard pair.count == 2, let value = StrictInteger.decimal(pair[1], maximum: 999_999), value > 0 else { return }
        if ASCII.equalsIgnoringCase(pair[0], "RCPTMAX") { maximumRecipients = Int(value) }
        if ASCII.equalsIgnoringCase(pair[0], "MAILMAX") { maximumMessages = Int(value) }
    }
}
