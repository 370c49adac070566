// SPDX-License-Identifier: Apache-2.0

import Wire

/// A part of a message that FETCH can ask for: `section` and `section-binary` of RFC 9051 §9, and where it begins.
package struct IMAPSection: Hashable, Sendable {
    package enum Text: Hashable, Sendable {
        /// All of it: of the message, or the body of the part.
        case all
        case header
        case headerFields([[UInt8]])
        case headerFieldsNot([[UInt8]])
        case text
        case mime
    }

    package enum Item: Hashable, Sendable {
        /// `BODY[…]`.
        case body
        /// `BINARY[…]` (RFC 3516): without its transfer encoding.
        case binary
        /// The items of RFC 3501 that are names for `BODY[]`, `BODY[HEADER]` and `BODY[TEXT]`.
        case rfc822, rfc822Header, rfc822Text
    }

    package var item: Item
    /// Empty for the message itself.
    package var part: [UInt32]
    package var text: Text
    /// Of the first octet, where not all was asked for.
    package var origin: UInt64?

    package init(_ item: Item = .body, part: [UInt32] = [], _ text: Text = .all, origin: UInt64? = nil) {
        self.item = item
        self.part = part
        self.text = text
        self.origin = origin
    }

    /// Whether a server that was asked for `request` means this by its answer: names of fields may come in other letters, and
    /// the beginning is 0 where only a length was given.
    package func answers(_ request: Self) -> Bool {
        guard item == request.item, part == request.part, origin ?? 0 == request.origin ?? 0 else { return false }
        switch (text, request.text) {
        case (.headerFields(let names), .headerFields(let wanted)),
            (.headerFieldsNot(let names), .headerFieldsNot(let wanted)):
            return names.count == wanted.count
                && zip(names, wanted).allSatisfy { ASCII.equalsIgnoringCase($0.span, $1.span) }
        default: return text == request.text
        }
    }

    /// What stands between the brackets, and they.
    func append(to output: inout ByteBuffer) {
        output.append(ASCII.openBracket)
        for (index, number) in part.enumerated() {
            if index > 0 { output.append(ASCII.dot) }
            output.append(decimal: UInt64(number))
        }
        if !part.isEmpty, text != .all { output.append(ASCII.dot) }
        switch text {
        case .all: break
        case .header: output.append("HEADER")
        case .text: output.append("TEXT")
        case .mime: output.append("MIME")
        case .headerFields(let names):
            output.append("HEADER.FIELDS ")
            Self.append(names, to: &output)
        case .headerFieldsNot(let names):
            output.append("HEADER.FIELDS.NOT ")
            Self.append(names, to: &output)
        }
        output.append(ASCII.closeBracket)
    }

    private static func append(_ names: [[UInt8]], to output: inout ByteBuffer) {
        output.append(ASCII.openParenthesis)
        for (index, name) in names.enumerated() {
            if index > 0 { output.append(ASCII.space) }
            output.append(name)
        }
        output.append(ASCII.closeParenthesis)
    }
}

extension IMAPCursor {
    /// `section ["<" number ">"]`, as an answer has it.
    mutating func section(_ item: IMAPSection.Item, _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPSection {
        var section = try bracketedSection(item, limits)
        if take(ASCII.less) {
            section.origin = try number()
            try expect(ASCII.greater)
        }
        return section
    }

    /// `section = "[" [section-spec] "]"`.
    mutating func bracketedSection(
        _ item: IMAPSection.Item,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> IMAPSection {
        try expect(ASCII.openBracket)
        var section = IMAPSection(item)
        while let byte = next, ASCII.isDigit(byte) {
            guard section.part.count < limits.depth else { throw .tooDeep }
            section.part.append(try nonZero())
            if !take(ASCII.dot) { break }
        }
        if !take(ASCII.closeBracket) {
            section.text = try sectionText(limits)
            try expect(ASCII.closeBracket)
        }
        return section
    }

    private mutating func sectionText(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPSection.Text {
        let start = index
        while let byte = next, ASCII.isAlpha(byte) || byte == ASCII.dot { index += 1 }
        let name = bytes[start..<index]
        if ASCII.equalsIgnoringCase(name, "HEADER") { return .header }
        if ASCII.equalsIgnoringCase(name, "TEXT") { return .text }
        if ASCII.equalsIgnoringCase(name, "MIME") { return .mime }
        let isNot = ASCII.equalsIgnoringCase(name, "HEADER.FIELDS.NOT")
        guard isNot || ASCII.equalsIgnoringCase(name, "HEADER.FIELDS") else { throw surprise }
        try space()
        let tree = try IMAPTree(&self, limits)
        guard tree.isList(0) else { throw surprise }
        return isNot ? .headerFieldsNot(tree.texts(0)) : .headerFields(tree.texts(0))
    }
}
