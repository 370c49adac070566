// SPDX-License-Identifier: Apache-2.0

import Charsets
import Wire

/// Header text for people: unfolded, encoded words decoded (RFC 2047), octets beyond ASCII read as UTF-8 if all of the
/// value is that, else as windows-1252 (RFC 6532, and what was before it).
///
/// What comes out is never read as structure again.
package enum HeaderText {
    /// The text of an unstructured value.
    ///
    /// Controls become blanks; blanks at both ends go.
    package static func decode(_ raw: ArraySlice<UInt8>) -> String {
        let value = unfolded(raw)
        var words = EncodedWords(literals: value.span.utf8String() == nil ? .windows1252 : .utf8)
        return words.decode(value.span)
    }

    package static func decode(_ raw: [UInt8]) -> String { decode(raw[...]) }

    /// Every line end, with the blanks around it, becomes one blank.
    package static func unfolded(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(raw.count)
        var inFold = false
        for byte in raw {
            switch byte {
            case ASCII.cr, ASCII.lf:
                while let last = text.last, ASCII.isBlank(last) { text.removeLast() }
                inFold = true
            case ASCII.space where inFold, ASCII.tab where inFold: continue
            default:
                if inFold, !text.isEmpty { text.append(ASCII.space) }
                inFold = false
                text.append(byte)
            }
        }
        return text
    }
}

/// ```
/// encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
/// ```
/// Taken wherever it stands, also inside words and quotes, because senders put it there; blanks between two are not text. The
/// octets of neighbours in one character set are joined before they are read: a character may be split between them.
struct EncodedWords {
    /// How text outside encoded words is read.
    let literals: Charset
    private var output: [UInt8] = []
    /// The octets of the last words, not yet read.
    private var pending: [UInt8] = []
    private var pendingCharset: Charset?
    /// Set once a search for the end of a word found none: then there is none further on either.
    private var noEndBeyond = false

    init(literals: Charset) { self.literals = literals }

    private static let longestCharset = 64

    mutating func decode(_ text: Span<UInt8>) -> String {
        var index = 0
        var literal = 0
        while index + 1 < text.count {
            guard text[index] == ASCII.equals, text[index + 1] == ASCII.question, let word = word(in: text, at: index)
            else {
                index += 1
                continue
            }
            append(literal: text.extracting(literal..<index), isBetween: pendingCharset != nil)
            append(word, text)
            index = word.end
            literal = index
        }
        append(literal: text.extracting(literal..<text.count), isBetween: false)
        flush()
        return finished()
    }

    private struct Word {
        let charset: Range<Int>
        let isBase64: Bool
        let text: Range<Int>
        let end: Int
    }

    private mutating func word(in text: Span<UInt8>, at start: Int) -> Word? {
        var index = start + 2
        while index < text.count, text[index] != ASCII.question {
            guard index - start < Self.longestCharset, text[index] > ASCII.space, text[index] < 0x7F else { return nil }
            index += 1
        }
        let charset = start + 2..<index
        guard !charset.isEmpty, index + 2 < text.count, text[index + 2] == ASCII.question, !noEndBeyond else {
            return nil
        }
        let encoding = ASCII.lowercased(text[index + 1])
        guard encoding == 0x62 || encoding == 0x71 else { return nil }
        let first = index + 3
        index = first
        while index + 1 < text.count {
            if text[index] == ASCII.question, text[index + 1] == ASCII.equals {
                return Word(charset: charset, isBase64: encoding == 0x62, text: first..<index, end: index + 2)
            }
            index += 1
        }
        noEndBeyond = true
        return nil
    }

    private mutating func append(literal: Span<UInt8>, isBetween: Bool) {
        var isBlank = true
        for index in literal.indices where !ASCII.isWhitespace(literal[index]) { isBlank = false }
        if literal.isEmpty || (isBetween && isBlank) { return }
        flush()
        output.append(contentsOf: CharsetDecoder.decode(literal, as: literals))
    }

    private mutating func append(_ word: Word, _ text: Span<UInt8>) {
        var label = text.extracting(word.charset).array()[...]
        // RFC 2231 §5: charset*language
        if let star = label.firstIndex(of: ASCII.asterisk) { label = label[..<star] }
        let charset = Charset(label: label) ?? .unlabelled
        if pendingCharset != charset { flush() }
        pendingCharset = charset
        let encoded = text.extracting(word.text)
        if word.isBase64 {
            pending.append(contentsOf: BodyDecoder.decode(encoded, .base64))
        } else {
            appendQ(encoded)
        }
    }

    /// RFC 2047 §4.2.
    private mutating func appendQ(_ text: Span<UInt8>) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == ASCII.equals, index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
                let low = ASCII.hexValue(text[index + 2])
            {
                pending.append(high << 4 | low)
                index += 3
            } else {
                pending.append(byte == ASCII.underscore ? ASCII.space : byte)
                index += 1
            }
        }
    }

    private mutating func flush() {
        guard let charset = pendingCharset else { return }
        output.append(contentsOf: CharsetDecoder.decode(pending.span, as: charset))
        pending.removeAll()
        pendingCharset = nil
    }

    private mutating func finished() -> String {
        for index in output.indices where ASCII.isControl(output[index]) { output[index] = ASCII.space }
        var range = output.startIndex..<output.endIndex
        while !range.isEmpty, output[range.lowerBound] == ASCII.space {
            range = range.lowerBound + 1..<range.upperBound
        }
        while !range.isEmpty, output[range.upperBound - 1] == ASCII.space {
            range = range.lowerBound..<range.upperBound - 1
        }
        return output.span.extracting(range).repairedUTF8String()
    }
}
