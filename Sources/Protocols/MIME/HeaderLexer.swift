// SPDX-License-Identifier: Apache-2.0

import Wire

/// Steps over the octets of a structured value: blanks and comments, tokens and quoted strings.
///
/// Never behind its end.
struct HeaderLexer {
    let text: [UInt8]
    private(set) var index = 0

    init(_ text: [UInt8]) { self.text = text }

    var isAtEnd: Bool { index >= text.count }
    var peek: UInt8? { index < text.count ? text[index] : nil }

    mutating func advance() { index = min(index + 1, text.count) }

    /// CFWS of RFC 5322 §3.2.2; a comment that does not end reaches to the end.
    mutating func skipBlanksAndComments() {
        var depth = 0
        while index < text.count {
            switch text[index] {
            case ASCII.openParenthesis: depth += 1
            case ASCII.closeParenthesis where depth > 0: depth -= 1
            case ASCII.backslash where depth > 0: advance()
            case ASCII.space, ASCII.tab, ASCII.cr, ASCII.lf: break
            default: if depth == 0 { return }
            }
            advance()
        }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        index += 1
        return true
    }

    /// The octets up to one of `stops`, without blanks at the end.
    mutating func take(until stops: (UInt8) -> Bool) -> [UInt8] {
        let start = index
        while index < text.count, !stops(text[index]) { index += 1 }
        var end = index
        while end > start, ASCII.isWhitespace(text[end - 1]) { end -= 1 }
        return Array(text[start..<end])
    }

    /// Behind an opening quote: the content up to the closing one, or to the end.
    mutating func quotedContent() -> [UInt8] {
        var content: [UInt8] = []
        while index < text.count, text[index] != ASCII.quote {
            if text[index] == ASCII.backslash, index + 1 < text.count { index += 1 }
            content.append(text[index])
            index += 1
        }
        advance()
        return content
    }
}
