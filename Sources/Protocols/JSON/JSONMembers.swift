// SPDX-License-Identifier: Apache-2.0

import Wire

/// Walks over the members of an object that we wrote ourselves (without its braces), without making a tree of it.
///
/// It trusts the text: for octets from outside there is ``JSONParser``. On text that is not members it ends early, and never
/// reads outside of it.
public struct JSONMembers {
    /// One member: where its name is (without quotes, escapes not undone), and where the whole of it is.
    public struct Member: Hashable, Sendable {
        public let name: Range<Int>
        public let whole: Range<Int>
    }

    private var index = 0

    public init() {}

    /// The next member of `text`, which must be the same at each call.
    public mutating func next(of text: Span<UInt8>) -> Member? {
        let start = index
        guard let nameEnd = Self.endOfString(text, from: start), nameEnd < text.count, text[nameEnd] == ASCII.colon
        else {
            return nil
        }
        let end = Self.endOfValue(text, from: nameEnd + 1)
        index = end + 1
        return Member(name: start + 1..<nameEnd - 1, whole: start..<end)
    }

    /// The offset behind the closing quote of the string that begins at `start`.
    private static func endOfString(_ text: Span<UInt8>, from start: Int) -> Int? {
        guard start < text.count, text[start] == ASCII.quote else { return nil }
        var index = start + 1
        while index < text.count {
            switch text[index] {
            case ASCII.quote: return index + 1
            case ASCII.backslash: index += 2
            default: index += 1
            }
        }
        return nil
    }

    /// The offset of the comma behind the value, or of the end of the text.
    private static func endOfValue(_ text: Span<UInt8>, from start: Int) -> Int {
        var index = start
        var depth = 0
        while index < text.count {
            switch text[index] {
            case ASCII.quote: index = endOfString(text, from: index) ?? text.count
            case ASCII.comma where depth == 0: return index
            case ASCII.openBrace, ASCII.openBracket:
                depth += 1
                index += 1
            case ASCII.closeBrace, ASCII.closeBracket:
                depth -= 1
                index += 1
            default: index += 1
            }
        }
        return text.count
    }
}
