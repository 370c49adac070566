// SPDX-License-Identifier: Apache-2.0

import Wire

/// The pairs of a query, or of an `application/x-www-form-urlencoded` body, decoded: `+` is a space, `%XX` an octet, and
/// names and values are well-formed UTF-8 without NUL.
///
/// Duplicates stay and can be seen.
public struct QueryParameters: Sendable {
    private struct Pair: Sendable {
        var name: Range<Int>
        var value: Range<Int>
    }

    private var octets: [UInt8] = []
    private var pairs: [Pair] = []

    /// More pairs than this are refused.
    public static let maximumPairs = 1000

    /// No parameters.
    public init() {}

    /// The text behind `?`.
    ///
    /// 400 where it is not well-formed.
    public init(parsing text: Span<UInt8>) throws(HTTPProblem) {
        octets.reserveCapacity(text.count)
        var start = 0
        while start <= text.count {
            let end = text.firstIndex(of: 0x26, from: start) ?? text.count
            if end > start { try appendPair(text.extracting(start..<end)) }
            start = end + 1
        }
    }

    private mutating func appendPair(_ text: Span<UInt8>) throws(HTTPProblem) {
        guard pairs.count < Self.maximumPairs else { throw Self.tooMany }
        let equals = text.firstIndex(of: ASCII.equals) ?? text.count
        let name = try appendDecoded(text.extracting(0..<equals))
        let value = try appendDecoded(text.extracting(min(equals + 1, text.count)..<text.count))
        pairs.append(Pair(name: name, value: value))
    }

    private mutating func appendDecoded(_ text: Span<UInt8>) throws(HTTPProblem) -> Range<Int> {
        let start = octets.count
        guard PercentEncoding.decode(text, plusIsSpace: true, into: &octets) else { throw Self.badEncoding }
        let decoded = octets.span.extracting(start..<octets.count)
        guard decoded.firstIndex(of: ASCII.nul) == nil, decoded.utf8String() != nil else { throw Self.badEncoding }
        return start..<octets.count
    }

    private static let badEncoding = HTTPProblem(
        .badRequest,
        "invalid_query",
        "The query is not percent-encoded UTF-8."
    )
    private static let tooMany = HTTPProblem(.badRequest, "invalid_query", "The query has too many parameters.")

    public var count: Int { pairs.count }
    public var isEmpty: Bool { pairs.isEmpty }

    public func name(at index: Int) -> ArraySlice<UInt8> { octets[pairs[index].name] }
    public func value(at index: Int) -> ArraySlice<UInt8> { octets[pairs[index].value] }

    /// The first value of that name, octets of well-formed UTF-8.
    public func first(_ name: StaticString) -> ArraySlice<UInt8>? {
        for pair in pairs where isNamed(pair, name) { return octets[pair.value] }
        return nil
    }

    /// The first value of that name, as text.
    public func string(_ name: StaticString) -> String? { first(name).map { String(decoding: $0, as: UTF8.self) } }

    /// Every value of that name, in order.
    public func all(_ name: StaticString) -> [ArraySlice<UInt8>] {
        pairs.filter { isNamed($0, name) }.map { octets[$0.value] }
    }

    public func contains(_ name: StaticString) -> Bool { pairs.contains { isNamed($0, name) } }

    /// The value of a parameter that may come once only; 400 `duplicate_parameter` where it came twice.
    public func single(_ name: StaticString) throws(HTTPProblem) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        for pair in pairs where isNamed(pair, name) {
            guard found == nil else {
                throw HTTPProblem(.badRequest, "duplicate_parameter", "The parameter \(name) came twice.")
            }
            found = octets[pair.value]
        }
        return found
    }

    /// A whole number within `range`; 400 `invalid_parameter` where it is anything else, nil where it is absent.
    public func number(_ name: StaticString, in range: ClosedRange<UInt64>) throws(HTTPProblem) -> UInt64? {
        guard let text = try single(name) else { return nil }
        guard let value = StrictInteger.decimal(text.span, maximum: range.upperBound), value >= range.lowerBound else {
            throw HTTPProblem(
                .badRequest,
                "invalid_parameter",
                "The parameter \(name) must be a number from \(range.lowerBound) to \(range.upperBound)."
            )
        }
        return value
    }

    /// `true` or `false`; 400 `invalid_parameter` where it is anything else, nil where it is absent.
    public func boolean(_ name: StaticString) throws(HTTPProblem) -> Bool? {
        guard let text = try single(name) else { return nil }
        if text.span.equals("true") { return true }
        if text.span.equals("false") { return false }
        throw HTTPProblem(.badRequest, "invalid_parameter", "The parameter \(name) must be true or false.")
    }

    /// 400 `unknown_parameter`, naming it, where a parameter is none of these.
    public func requireOnly(_ names: StaticString...) throws(HTTPProblem) { try requireOnly(names) }

    public func requireOnly(_ names: [StaticString]) throws(HTTPProblem) {
        for pair in pairs where !names.contains(where: { isNamed(pair, $0) }) {
            let name = String(decoding: octets[pair.name].prefix(64), as: UTF8.self)
            throw HTTPProblem(.badRequest, "unknown_parameter", "There is no parameter \(name) here.")
        }
    }

    private func isNamed(_ pair: Pair, _ name: StaticString) -> Bool { octets.span.extracting(pair.name).equals(name) }
}
