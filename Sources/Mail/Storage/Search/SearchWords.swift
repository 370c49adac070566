// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Text made ready for the index, and queries in the same way: words of scripts with spaces stay as they are (the index's
/// tokenizer folds case and accents); scripts written without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer,
/// Burmese) become overlapping pairs of characters, because most of their words have two.
///
///     "中文邮件 ok"  →  "中文 文邮 邮件 件 ok"
///
/// The last character of such a run is there once more alone, so that a query of one character, which asks for pairs that
/// begin with it, finds it at the end too.
package enum SearchWords {
    /// A longer word is indexed and looked for by its first so many code points: no word of any language is longer, and
    /// encoded rubbish does not fill the index.
    package static let maximumWordLength = 64

    enum Kind { case separator, word, dense }

    static func kind(of scalar: Unicode.Scalar) -> Kind {
        if scalar.isASCII { return ASCII.isAlphanumeric(UInt8(truncatingIfNeeded: scalar.value)) ? .word : .separator }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
            .spacingMark, .decimalNumber, .letterNumber, .otherNumber, .privateUse:
            return isDense(scalar.value) ? .dense : .word
        default: return .separator
        }
    }

    private static func isDense(_ value: UInt32) -> Bool {
        switch value {
        case ..<0x0E00: false
        case 0x0E00...0x0EFF: true  // Thai, Lao
        case 0x1000...0x109F: true  // Myanmar
        case 0x1100...0x11FF: true  // Hangul letters
        case 0x1780...0x17FF: true  // Khmer
        case 0x3005...0x3007, 0x3021...0x3029, 0x3031...0x3035, 0x3038...0x303C: true  // ideographic marks
        case 0x3041...0x31FF: true  // Hiragana, Katakana, Bopomofo, Hangul letters
        case 0x3400...0x4DBF, 0x4E00...0x9FFF: true  // Han
        case 0xA960...0xA97F, 0xAA60...0xAA7F, 0xAC00...0xD7FF: true  // Hangul, Myanmar
        case 0xF900...0xFAFF: true  // Han, compatibility
        case 0xFF66...0xFFDC: true  // half-width Katakana and Hangul
        case 0x1AFF0...0x1B16F, 0x20000...0x3FFFF: true  // Kana, Han
        default: false
        }
    }

    /// Whether the UTF-8 text has a character that can be looked for.
    package static func isSearchable(_ text: Span<UInt8>) -> Bool {
        text.repairedUTF8String().unicodeScalars.contains { kind(of: $0) != .separator }
    }

    /// Appends the words of `text` (UTF-8; ill-formed sequences separate words) with spaces between them.
    package static func append(_ text: Span<UInt8>, to buffer: inout ByteBuffer) {
        var writer = WordWriter()
        var start = 0
        // In runs of one kind, because most text is ASCII, of which nothing has to be decoded or looked up.
        while start < text.count {
            let kind = RunKind(text[start])
            var end = start &+ 1
            while end < text.count, RunKind(text[end]) == kind { end &+= 1 }
            let run = text.extracting(start..<end)
            switch kind {
            case .word: writer.write(word: run, to: &buffer)
            case .separators: writer.separate(&buffer)
            case .beyondASCII: write(run, with: &writer, to: &buffer)
            }
            start = end
        }
        writer.finishRun(&buffer)
    }

    /// What an octet of UTF-8 belongs to.
    private enum RunKind {
        case word, separators, beyondASCII

        init(_ byte: UInt8) {
            self = byte >= 0x80 ? .beyondASCII : ASCII.isAlphanumeric(byte) ? .word : .separators
        }
    }

    private static func write(_ text: Span<UInt8>, with writer: inout WordWriter, to buffer: inout ByteBuffer) {
        if let utf8 = try? UTF8Span(validating: text) {
            var scalars = utf8.makeUnicodeScalarIterator()
            while let scalar = scalars.next() { writer.write(scalar, to: &buffer) }
        } else {
            for scalar in text.repairedUTF8String().unicodeScalars { writer.write(scalar, to: &buffer) }
        }
    }

    /// What to look for in the index: the words, and whether the last of them is only a beginning.
    package static func query(_ text: Span<UInt8>) -> (words: [UInt8], isPrefix: Bool) {
        var buffer = ByteBuffer()
        var writer = WordWriter()
        for scalar in text.repairedUTF8String().unicodeScalars { writer.write(scalar, to: &buffer) }
        // The run goes on in the text, for all we know: its last character alone is asked for only if there is no pair.
        let isPrefix = writer.runLength == 1
        if isPrefix { writer.finishRun(&buffer) }
        return (buffer.array(), isPrefix)
    }
}

/// Writes one text's characters as words.
private struct WordWriter {
    /// Characters of the word, or of the run of dense script, that is being written.
    private(set) var runLength = 0
    private var wordLength = 0
    private var previous: Unicode.Scalar?

    mutating func write(_ scalar: Unicode.Scalar, to buffer: inout ByteBuffer) {
        switch SearchWords.kind(of: scalar) {
        case .word:
            finishRun(&buffer)
            if wordLength < SearchWords.maximumWordLength { append(scalar, to: &buffer) }
            wordLength += 1
        case .dense:
            endWord(&buffer)
            if let previous {
                buffer.append(previous)
                buffer.append(scalar)
                buffer.append(ASCII.space)
            }
            previous = scalar
            runLength += 1
        case .separator: separate(&buffer)
        }
    }

    /// A word, or a piece of one, that is ASCII.
    mutating func write(word: Span<UInt8>, to buffer: inout ByteBuffer) {
        finishRun(&buffer)
        let room = max(SearchWords.maximumWordLength - wordLength, 0)
        buffer.append(word.extracting(0..<min(room, word.count)))
        wordLength += word.count
    }

    mutating func separate(_ buffer: inout ByteBuffer) {
        finishRun(&buffer)
        endWord(&buffer)
    }

    /// The tokenizer folds case one character for one; the sharp s, which has two as a capital, is left to us.
    private func append(_ scalar: Unicode.Scalar, to buffer: inout ByteBuffer) {
        if scalar.value == 0xDF || scalar.value == 0x1E9E { buffer.append("ss") } else { buffer.append(scalar) }
    }

    private mutating func endWord(_ buffer: inout ByteBuffer) {
        if wordLength > 0 { buffer.append(ASCII.space) }
        wordLength = 0
    }

    /// Writes the last character of a run alone.
    mutating func finishRun(_ buffer: inout ByteBuffer) {
        guard let last = previous else { return }
        buffer.append(last)
        buffer.append(ASCII.space)
        previous = nil
        runLength = 0
    }
}

extension ByteBuffer {
    fileprivate mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else {
            for byte in UTF8.encode(scalar).unsafelyUnwrapped { append(byte) }
        }
    }
}
