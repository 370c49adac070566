// SPDX-License-Identifier: Apache-2.0

import Wire

/// A place in a response, and how the lexical elements of RFC 9051 §9 are taken from there.
///
/// A literal stands in the octets as `{n}`, LF, and its n octets.
struct IMAPCursor {
    let bytes: [UInt8]
    var index: Int
    let end: Int
    var deviations: Set<IMAPDeviation> = []
    /// A command: nothing is taken that the grammar does not have, but for a space too many between words, as some type it.
    var isStrict = false

    init(_ bytes: [UInt8], from index: Int = 0) {
        self.bytes = bytes
        self.index = index
        end = bytes.count
    }

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        index = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { index >= end }
    var next: UInt8? { index < end ? bytes[index] : nil }

    func next(_ offset: Int) -> UInt8? {
        let place = index + offset
        return place < end ? bytes[place] : nil
    }

    /// Why the next octet cannot be there.
    var surprise: IMAPSyntaxError {
        guard let next else { return .unexpectedEnd }
        return .unexpectedOctet(next, at: index)
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws(IMAPSyntaxError) {
        guard take(byte) else { throw surprise }
    }

    /// The word, in any case, and nothing that could go on with it behind it.
    mutating func take(word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard end - index >= count,
            ASCII.equalsIgnoringCase(bytes.span.extracting(index..<index + count), word)
        else { return false }
        if let after = next(count), IMAPGrammar.isAtom(after) { return false }
        index += count
        return true
    }

    mutating func space() throws(IMAPSyntaxError) {
        try expect(ASCII.space)
        if next == ASCII.space { deviations.insert(.doubledSpace) }
        while next == ASCII.space { index += 1 }
    }

    mutating func skipSpaces() {
        if isStrict { return }
        while next == ASCII.space { index += 1 }
    }

    /// A space between values, or what stands in front of the end of a list.
    mutating func separator(_ closing: UInt8) throws(IMAPSyntaxError) {
        if next == closing { return }
        try space()
        guard next == closing else { return }
        guard !isStrict else { throw surprise }
        deviations.insert(.spaceAtEnd)
    }

    /// The rest, as it is.
    mutating func rest() -> [UInt8] {
        defer { index = end }
        return Array(bytes[index..<end])
    }

    // MARK: Numbers

    /// `number64 = 1*DIGIT ; (0 <= n <= 9,223,372,036,854,775,807)`.
    mutating func number(maximum: UInt64 = UInt64(Int64.max)) throws(IMAPSyntaxError) -> UInt64 {
        let start = index
        while let byte = next, ASCII.isDigit(byte) { index += 1 }
        guard let value = StrictInteger.decimal(bytes.span.extracting(start..<index), maximum: maximum) else {
            throw .badNumber(at: start)
        }
        return value
    }

    /// `number = 1*DIGIT ; (0 <= n < 4,294,967,296)`.
    mutating func number32() throws(IMAPSyntaxError) -> UInt32 {
        UInt32(try number(maximum: UInt64(UInt32.max)))
    }

    /// `nz-number = digit-nz *DIGIT ; (0 < n < 4,294,967,296)`.
    mutating func nonZero() throws(IMAPSyntaxError) -> UInt32 {
        let start = index
        guard next != ASCII.zero else { throw .badNumber(at: start) }
        return try number32()
    }

    // MARK: Words and strings

    /// `1*ATOM-CHAR`.
    ///
    /// In a response with octets that servers put into atoms all the same: anything but controls, space, parentheses, `{` and
    /// `"`.
    mutating func atom() throws(IMAPSyntaxError) -> [UInt8] {
        let start = index
        while let byte = next, isStrict ? IMAPGrammar.isStrictAtom(byte) : IMAPGrammar.isAtom(byte) { index += 1 }
        guard index > start else { throw surprise }
        return Array(bytes[start..<index])
    }

    /// `astring = 1*ASTRING-CHAR / string`.
    mutating func astring() throws(IMAPSyntaxError) -> [UInt8] {
        if let string = try stringIfAny() { return string }
        guard isStrict else { return try atom() }
        return try octets { IMAPGrammar.isStrictAtom($0) || $0 == ASCII.closeBracket }
    }

    /// `list-mailbox = 1*list-char / string`, `list-char = ATOM-CHAR / list-wildcards / resp-specials`.
    mutating func pattern() throws(IMAPSyntaxError) -> [UInt8] {
        if let string = try stringIfAny() { return string }
        return try octets {
            IMAPGrammar.isStrictAtom($0) || $0 == ASCII.closeBracket || $0 == ASCII.asterisk || $0 == ASCII.percent
        }
    }

    /// `flag = "\\" atom / atom`.
    mutating func flag() throws(IMAPSyntaxError) -> [UInt8] {
        guard take(ASCII.backslash) else { return try atom() }
        return [ASCII.backslash] + (try atom())
    }

    /// As many as there are of these, at least one.
    private mutating func octets(_ isTaken: (UInt8) -> Bool) throws(IMAPSyntaxError) -> [UInt8] {
        let start = index
        while let byte = next, isTaken(byte) { index += 1 }
        guard index > start else { throw surprise }
        return Array(bytes[start..<index])
    }

    /// `nstring = string / nil`.
    mutating func nstring() throws(IMAPSyntaxError) -> [UInt8]? {
        if let string = try stringIfAny() { return string }
        if take(word: "NIL") { return nil }
        throw surprise
    }

    /// `string = quoted / literal`.
    mutating func string() throws(IMAPSyntaxError) -> [UInt8] {
        guard let string = try stringIfAny() else { throw surprise }
        return string
    }

    mutating func stringIfAny() throws(IMAPSyntaxError) -> [UInt8]? {
        switch next {
        case ASCII.quote: try quoted()
        case ASCII.openBrace: try literal()
        case IMAPGrammar.tilde where !isStrict && next(1) == ASCII.openBrace: try literal()
        default: nil
        }
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`; octets above 0x7F are taken, and what stands behind a backslash, as it is.
    private mutating func quoted() throws(IMAPSyntaxError) -> [UInt8] {
        try expect(ASCII.quote)
        let start = index
        // Most have nothing in them that needs to be looked at.
        while let byte = next, byte != ASCII.quote, byte != ASCII.backslash, byte >= ASCII.space { index += 1 }
        var text = Array(bytes[start..<index])
        while let byte = next {
            index += 1
            switch byte {
            case ASCII.quote: return text
            case ASCII.backslash:
                guard let escaped = next else { throw .unexpectedEnd }
                guard !isStrict || escaped == ASCII.quote || escaped == ASCII.backslash else { throw surprise }
                text.append(escaped)
                index += 1
            case ASCII.nul, ASCII.cr, ASCII.lf: throw .unexpectedOctet(byte, at: index - 1)
            default: text.append(byte)
            }
        }
        throw .unexpectedEnd
    }

    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`; `literal8 = "~{" number64 "}" CRLF *OCTET`.
    private mutating func literal() throws(IMAPSyntaxError) -> [UInt8] {
        let count = try literalHeader()
        guard count <= UInt64(end - index) else { throw .unexpectedEnd }
        defer { index += Int(count) }
        return Array(bytes[index..<index + Int(count)])
    }

    mutating func literalHeader() throws(IMAPSyntaxError) -> UInt64 {
        _ = take(IMAPGrammar.tilde)
        try expect(ASCII.openBrace)
        let count = try number()
        _ = take(ASCII.plus)
        try expect(ASCII.closeBrace)
        try expect(ASCII.lf)
        return count
    }
}

enum IMAPGrammar {
    static var tilde: UInt8 { 0x7E }
    static var dollar: UInt8 { 0x24 }

    /// What an atom from a peer may be made of.
    static func isAtom(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F, ASCII.openParenthesis, ASCII.closeParenthesis, ASCII.openBrace, ASCII.quote: false
        default: true
        }
    }

    /// What an `objectid` is made of (RFC 8474 §7).
    static func isObjectID(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2D: true
        default: false
        }
    }

    /// `ATOM-CHAR` of RFC 9051 §9: what an atom of ours is made of.
    static func isStrictAtom(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F...0xFF, ASCII.openParenthesis, ASCII.closeParenthesis, ASCII.openBrace, ASCII.percent,
            ASCII.asterisk, ASCII.quote, ASCII.backslash, ASCII.closeBracket:
            false
        default: true
        }
    }

    /// The count of a literal that the line announces at its end, and where its announcement begins; nil where it announces
    /// none.
    static func literal(atEndOf line: [UInt8], from start: Int) throws(IMAPSyntaxError) -> (octets: UInt64, at: Int)? {
        guard line.count - start >= 3, line[line.count - 1] == ASCII.closeBrace else { return nil }
        var digits = line.count - 1
        if line[digits - 1] == ASCII.plus { digits -= 1 }
        var first = digits
        while first > start, ASCII.isDigit(line[first - 1]) { first -= 1 }
        guard first > start, line[first - 1] == ASCII.openBrace, first < digits else { return nil }
        guard let octets = StrictInteger.decimal(line.span.extracting(first..<digits), maximum: UInt64(Int64.max))
        else {
            throw .badLiteral
        }
        let isBinary = first - 1 > start && line[first - 2] == tilde
        return (octets, isBinary ? first - 2 : first - 1)
    }
}
