// SPDX-License-Identifier: Apache-2.0

/// HTML tag by tag, without a tree: to see whether building one is affordable, and to read the text where it is not.
enum HTMLTokens {
    /// Limits that honest mail keeps and that keep a tree builder's work linear.
    private static let deepest = 512
    private static let mostAttributes = 256
    private static let mostRoots = 32

    private struct Tag {
        var name: [UInt8] = []
        var isEnd = false
        var attributes = 0
        /// Behind its `>`.
        var end = 0
    }

    private static let voids = names("area base br col embed hr img input link meta param source track wbr")
    private static let raw = names("script style textarea title xmp iframe noembed noframes plaintext")
    private static let roots = names("html body")

    private static func names(_ text: String) -> Set<[UInt8]> { Set(text.split(separator: " ").map { Array($0.utf8) }) }

    /// Whether a tree builder would walk too far: elements nested deeper, tags with more attributes, or roots repeated
    /// more often than mail has them.
    ///
    /// The depth is never taken for less than it is: only an end tag that closes the very last element counts.
    static func isBomb(_ html: Span<UInt8>) -> Bool {
        var open: [[UInt8]] = []
        var rootCount = 0
        var index = 0
        while let start = firstIndex(of: 0x3C, in: html, from: index) {
            guard let tag = tag(in: html, at: start) else {
                index = start + 1
                continue
            }
            index = tag.end
            if tag.attributes > mostAttributes { return true }
            if tag.isEnd {
                if open.last == tag.name { open.removeLast() }
                continue
            }
            if roots.contains(tag.name) { rootCount += 1 }
            if !voids.contains(tag.name) { open.append(tag.name) }
            if open.count > deepest || rootCount > mostRoots { return true }
        }
        return false
    }

    /// The text between the tags; raw elements are skipped up to their end tag.
    static func write(_ html: Span<UInt8>, to writer: inout HTMLTextWriter) {
        var index = 0
        while index < html.count, !writer.isFull {
            let start = firstIndex(of: 0x3C, in: html, from: index) ?? html.count
            if start > index { writer.text(decoded(html.extracting(index..<start))) }
            guard start < html.count else { return }
            if let end = endOfComment(in: html, at: start) {
                index = end
            } else if let tag = tag(in: html, at: start) {
                index = tag.end
                if !tag.isEnd, raw.contains(tag.name) {
                    index = endOfRaw(tag.name, in: html, from: index)
                } else {
                    let kind = kind(of: tag.name)
                    if tag.isEnd { writer.end(kind) } else { writer.begin(kind) }
                }
            } else {
                writer.text([0x3C])
                index = start + 1
            }
        }
    }

    private static func kind(of name: [UInt8]) -> HTMLTextWriter.Kind {
        switch String(decoding: name, as: UTF8.self) {
        case "br": .lineBreak
        case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote": .paragraph
        case "div", "tr", "li", "section", "article", "header", "footer", "pre", "form", "center", "dt", "dd": .block
        case "td", "th": .cell
        default: .inline
        }
    }

    private static func firstIndex(of byte: UInt8, in html: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < html.count {
            if html[index] == byte { return index }
            index += 1
        }
        return nil
    }

    /// Behind a comment, a declaration or a processing instruction; one that does not end reaches to the end.
    private static func endOfComment(in html: Span<UInt8>, at start: Int) -> Int? {
        guard start + 1 < html.count, html[start + 1] == 0x21 || html[start + 1] == 0x3F else { return nil }
        let isComment = start + 3 < html.count && html[start + 2] == 0x2D && html[start + 3] == 0x2D
        var index = start + 2
        while index < html.count {
            if html[index] == 0x3E, !isComment || (html[index - 1] == 0x2D && html[index - 2] == 0x2D) {
                return index + 1
            }
            index += 1
        }
        return html.count
    }

    private static func endOfRaw(_ name: [UInt8], in html: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while let next = firstIndex(of: 0x3C, in: html, from: index) {
            index = next + 1
            guard index < html.count, html[index] == 0x2F, tagName(in: html, at: next + 2) == name else { continue }
            return tag(in: html, at: next)?.end ?? html.count
        }
        return html.count
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    /// Up to 32 octets of it, in lower case.
    private static func tagName(in html: Span<UInt8>, at start: Int) -> [UInt8] {
        var name: [UInt8] = []
        var index = start
        while index < html.count, name.count < 32, !isBlank(html[index]), html[index] != 0x2F, html[index] != 0x3E {
            name.append(html[index] &- 0x41 < 26 ? html[index] | 0x20 : html[index])
            index += 1
        }
        return name
    }

    /// The tag that begins at the `<` there (HTML §13.2.5.6 to .40); nil for text.
    private static func tag(in html: Span<UInt8>, at start: Int) -> Tag? {
        var tag = Tag()
        var index = start + 1
        if index < html.count, html[index] == 0x2F {
            tag.isEnd = true
            index += 1
        }
        guard index < html.count, (html[index] | 0x20) &- 0x61 < 26 else { return nil }
        tag.name = tagName(in: html, at: index)
        while index < html.count, !isBlank(html[index]), html[index] != 0x2F, html[index] != 0x3E { index += 1 }
        skipAttributes(&tag, in: html, from: &index)
        tag.end = min(index + 1, html.count)
        return tag
    }

    private static func skipAttributes(_ tag: inout Tag, in html: Span<UInt8>, from index: inout Int) {
        while index < html.count, html[index] != 0x3E {
            if isBlank(html[index]) || html[index] == 0x2F {
                index += 1
                continue
            }
            tag.attributes += 1
            index += 1
            while index < html.count, !isBlank(html[index]), html[index] != 0x2F, html[index] != 0x3E,
                html[index] != 0x3D
            {
                index += 1
            }
            while index < html.count, isBlank(html[index]) { index += 1 }
            guard index < html.count, html[index] == 0x3D else { continue }
            index += 1
            while index < html.count, isBlank(html[index]) { index += 1 }
            skipAttributeValue(in: html, from: &index)
        }
    }

    private static func skipAttributeValue(in html: Span<UInt8>, from index: inout Int) {
        guard index < html.count else { return }
        let quote = html[index]
        if quote == 0x22 || quote == 0x27 {
            index += 1
            while index < html.count, html[index] != quote { index += 1 }
            index += 1
        } else {
            while index < html.count, !isBlank(html[index]), html[index] != 0x3E { index += 1 }
        }
    }

    private static let entities: [String: String] = [
        "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'", "nbsp": " ", "copy": "©", "reg": "®", "euro": "€",
        "hellip": "…", "ndash": "–", "mdash": "—", "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”", "bull": "•",
        "auml": "ä", "ouml": "ö", "uuml": "ü", "Auml": "Ä", "Ouml": "Ö", "Uuml": "Ü", "szlig": "ß", "eacute": "é",
        "egrave": "è", "agrave": "à", "ccedil": "ç", "ntilde": "ñ", "trade": "™", "middot": "·", "laquo": "«",
        "raquo": "»",
    ]

    /// Character references as far as mail uses them.
    private static func decoded(_ text: Span<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == 0x26, let (characters, end) = reference(in: text, at: index) {
                out.append(contentsOf: characters.utf8)
                index = end
            } else {
                out.append(text[index])
                index += 1
            }
        }
        return out
    }

    private static func reference(in text: Span<UInt8>, at start: Int) -> (String, Int)? {
        var end = start + 1
        var name: [UInt8] = []
        while end < text.count, text[end] != 0x3B, name.count < 12 {
            name.append(text[end])
            end += 1
        }
        guard end < text.count, text[end] == 0x3B else { return nil }
        if name.first == 0x23 {
            guard let scalar = scalar(name.dropFirst()) else { return nil }
            return (String(scalar), end + 1)
        }
        return entities[String(decoding: name, as: UTF8.self)].map { ($0, end + 1) }
    }

    private static func scalar(_ digits: ArraySlice<UInt8>) -> Unicode.Scalar? {
        let isHexadecimal = digits.first.map { $0 | 0x20 == 0x78 } ?? false
        var value: UInt32 = 0
        let digits = isHexadecimal ? digits.dropFirst() : digits
        guard !digits.isEmpty else { return nil }
        for digit in digits {
            let letter = (digit | 0x20) &- 0x61
            if digit &- 0x30 < 10 {
                value = value * (isHexadecimal ? 16 : 10) + UInt32(digit &- 0x30)
            } else if isHexadecimal, letter < 6 {
                value = value * 16 + UInt32(letter) + 10
            } else {
                return nil
            }
            if value > 0x10FFFF { return nil }
        }
        return Unicode.Scalar(value).flatMap { $0.value >= 0x20 ? $0 : nil }
    }
}
