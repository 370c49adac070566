// SPDX-License-Identifier: Apache-2.0

import Wire

/// The fields of a header as they lie in its octets: nothing is unfolded or decoded.
struct RawHeader {
    struct Field {
        /// Without blanks behind it.
        let name: Range<Int>
        /// Behind the colon, up to the line end of its last line.
        let value: Range<Int>
        /// All of it, line ends included.
        let whole: Range<Int>
    }

    let octets: [UInt8]
    private(set) var fields: [Field] = []

    /// Lines that belong to no field are in none.
    init(_ octets: [UInt8]) {
        self.octets = octets
        var start = 0
        while start < octets.count {
            var end = lineEnd(from: start)
            // A field goes on where a line begins with a blank.
            while end < octets.count, ASCII.isBlank(octets[end]) { end = lineEnd(from: end) }
            if let field = field(start..<end) { fields.append(field) }
            start = end
        }
    }

    /// Behind the next line end.
    private func lineEnd(from start: Int) -> Int {
        var index = start
        while index < octets.count, octets[index] != ASCII.lf { index += 1 }
        return min(index + 1, octets.count)
    }

    private func field(_ whole: Range<Int>) -> Field? {
        guard let colon = octets[whole].firstIndex(of: ASCII.colon) else { return nil }
        var nameEnd = colon
        while nameEnd > whole.lowerBound, ASCII.isBlank(octets[nameEnd - 1]) { nameEnd -= 1 }
        let name = whole.lowerBound..<nameEnd
        guard !name.isEmpty, octets[name].allSatisfy({ $0 > ASCII.space && $0 != ASCII.delete }) else { return nil }
        var end = whole.upperBound
        while end > colon + 1, octets[end - 1] == ASCII.lf || octets[end - 1] == ASCII.cr { end -= 1 }
        return Field(name: name, value: colon + 1..<end, whole: whole)
    }

    func name(_ field: Field) -> ArraySlice<UInt8> { octets[field.name] }

    func isNamed(_ field: Field, _ name: [UInt8]) -> Bool {
        ASCII.equalsIgnoringCase(octets.span.extracting(field.name), name.span)
    }

    /// The value of the first field of that name, unfolded, without blanks around it; nil where there is none.
    func first(_ name: StaticString) -> [UInt8]? {
        fields.first { ASCII.equalsIgnoringCase(octets[$0.name], name) }.map { unfolded($0.value) }
    }

    /// The values of all fields of that name, joined by commas: lists that were written in several fields.
    func list(_ name: StaticString) -> [UInt8]? {
        var list: [UInt8]?
        for field in fields where ASCII.equalsIgnoringCase(octets[field.name], name) {
            if list == nil { list = [] } else { list?.append(ASCII.comma) }
            list?.append(contentsOf: unfolded(field.value))
        }
        return list
    }

    /// The octets without line ends, and without blanks around them.
    func unfolded(_ range: Range<Int>) -> [UInt8] {
        var value = octets[range].filter { $0 != ASCII.cr && $0 != ASCII.lf && $0 != ASCII.nul }
        while let last = value.last, ASCII.isBlank(last) { value.removeLast() }
        return Array(value.drop(while: ASCII.isBlank))
    }

    /// The fields of these names, or all others, and the empty line behind them: HEADER.FIELDS and HEADER.FIELDS.NOT of
    /// RFC 9051 §6.4.5.1.
    func selected(_ names: [[UInt8]], isNot: Bool) -> [UInt8] {
        let wanted = Set(names.map { $0.map(ASCII.lowercased) })
        var selected: [UInt8] = []
        for field in fields where wanted.contains(name(field).map(ASCII.lowercased)) != isNot {
            selected += octets[field.whole]
            if selected.last != ASCII.lf { selected += [ASCII.cr, ASCII.lf] }
        }
        return selected + [ASCII.cr, ASCII.lf]
    }
}
