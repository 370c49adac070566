// SPDX-License-Identifier: Apache-2.0

import MailTypes
package import Wire

/// What a server said that is no reply of RFC 5321 §4.2.
package enum SMTPReplySyntaxError: Error, Hashable, Sendable {
    /// No three digits that a reply can begin with, or something else than a hyphen, a blank or the end behind them.
    case badCode
    /// A line of a reply has another code than the first.
    case codeChanged
    case lineTooLong
    case tooManyLines
}

/// Replies from the wire.
///
/// ```
/// Reply-line     = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
/// Reply-code     = %x32-35 %x30-35 %x30-39
/// ```
/// RFC 5321 §4.2. Deviations that are taken as they are meant: a line that ends in LF alone, and octets above 0x7F in the
/// text, which become U+FFFD where they are not UTF-8.
package struct SMTPReplyParser: Sendable {
    /// RFC 5321 §4.5.3.1.5 allows 512 octets with the line end; servers that put URLs in their refusals send more.
    package static let maximumLineOctets = 4096
    package static let maximumLines = 128

    private var code: UInt16 = 0
    private var lines: [[UInt8]] = []
    /// Behind this offset the input was not yet searched for a line's end.
    private var searched = 0

    package init() {}

    /// The next reply, taken from the front of `input`; nil where more input is needed.
    package mutating func next(_ input: inout ByteBuffer) throws(SMTPReplySyntaxError) -> SMTPReply? {
        while true {
            guard let end = input.bytes.firstIndex(of: ASCII.lf, from: searched) else {
                searched = input.count
                guard searched < Self.maximumLineOctets else { throw .lineTooLong }
                return nil
            }
            searched = 0
            guard end < Self.maximumLineOctets else { throw .lineTooLong }
            let isLast = try take(input.bytes.extracting(0..<end))
            input.consume(end + 1)
            if isLast { return finish() }
        }
    }

    /// One line without its LF; true for the last of a reply.
    private mutating func take(_ line: Span<UInt8>) throws(SMTPReplySyntaxError) -> Bool {
        let count = line.count > 0 && line[line.count - 1] == ASCII.cr ? line.count - 1 : line.count
        guard count >= 3, let number = StrictInteger.decimal(line.extracting(0..<3), maximum: 559), number >= 200,
            line[1] < 0x36
        else { throw .badCode }
        guard lines.isEmpty || code == UInt16(number) else { throw .codeChanged }
        guard lines.count < Self.maximumLines else { throw .tooManyLines }
        code = UInt16(number)
        lines.append(line.extracting(min(4, count)..<count).array())
        guard count > 3 else { return true }
        switch line[3] {
        case ASCII.space: return true
        case ASCII.hyphen: return false
        default: throw .badCode
        }
    }

    private mutating func finish() -> SMTPReply {
        defer { lines = [] }
        // The status stands on every line, and only there (RFC 2034 §4); what some lines lack is text.
        guard let last = lines.last, let (status, octets) = EnhancedStatusCode.beginning(last.span),
            status.statusClass == code / 100
        else { return reply(lines.map { $0[...] }, nil) }
        let texts = lines.map { line in
            EnhancedStatusCode.beginning(line.span)?.status == status
                ? line[octets...].drop(while: ASCII.isBlank) : line[...]
        }
        return reply(texts, status)
    }

    private func reply(_ lines: [ArraySlice<UInt8>], _ status: EnhancedStatusCode?) -> SMTPReply {
        SMTPReply(code, status, lines: lines.map { Array($0).span.repairedUTF8String() })
    }
}

extension EnhancedStatusCode {
    /// ```
    /// status-code = class "." subject "." detail
    /// class = "2"/"4"/"5"   subject = 1*3digit   detail = 1*3digit
    /// ```
    /// RFC 3463 §2, at the beginning of a reply's text, with a blank or the end behind it.
    fileprivate static func beginning(_ text: Span<UInt8>) -> (status: Self, octets: Int)? {
        var numbers: [UInt64] = []
        var index = 0
        while true {
            var end = index
            while end < text.count, end - index < 3, ASCII.isDigit(text[end]) { end += 1 }
            guard let number = StrictInteger.decimal(text.extracting(index..<end)) else { return nil }
            numbers.append(number)
            index = end
            guard numbers.count < 3 else { break }
            guard index < text.count, text[index] == ASCII.dot else { return nil }
            index += 1
        }
        guard [2, 4, 5].contains(numbers[0]), index == text.count || ASCII.isBlank(text[index]) else { return nil }
        return (Self(UInt8(numbers[0]), UInt16(numbers[1]), UInt16(numbers[2])), index)
    }
}
