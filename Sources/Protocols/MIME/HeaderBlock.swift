// SPDX-License-Identifier: Apache-2.0

import Wire

/// The fields of one header in their order, as they came: names and values are octets; unfolding and decoding happen when
/// a value is asked for.
package struct HeaderBlock: Sendable {
    private struct Field: Sendable {
        let name: Range<Int>
        var value: Range<Int>
    }

    private var octets: [UInt8] = []
    private var fields: [Field] = []

    package init() {}

    package var count: Int { fields.count }
    package var isEmpty: Bool { fields.isEmpty }
    /// Octets of names and values.
    package var octetCount: Int { octets.count }

    mutating func append(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) {
        let start = octets.count
        octets.append(contentsOf: name)
        let middle = octets.count
        octets.append(contentsOf: value)
        fields.append(Field(name: start..<middle, value: middle..<octets.count))
    }

    /// A continuation line, with its leading blanks, is put behind the last field's value and a line end.
    mutating func continueLast(_ line: ArraySlice<UInt8>) {
        guard let last = fields.indices.last else { return }
        octets.append(ASCII.cr)
        octets.append(ASCII.lf)
        octets.append(contentsOf: line)
        fields[last].value = fields[last].value.lowerBound..<octets.count
    }

    /// Leaves out all fields but the first ones.
    mutating func keepFirst(_ count: Int) {
        guard count < fields.count else { return }
        fields.removeLast(fields.count - count)
        octets.removeLast(octets.count - (fields.last?.value.upperBound ?? 0))
    }

    /// The field's name as written.
    package func name(_ index: Int) -> ArraySlice<UInt8> { octets[fields[index].name] }

    /// The field's value as written: folded, encoded, without the line end.
    package func rawValue(_ index: Int) -> ArraySlice<UInt8> { octets[fields[index].value] }

    /// The value unfolded and decoded (RFC 2047), as for unstructured fields.
    package func text(_ index: Int) -> String { HeaderText.decode(rawValue(index)) }

    /// The places of the fields of that name, in any ASCII case.
    package func indices(named name: StaticString) -> [Int] {
        fields.indices.filter { ASCII.equalsIgnoringCase(octets[fields[$0].name], name) }
    }

    package func firstIndex(named name: StaticString) -> Int? {
        fields.indices.first { ASCII.equalsIgnoringCase(octets[fields[$0].name], name) }
    }

    /// The raw value of the first field of that name.
    package func first(_ name: StaticString) -> ArraySlice<UInt8>? { firstIndex(named: name).map(rawValue) }
}
