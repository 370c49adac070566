// SPDX-License-Identifier: Apache-2.0

import HTTP
import Wire

/// Reads a request's query parameters by name and, at the end, complains of those nobody asked for.
///
/// What is wrong is collected, so that one answer names it all.
struct QueryReader {
    private let query: QueryParameters
    private var known: [StaticString] = []
    private var errors: [FieldProblem] = []

    init(_ query: QueryParameters) { self.query = query }

    mutating func fail(_ name: StaticString, _ code: String, _ detail: String) {
        errors.append(FieldProblem(place: .parameter(Array("\(name)".utf8)), code: code, detail: detail))
    }

    /// The value of a parameter that may come once.
    mutating func octets(_ name: StaticString) -> [UInt8]? {
        known.append(name)
        let values = query.all(name)
        if values.count > 1 { fail(name, "duplicate", "may be given once") }
        return values.first.map { Array($0) }
    }

    /// Text of `minimum`…`maximum` Unicode scalars, UTF-8 without NUL.
    mutating func text(_ name: StaticString, minimum: Int = 0, maximum: Int) -> [UInt8]? {
        guard let value = octets(name) else { return nil }
        let scalars = value.count { $0 & 0xC0 != 0x80 }
        guard scalars >= minimum else {
            fail(name, "too_short", "must not be empty")
            return nil
        }
        guard scalars <= maximum else {
            fail(name, "too_long", "must have at most \(maximum) characters")
            return nil
        }
        return value
    }

    mutating func bool(_ name: StaticString) -> Bool? {
        guard let value = octets(name) else { return nil }
        if value.span.equals("true") { return true }
        if value.span.equals("false") { return false }
        fail(name, "invalid", "must be true or false")
        return nil
    }

    mutating func integer(_ name: StaticString, in range: ClosedRange<UInt64>) -> Int? {
        guard let value = octets(name) else { return nil }
        guard let number = StrictInteger.decimal(value.span, maximum: range.upperBound), number >= range.lowerBound
        else {
            fail(name, "out_of_range", "must be a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return Int(number)
    }

    /// `date-time` of RFC 3339 §5.6, and `full-date` (midnight UTC) where `allowingDate`.
    mutating func moment(_ name: StaticString, allowingDate: Bool = true) -> Timestamp? {
        guard let value = octets(name) else { return nil }
        guard let moment = Timestamp(rfc3339: value.span), allowingDate || value.count > 10 else {
            fail(name, "invalid", allowingDate ? "must be a date or a date and time" : "must be a date and time")
            return nil
        }
        return moment
    }

    /// The elements of a list with commas between them; not empty.
    mutating func list(_ name: StaticString, maximum: Int) -> [[UInt8]]? {
        guard let value = octets(name) else { return nil }
        let elements = value.split(separator: ASCII.comma, omittingEmptySubsequences: false).map { Array($0) }
        guard elements.count <= maximum else {
            fail(name, "too_long", "must have at most \(maximum) elements")
            return nil
        }
        return elements
    }

    /// Says what was wrong, unknown parameters included.
    mutating func finish() throws(APIProblem) {
        for index in 0..<query.count {
            let name = query.name(at: index)
            guard !known.contains(where: { name.span.equals($0) }) else { continue }
            let shown = Array(name.prefix(100))
            errors.append(FieldProblem(place: .parameter(shown), code: "unknown", detail: "is not known here"))
        }
        if !errors.isEmpty { throw .invalidParameters(Array(errors.prefix(50))) }
    }
}
