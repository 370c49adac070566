// SPDX-License-Identifier: Apache-2.0

import Wire

/// The status line that answers a command.
///
/// ```
/// single-line =  status [SP text] CRLF       ; RFC 2449 §4
/// status      =  "+OK" / "-ERR"
/// resp-code   =  "[" resp-level *( "/" resp-level ) "]"      ; RFC 2449 §8, at the text's beginning
/// ```
package struct POP3Reply: Hashable, Sendable {
    package let isPositive: Bool
    /// The response code in capitals, `SYS/TEMP`; nil where there is none.
    package let code: String?
    /// What stands behind status and code; octets that are not UTF-8 became U+FFFD.
    package let text: String

    package init(isPositive: Bool, code: String? = nil, text: String) {
        self.isPositive = isPositive
        self.code = code
        self.text = text
    }
}

/// What a server said that is no answer of RFC 1939.
package enum POP3SyntaxError: Error, Hashable, Sendable {
    /// Neither `+OK` nor `-ERR` where one of them must be.
    case badStatus
    case lineTooLong
    /// The line of STAT, LIST, UIDL or CAPA is not what its grammar says, or not for the message asked for.
    case badLine
    /// More lines than there can be.
    case tooManyLines
    /// A message is larger than it may be.
    case messageTooLarge
}

/// Where lines end, which the greeting shows.
package enum POP3LineEnd: Hashable, Sendable {
    case crlf
    /// LF alone, as some servers for testing have it: then LF ends lines throughout. Nobody may mix the two, or a message
    /// could hold what looks like its end.
    case lf
}

/// Lines from the wire.
struct POP3LineReader: Sendable {
    /// RFC 2449 §4 allows 512 octets; servers that explain their refusals send more.
    static let maximumLineOctets = 4096

    private(set) var lineEnd: POP3LineEnd?
    /// Behind this offset the input was not yet searched.
    private var searched = 0

    /// The next line without its end, taken from the front of `input`; nil where more input is needed.
    mutating func next(_ input: inout ByteBuffer) throws(POP3SyntaxError) -> [UInt8]? {
        guard let end = input.bytes.firstIndex(of: ASCII.lf, from: searched) else {
            searched = input.count
            guard searched < Self.maximumLineOctets else { throw .lineTooLong }
            return nil
        }
        searched = 0
        guard end < Self.maximumLineOctets else { throw .lineTooLong }
        let hasCR = end > 0 && input.bytes[end - 1] == ASCII.cr
        if lineEnd == nil { lineEnd = hasCR ? .crlf : .lf }
        let line = input.bytes.extracting(0..<(hasCR ? end - 1 : end)).array()
        input.consume(end + 1)
        return line
    }
}

extension POP3Reply {
    /// Nil where the line is no status line.
    init?(_ line: [UInt8]) {
        let isPositive: Bool
        let status: Int
        if Self.begins(line, "+OK") {
            (isPositive, status) = (true, 3)
        } else if Self.begins(line, "-ERR") {
            (isPositive, status) = (false, 4)
        } else {
            return nil
        }
        guard line.count == status || ASCII.isBlank(line[status]) else { return nil }
        let rest = line[status...].drop(while: ASCII.isBlank)
        let (code, text) = Self.splitCode(rest)
        self.init(isPositive: isPositive, code: code, text: Array(text).span.repairedUTF8String())
    }

    private static func begins(_ line: [UInt8], _ status: StaticString) -> Bool {
        let count = status.utf8CodeUnitCount
        return line.count >= count && ASCII.equalsIgnoringCase(line[..<count], status)
    }

    private static func splitCode(_ text: ArraySlice<UInt8>) -> (String?, ArraySlice<UInt8>) {
        guard text.first == ASCII.openBracket, let end = text.firstIndex(of: ASCII.closeBracket),
            end > text.startIndex + 1
        else { return (nil, text) }
        let code = text[(text.startIndex + 1)..<end]
        guard code.allSatisfy({ ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen || $0 == ASCII.slash }) else {
            return (nil, text)
        }
        let name = String(decoding: code.map(ASCII.uppercased), as: UTF8.self)
        return (name, text[(end + 1)...].drop(while: ASCII.isBlank))
    }
}
