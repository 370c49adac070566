// SPDX-License-Identifier: Apache-2.0

import IMAP
import Wire

/// The words and parameters of a Content-Type or Content-Disposition value as BODYSTRUCTURE tells them: as they are written,
/// without quotation marks; nothing is decoded or put together (RFC 2231 is the reader's).
struct RawParameters {
    private static let limit = 100

    /// Up to the first `;`, without blanks and comments.
    let head: [UInt8]
    private(set) var parameters: [IMAPParameter] = []

    /// - Parameter value: unfolded.
    init(_ value: [UInt8]) {
        var reader = Reader(text: value)
        head = reader.token { $0 == ASCII.semicolon }
        while reader.next == ASCII.semicolon, parameters.count < Self.limit {
            reader.index += 1
            let name = reader.token { $0 == ASCII.semicolon || $0 == ASCII.equals }
            guard reader.next == ASCII.equals else { continue }
            reader.index += 1
            let value = reader.value()
            if !name.isEmpty { parameters.append(IMAPParameter(name: name, value: value)) }
        }
    }

    /// `type/subtype`; nil for anything else.
    var mediaType: (type: [UInt8], subtype: [UInt8])? {
        guard let slash = head.firstIndex(of: ASCII.slash), slash > 0, slash + 1 < head.count else { return nil }
        return (Array(head[..<slash]), Array(head[(slash + 1)...]))
    }

    private struct Reader {
        let text: [UInt8]
        var index = 0

        init(text: [UInt8]) { self.text = text }

        var next: UInt8? { index < text.count ? text[index] : nil }

        mutating func skipComment() {
            var depth = 0
            while let byte = next {
                index += 1
                if byte == ASCII.openParenthesis { depth += 1 }
                if byte == ASCII.backslash { index = min(index + 1, text.count) }
                if byte == ASCII.closeParenthesis {
                    depth -= 1
                    if depth == 0 { return }
                }
            }
        }

        /// Octets up to one that ends it, without blanks and comments.
        mutating func token(_ isEnd: (UInt8) -> Bool) -> [UInt8] {
            var token: [UInt8] = []
            while let byte = next, !isEnd(byte) {
                if byte == ASCII.openParenthesis {
                    skipComment()
                    continue
                }
                index += 1
                if !ASCII.isBlank(byte) { token.append(byte) }
            }
            return token
        }

        mutating func value() -> [UInt8] {
            while let byte = next, ASCII.isBlank(byte) || byte == ASCII.openParenthesis {
                if byte == ASCII.openParenthesis { skipComment() } else { index += 1 }
            }
            guard next == ASCII.quote else { return token { $0 == ASCII.semicolon } }
            index += 1
            var content: [UInt8] = []
            while let byte = next, byte != ASCII.quote {
                index += 1
                if byte == ASCII.backslash, let escaped = next {
                    index += 1
                    content.append(escaped)
                } else {
                    content.append(byte)
                }
            }
            index = min(index + 1, text.count)
            _ = token { $0 == ASCII.semicolon }
            return content
        }
    }
}
