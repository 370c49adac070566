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
        /// Neither field nor continuation, between fields: skipped.
        case malformed
        /// `From ` of an mbox, as the first line.
        case mboxLine
        /// Beyond the limits.
        case tooLarge
        /// The line belongs to the body; the empty line before it is missing.
        case bodyLine
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
        if !hasContentType, name.count == 12 { hasContentType = fields.first("content-type") != nil }
        return .taken
    }

    private mutating func takeContinuation(_ line: [UInt8], budget: inout HeaderBudget) -> Step {
        if isSkipping { return .taken }
        if fields.isEmpty { return line.allSatisfy(ASCII.isBlank) ? .end : .bodyLine }
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
        if fields.isEmpty { return .bodyLine }
        isSkipping = true
        return .malformed
    }

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
