// SPDX-License-Identifier: Apache-2.0

import Wire

/// What is left of the limits on headers, for all parts together.
struct HeaderBudget {
    var octets: Int
    var fields: Int
}

/// Gathers the fields of one header from its lines.
///
/// ```
/// fields     = *(field-name ":" unstructured CRLF)
/// field-name = 1*ftext          ; %d33-57 / %d59-126
/// ```
struct HeaderReader {
    /// Octets of one line that are looked at; the others are left out.
    static let longestLine = 256 << 10

    enum Step {
        case taken
        /// The empty line.
        case end
        /// Neither field nor continuation.
        case malformed
        /// `From ` of an mbox, as the first line.
        case mboxLine
        /// Beyond the limits.
        case tooLarge
    }

    private(set) var fields = HeaderBlock()
    /// Whether there is a Content-Type among them.
    private(set) var hasContentType = false
    private var isFirst = true
    /// Whether the field before was left out, and its continuations are too.
    private var isSkipping = false

    mutating func take(_ line: [UInt8], budget: inout HeaderBudget) -> Step {
        defer { isFirst = false }
        guard let first = line.first else { return .end }
        if ASCII.isBlank(first) { return takeContinuation(line, budget: &budget) }
        isSkipping = false
        guard let colon = Self.endOfName(line) else { return takeOddLine(line) }
        guard budget.octets >= line.count, budget.fields > 0 else {
            isSkipping = true
            return .tooLarge
        }
        budget.octets -= line.count
        budget.fields -= 1
        let name = line[..<colon.name]
        let value = line[(colon.colon + 1)...].drop(while: ASCII.isBlank)
        fields.append(name: name, value: value)
        if ASCII.equalsIgnoringCase(name, "Content-Type") { hasContentType = true }
        return .taken
    }

    private mutating func takeContinuation(_ line: [UInt8], budget: inout HeaderBudget) -> Step {
        if isSkipping { return .taken }
        if fields.isEmpty { return line.allSatisfy(ASCII.isBlank) ? .end : .malformed }
        guard budget.octets >= line.count + 2 else {
            isSkipping = true
            return .tooLarge
        }
        budget.octets -= line.count + 2
        fields.continueLast(line[...])
        return .taken
    }

    private mutating func takeOddLine(_ line: [UInt8]) -> Step {
        if isFirst, line.starts(with: Self.from) || line.starts(with: Self.quotedFrom) { return .mboxLine }
        isSkipping = true
        return .malformed
    }

    // MARK: Lines that are no fields

    /// Whether a line that is no field may begin the body.
    ///
    /// In a message's header that has fields it is what some program did to a long field.
    ///
    /// - Parameter inPart: of a multipart.
    func mayHaveEnded(inPart: Bool) -> Bool { inPart || fields.isEmpty }

    /// Whether the line cannot be of a header, however it goes on.
    func isOdd(_ line: [UInt8]) -> Bool {
        guard let first = line.first else { return false }
        return ASCII.isBlank(first) ? fields.isEmpty : Self.endOfName(line) == nil
    }

    /// Whether the field read last shows that the lines before it belong to a header, though one of them is no field.
    ///
    /// - Parameters:
    ///   - count: fields before that line.
    ///   - inPart: of a multipart: there only fields whose names begin with `Content-` mean anything (RFC 2046 §5.1).
    func lastFieldTells(after count: Int, inPart: Bool) -> Bool {
        guard fields.count > count else { return false }
        let name = ASCII.lowercased(fields.name(fields.count - 1))
        return name.starts(with: Self.contentPrefix) || !inPart && Self.telling.contains(name)
    }

    /// Leaves out what was read behind that many fields.
    mutating func keepFirst(_ count: Int) { fields.keepFirst(count) }

    private static let contentPrefix = Array("content-".utf8)
    private static let telling: Set<[UInt8]> = Set(
        [
            "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to",
            "references",
            "mime-version", "received", "return-path",
        ].map { Array($0.utf8) }
    )

    private static let from = Array("From ".utf8)
    private static let quotedFrom = Array(">From ".utf8)

    /// Where the name ends and where its colon is.
    ///
    /// Blanks between them are obsolete syntax (RFC 5322 §4.5).
    private static func endOfName(_ line: [UInt8]) -> (name: Int, colon: Int)? {
        var index = 0
        while index < line.count, line[index] > ASCII.space, line[index] != ASCII.colon, line[index] != 0x7F {
            index += 1
        }
        let name = index
        while index < line.count, ASCII.isBlank(line[index]) { index += 1 }
        guard name > 0, index < line.count, line[index] == ASCII.colon else { return nil }
        return (name, index)
    }
}
