// SPDX-License-Identifier: Apache-2.0

public import Wire

/// Writes JSON straight into a ``ByteBuffer``: no tree, no `String`.
///
/// Commas are its business, balance is the caller's.
///
/// Octets that are not UTF-8 become U+FFFD, one for each maximal ill-formed sequence, so that what comes out is always valid.
public struct JSONWriter: ~Copyable, Sendable {
    /// What was written so far.
    ///
    /// Appending to it directly is for those who write whole values and keep the commas right.
    public var buffer: ByteBuffer
    /// Whether a value stands in front, in the innermost open array or object.
    @usableFromInline var needsComma = false

    /// Goes on behind what `buffer` holds.
    public init(into buffer: consuming ByteBuffer) { self.buffer = buffer }

    public init(capacity: Int = 512) { buffer = ByteBuffer(capacity: capacity) }

    /// The buffer, with everything written.
    public consuming func finish() -> ByteBuffer { buffer }

    @inlinable mutating func separate() {
        if needsComma { buffer.append(ASCII.comma) }
        needsComma = true
    }

    @inlinable public mutating func beginObject() {
        separate()
        buffer.append(ASCII.openBrace)
        needsComma = false
    }

    @inlinable public mutating func endObject() {
        buffer.append(ASCII.closeBrace)
        needsComma = true
    }

    @inlinable public mutating func beginArray() {
        separate()
        buffer.append(ASCII.openBracket)
        needsComma = false
    }

    @inlinable public mutating func endArray() {
        buffer.append(ASCII.closeBracket)
        needsComma = true
    }

    /// A member's name, one that needs no escapes.
    @inlinable public mutating func key(_ name: StaticString) {
        if needsComma { buffer.append(",\"") } else { buffer.append("\"") }
        needsComma = false
        buffer.append(name)
        buffer.append("\":")
    }

    /// A member's name, escaped.
    public mutating func key(_ name: Span<UInt8>) {
        if needsComma { buffer.append(ASCII.comma) }
        needsComma = false
        appendString(name)
        buffer.append(ASCII.colon)
    }

    /// A string that needs no escapes.
    @inlinable public mutating func string(literal text: StaticString) {
        separate()
        buffer.append(ASCII.quote)
        buffer.append(text)
        buffer.append(ASCII.quote)
    }

    /// A string, escaped and repaired.
    @inlinable public mutating func string(_ text: Span<UInt8>) {
        separate()
        appendString(text)
    }

    @inlinable public mutating func string(_ text: [UInt8]) { string(text.span) }

    public mutating func string(_ text: String) {
        separate()
        buffer.append(ASCII.quote)
        var text = text
        text.withUTF8 { JSONEscaping.append(UnsafeRawBufferPointer($0), to: &buffer) }
        buffer.append(ASCII.quote)
    }

    /// The string, or null.
    public mutating func string(_ text: [UInt8]?) {
        guard let text else { return null() }
        string(text.span)
    }

    /// The string, or null.
    public mutating func string(_ text: String?) {
        guard let text else { return null() }
        string(text)
    }

    /// A string, escaped and repaired, written in pieces by `body` into the buffer it is given: for values such as ids that know how
    /// to append themselves and need no escapes.
    @inlinable public mutating func string(_ body: (inout ByteBuffer) -> Void) {
        separate()
        buffer.append(ASCII.quote)
        body(&buffer)
        buffer.append(ASCII.quote)
    }

    @inlinable public mutating func number(_ value: some FixedWidthInteger) {
        separate()
        if value < 0 { buffer.append(ASCII.hyphen) }
        buffer.append(decimal: UInt64(value.magnitude))
    }

    /// As for any integer; these cost no generic code where a caller is not specialised.
    @inlinable public mutating func number(_ value: Int64) {
        separate()
        if value < 0 { buffer.append(ASCII.hyphen) }
        buffer.append(decimal: value.magnitude)
    }

    @inlinable public mutating func number(_ value: UInt64) {
        separate()
        buffer.append(decimal: value)
    }

    @inlinable public mutating func number(_ value: UInt32) { number(UInt64(value)) }

    @inlinable public mutating func number(_ value: Int) { number(Int64(value)) }

    @inlinable public mutating func bool(_ value: Bool) {
        separate()
        if value { buffer.append("true") } else { buffer.append("false") }
    }

    @inlinable public mutating func null() {
        separate()
        buffer.append("null")
    }

    /// A string in the form of RFC 3339, UTC, with milliseconds.
    public mutating func timestamp(_ value: Timestamp) {
        separate()
        buffer.append(ASCII.quote)
        buffer.append(rfc3339: value)
        buffer.append(ASCII.quote)
    }

    /// The timestamp, or null.
    public mutating func timestamp(_ value: Timestamp?) {
        guard let value else { return null() }
        timestamp(value)
    }

    /// Members of an object without its braces, already JSON; none at all is allowed.
    @inlinable public mutating func raw(members: Span<UInt8>) {
        guard !members.isEmpty else { return }
        separate()
        buffer.append(members)
    }

    /// One whole value, already JSON.
    @inlinable public mutating func raw(value: Span<UInt8>) {
        separate()
        buffer.append(value)
    }

    @usableFromInline mutating func appendString(_ text: Span<UInt8>) {
        buffer.append(ASCII.quote)
        text.withUnsafeBytes { JSONEscaping.append($0, to: &buffer) }
        buffer.append(ASCII.quote)
    }
}
