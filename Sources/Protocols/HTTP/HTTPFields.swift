// SPDX-License-Identifier: Apache-2.0

public import Wire

/// Field lines in the order they came, or are to be sent (RFC 9110 §5).
///
/// Names compare without regard to ASCII case; values
/// are octets.
///
/// All names and values lie in one run of octets and each line is four offsets into it, so that a request's head costs one
/// copy and a value is borrowed as a slice, not copied.
public struct HTTPFields: Sendable {
    @usableFromInline struct Line: Sendable {
        @usableFromInline var nameStart: UInt32
        @usableFromInline var nameEnd: UInt32
        @usableFromInline var valueStart: UInt32
        @usableFromInline var valueEnd: UInt32
    }

    @usableFromInline var octets: [UInt8] = []
    @usableFromInline var lines: [Line] = []

    public init() {}

    @inlinable public var count: Int { lines.count }
    @inlinable public var isEmpty: Bool { lines.isEmpty }

    /// A value with a control other than HTAB in it: sent, it would end the line and begin another.
    public struct UnsafeValue: Error, Hashable, Sendable {}

    /// The name of line `index`, as written.
    @inlinable public func name(at index: Int) -> ArraySlice<UInt8> {
        octets[Int(lines[index].nameStart)..<Int(lines[index].nameEnd)]
    }

    /// The value of line `index`, without the blanks around it.
    @inlinable public func value(at index: Int) -> ArraySlice<UInt8> {
        octets[Int(lines[index].valueStart)..<Int(lines[index].valueEnd)]
    }

    /// The first value of that name.
    public func first(_ name: StaticString) -> ArraySlice<UInt8>? {
        for index in lines.indices where isNamed(index, name) { return value(at: index) }
        return nil
    }

    /// All values of that name, in order.
    public func all(_ name: StaticString) -> [ArraySlice<UInt8>] {
        lines.indices.filter { isNamed($0, name) }.map { value(at: $0) }
    }

    /// The value of a field that may come once only: nil where it is absent.
    public func single(_ name: StaticString) throws(HTTPProblem) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        for index in lines.indices where isNamed(index, name) {
            guard found == nil else { throw .duplicateField }
            found = value(at: index)
        }
        return found
    }

    public func contains(_ name: StaticString) -> Bool { lines.indices.contains { isNamed($0, name) } }

    private func isNamed(_ index: Int, _ name: StaticString) -> Bool {
        let line = lines[index]
        guard Int(line.nameEnd &- line.nameStart) == name.utf8CodeUnitCount else { return false }
        let start = Int(line.nameStart)
        let span = octets.span.extracting(start..<Int(line.nameEnd))
        return ASCII.equalsIgnoringCase(span, name)
    }

    /// Adds a line whose name and value are both ours.
    public mutating func add(_ name: StaticString, _ value: StaticString) {
        begin(name)
        value.withUTF8Buffer { text in
            for byte in text { precondition(Self.isSafe(byte)) }
            octets.append(contentsOf: text)
        }
        end()
    }

    /// Adds a line; the value may come from outside.
    public mutating func add(_ name: StaticString, _ value: Span<UInt8>) throws(UnsafeValue) {
        for index in value.indices where !Self.isSafe(value[index]) { throw UnsafeValue() }
        begin(name)
        octets.append(value)
        end()
    }

    /// Adds a line; the value may come from outside.
    public mutating func add(_ name: StaticString, _ value: some Sequence<UInt8>) throws(UnsafeValue) {
        try add(name, Array(value).span)
    }

    /// Adds a line; the value may come from outside.
    public mutating func add(_ name: StaticString, _ value: [UInt8]) throws(UnsafeValue) {
        try add(name, value.span)
    }

    /// Adds a line with a number.
    public mutating func add(_ name: StaticString, decimal value: some BinaryInteger) {
        begin(name)
        var digits = ByteBuffer()
        digits.append(decimal: value)
        octets.append(digits.bytes)
        end()
    }

    /// Adds a line with a date (IMF-fixdate).
    public mutating func add(_ name: StaticString, date: Timestamp) {
        begin(name)
        var text = ByteBuffer()
        text.append(imfFixdate: date)
        octets.append(text.bytes)
        end()
    }

    /// Adds a line read from the wire; the caller has checked name and value.
    mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
        let start = UInt32(octets.count)
        octets.append(name)
        let middle = UInt32(octets.count)
        octets.append(value)
        lines.append(Line(nameStart: start, nameEnd: middle, valueStart: middle, valueEnd: UInt32(octets.count)))
    }

    /// Forgets every line of that name.
    public mutating func remove(_ name: StaticString) {
        lines = lines.indices.filter { !isNamed($0, name) }.map { lines[$0] }
    }

    public mutating func removeAll() {
        octets.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
    }

    private mutating func begin(_ name: StaticString) {
        let start = UInt32(octets.count)
        name.withUTF8Buffer { text in
            precondition(!text.isEmpty)
            for byte in text { precondition(ASCII.isToken(byte)) }
            octets.append(contentsOf: text)
        }
        let middle = UInt32(octets.count)
        lines.append(Line(nameStart: start, nameEnd: middle, valueStart: middle, valueEnd: middle))
    }

    private mutating func end() {
        lines[lines.count - 1].valueEnd = UInt32(octets.count)
    }

    /// What a field value may hold: everything but controls, and HTAB.
    static func isSafe(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == ASCII.tab }
}

extension ByteBuffer {
    /// `Name: value CRLF` for each line.
    public mutating func append(_ fields: borrowing HTTPFields) {
        let octets = fields.octets.span
        for line in fields.lines {
            append(octets.extracting(Int(line.nameStart)..<Int(line.nameEnd)))
            append(": ")
            append(octets.extracting(Int(line.valueStart)..<Int(line.valueEnd)))
            appendLineEnd()
        }
    }
}
