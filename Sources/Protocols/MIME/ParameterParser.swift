// SPDX-License-Identifier: Apache-2.0

import Charsets
import Wire

/// Reads a Content-Type or Content-Disposition value: a word or two, then parameters (RFC 2045 §5.1, RFC 2183), with the
/// continuations and character sets of RFC 2231 and, because senders do so, encoded words in values.
///
/// ```
/// content   := "Content-Type" ":" type "/" subtype *(";" parameter)
/// parameter := attribute "=" value
/// value     := token / quoted-string
/// ```
package struct ParameterParser {
    /// The octets before the first `;`, comments and blanks left out.
    package let head: [UInt8]
    package private(set) var parameters: [MIMEParameter] = []
    package private(set) var sawTooMany = false
    /// The octets of a `boundary`: as they are, because delimiters repeat them so.
    private(set) var boundary: [UInt8]?

    /// One piece of a parameter: `name*3*=…`.
    private struct Piece {
        var section: Int
        var isEncoded: Bool
        var value: [UInt8]
    }

    private struct Gathered {
        var name: [UInt8]
        var plain: [UInt8]?
        var pieces: [Piece] = []
    }

    package init(_ raw: ArraySlice<UInt8>, limit: Int = MIMELimits.standard.parameters) {
        var lexer = HeaderLexer(HeaderText.unfolded(raw))
        head = Self.head(&lexer)
        var gathered: [Gathered] = []
        var places: [[UInt8]: Int] = [:]
        var count = 0
        while !lexer.isAtEnd {
            lexer.skipBlanksAndComments()
            if lexer.take(ASCII.semicolon) { continue }
            guard let (name, value) = Self.parameter(&lexer) else { continue }
            guard count < limit else {
                sawTooMany = true
                break
            }
            count += 1
            let (base, section, isEncoded) = Self.split(name)
            let place = places[base] ?? gathered.count
            if place == gathered.count {
                places[base] = place
                gathered.append(Gathered(name: base))
            }
            if let section {
                gathered[place].pieces.append(Piece(section: section, isEncoded: isEncoded, value: value))
            } else if gathered[place].plain == nil {
                gathered[place].plain = value
            }
        }
        boundary = places[Array("boundary".utf8)].flatMap { place in
            gathered[place].plain ?? gathered[place].pieces.sorted { $0.section < $1.section }.flatMap(\.value)
        }
        parameters = gathered.map { MIMEParameter(name: HeaderText.literal($0.name), value: Self.value(of: $0)) }
    }

    private static func head(_ lexer: inout HeaderLexer) -> [UInt8] {
        var head: [UInt8] = []
        while !lexer.isAtEnd {
            lexer.skipBlanksAndComments()
            guard let byte = lexer.peek, byte != ASCII.semicolon else { break }
            head.append(byte)
            lexer.advance()
        }
        return head
    }

    /// One `attribute=value`; nil, with the lexer moved on, where there is none.
    private static func parameter(_ lexer: inout HeaderLexer) -> (name: [UInt8], value: [UInt8])? {
        let name = lexer.take {
            $0 == ASCII.equals || $0 == ASCII.semicolon || $0 == ASCII.openParenthesis || $0 == ASCII.quote
        }
        lexer.skipBlanksAndComments()
        guard lexer.take(ASCII.equals) else {
            if lexer.take(ASCII.quote) {
                _ = lexer.quotedContent()
            } else if lexer.peek != ASCII.semicolon {
                lexer.advance()
            }
            return nil
        }
        lexer.skipBlanksAndComments()
        let value: [UInt8]
        if lexer.take(ASCII.quote) {
            var content = lexer.quotedContent()
            // `name="a" "b"`: some senders fold a long value into several quoted strings.
            while true {
                lexer.skipBlanksAndComments()
                guard lexer.take(ASCII.quote) else { break }
                content += lexer.quotedContent()
            }
            value = content
            _ = lexer.take { $0 == ASCII.semicolon }
        } else {
            value = unquoted(&lexer)
        }
        return name.isEmpty ? nil : (ASCII.lowercased(name), value)
    }

    /// A value without quotes reaches to the next semicolon, blanks included: that is what its writers mean.
    ///
    /// A comment behind it is not part of it.
    private static func unquoted(_ lexer: inout HeaderLexer) -> [UInt8] {
        var value: [UInt8] = []
        while let byte = lexer.peek, byte != ASCII.semicolon {
            if byte == ASCII.openParenthesis, value.last.map(ASCII.isBlank) ?? true {
                lexer.skipBlanksAndComments()
                continue
            }
            value.append(byte)
            lexer.advance()
        }
        while let last = value.last, ASCII.isBlank(last) || last == ASCII.quote { value.removeLast() }
        return value
    }

    /// `name*0*` → name, 0, encoded.
    ///
    /// A name with a star and something else is itself.
    private static func split(_ name: [UInt8]) -> (base: [UInt8], section: Int?, isEncoded: Bool) {
        guard let star = name.firstIndex(of: ASCII.asterisk), star > 0 else { return (name, nil, false) }
        let base = Array(name[..<star])
        var rest = name[(star + 1)...]
        if rest.isEmpty { return (base, 0, true) }
        let isEncoded = rest.last == ASCII.asterisk
        if isEncoded { rest.removeLast() }
        guard let section = StrictInteger.decimal(rest, maximum: 9_999) else { return (name, nil, false) }
        return (base, Int(section), isEncoded)
    }

    private static func value(of parameter: Gathered) -> String {
        guard !parameter.pieces.isEmpty else { return HeaderText.decode(parameter.plain ?? []) }
        // The order of the sections counts, not that of their coming; of two with one number the first is taken.
        var pieces: [Piece] = []
        // (The sort of the library is stable.)
        for piece in parameter.pieces.sorted(by: { $0.section < $1.section })
        where pieces.last?.section != piece.section {
            pieces.append(piece)
        }
        var charset: Charset?
        if let first = pieces.first, first.isEncoded {
            // charset'language'text
            let quotes = first.value.indices.filter { first.value[$0] == 0x27 }
            if quotes.count >= 2 {
                charset = Charset(label: first.value[..<quotes[0]])
                pieces[0].value = Array(first.value[(quotes[1] + 1)...])
            }
        }
        let isEncoded = pieces.contains(where: \.isEncoded)
        let octets = pieces.flatMap { $0.isEncoded ? percentDecoded($0.value) : $0.value }
        guard isEncoded else { return HeaderText.decode(octets) }
        return HeaderText.withoutControls(CharsetDecoder.decode(octets.span, as: charset ?? .unlabelled))
    }

    private static func percentDecoded(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == ASCII.percent, index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
                let low = ASCII.hexValue(text[index + 2])
            {
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(text[index])
                index += 1
            }
        }
        return out
    }
}

extension HeaderText {
    /// UTF-8 octets as text; controls become blanks.
    static func withoutControls(_ octets: [UInt8]) -> String {
        let clean = octets.map { ASCII.isControl($0) ? ASCII.space : $0 }
        return clean.span.repairedUTF8String()
    }
}

extension ContentType {
    /// From a field's value; nil where it does not begin with two tokens and a slash.
    static func parse(_ parsed: ParameterParser) -> ContentType? {
        let words = parsed.head.split(separator: ASCII.slash, maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2, isToken(words[0]), isToken(words[1]) else { return nil }
        return ContentType(
            HeaderText.literal(ASCII.lowercased(words[0])),
            HeaderText.literal(ASCII.lowercased(words[1])),
            parameters: parsed.parameters
        )
    }

    private static func isToken(_ word: ArraySlice<UInt8>) -> Bool {
        !word.isEmpty && word.count <= 127 && word.allSatisfy(ASCII.isToken)
    }
}
