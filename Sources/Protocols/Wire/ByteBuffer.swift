// SPDX-License-Identifier: Apache-2.0

/// A growable run of octets with one owner: what is read from a connection is appended at the end and consumed from the
/// front; what is to be written is appended and sent.
///
/// It is uniquely owned (`~Copyable`), so nothing is ever copied by accident, and appending costs a bounds check and a
/// `memcpy`. An empty buffer of capacity 0 owns no memory.
public struct ByteBuffer: ~Copyable {
    @usableFromInline var storage: UnsafeMutableRawPointer?
    /// Octets of memory behind `storage`.
    @inlinable public var capacity: Int { room }
    @usableFromInline var room: Int
    /// Offset of the first octet not yet consumed.
    @usableFromInline var start: Int
    /// Offset behind the last octet.
    @usableFromInline var end: Int

    @inlinable public init() {
        storage = nil
        room = 0
        start = 0
        end = 0
    }

    public init(capacity: Int) {
        self.init()
        reserve(capacity)
    }

    public init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count)
        append(bytes)
    }

    deinit { storage?.deallocate() }

    @inlinable public var count: Int { end &- start }
    @inlinable public var isEmpty: Bool { end == start }

    /// The octets held, as a borrowed view.
    @inlinable public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            let view = UnsafeRawBufferPointer(start: UnsafeRawPointer(storage), count: storage == nil ? 0 : end)
            let span = Span<UInt8>(_unsafeBytes: view).extracting(start..<end)
            return _overrideLifetime(span, borrowing: self)
        }
    }

    /// The octets held; the pointer is valid only within `body`.
    @inlinable public func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: storage.map { UnsafeRawPointer($0) + start }, count: count))
    }

    /// Makes room for at least `additional` more octets behind the end.
    @inlinable public mutating func reserve(_ additional: Int) {
        if capacity &- end < additional { grow(by: additional) }
    }

    @usableFromInline mutating func grow(by additional: Int) {
        precondition(additional >= 0)
        let held = count
        if start > 0, let storage, capacity - held >= additional, held <= capacity / 2 {
            storage.copyMemory(from: storage + start, byteCount: held)
        } else {
            let wanted = max(held + additional, capacity < 1 << 20 ? capacity * 2 : capacity + capacity / 2, 64)
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
            if let storage {
                fresh.copyMemory(from: storage + start, byteCount: held)
                storage.deallocate()
            }
            storage = fresh
            room = wanted
        }
        start = 0
        end = held
    }

    /// Lets `body` fill up to `room` octets (at least `atLeast`) behind the end and keeps as many as it says.
    @inlinable public mutating func fill<E: Error>(
        atLeast: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) -> Int {
        reserve(atLeast)
        guard let storage else { return 0 }
        let written = try body(UnsafeMutableRawBufferPointer(start: storage + end, count: capacity - end))
        precondition(written >= 0 && written <= capacity - end)
        end += written
        return written
    }

    @inlinable public mutating func append(_ byte: UInt8) {
        reserve(1)
        storage.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
        end &+= 1
    }

    @inlinable @inline(__always) public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count)
        (storage.unsafelyUnwrapped + end).copyMemory(from: source, byteCount: bytes.count)
        end &+= bytes.count
    }

    @inlinable public mutating func append(_ bytes: Span<UInt8>) {
        bytes.withUnsafeBytes { append($0) }
    }

    @inlinable public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    @inlinable public mutating func append(_ bytes: ArraySlice<UInt8>) {
        bytes.withUnsafeBytes { append($0) }
    }

    @inlinable @inline(__always) public mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// The UTF-8 octets of `text`, as they are: nothing is escaped.
    @inlinable public mutating func append(utf8 text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// The number in decimal digits.
    @inlinable public mutating func append(decimal value: some BinaryInteger) {
        if value < 0 { append(ASCII.hyphen) }
        var rest = UInt64(value.magnitude)
        reserve(20)
        let base = storage.unsafelyUnwrapped + end
        var digits = 0
        repeat {
            base.storeBytes(
                of: ASCII.zero &+ UInt8(truncatingIfNeeded: rest % 10),
                toByteOffset: digits,
                as: UInt8.self
            )
            rest /= 10
            digits &+= 1
        } while rest > 0
        var low = 0
        var high = digits &- 1
        while low < high {
            let byte = base.load(fromByteOffset: low, as: UInt8.self)
            base.storeBytes(of: base.load(fromByteOffset: high, as: UInt8.self), toByteOffset: low, as: UInt8.self)
            base.storeBytes(of: byte, toByteOffset: high, as: UInt8.self)
            low &+= 1
            high &-= 1
        }
        end &+= digits
    }

    /// The number in decimal digits; this one costs no generic code.
    @inlinable public mutating func append(decimal value: UInt64) {
        var digits = 1
        var limit: UInt64 = 10
        while value >= limit, digits < 20 {
            limit &*= 10
            digits &+= 1
        }
        reserve(digits)
        var rest = value
        var position = end &+ digits
        end = position
        repeat {
            position &-= 1
            let digit = UInt8(truncatingIfNeeded: rest % 10)
            storage.unsafelyUnwrapped.storeBytes(of: ASCII.zero &+ digit, toByteOffset: position, as: UInt8.self)
            rest /= 10
        } while rest > 0
    }

    /// The number in decimal digits; this one costs no generic code.
    @inlinable public mutating func append(decimal value: Int) {
        if value < 0 { append(ASCII.hyphen) }
        append(decimal: UInt64(value.magnitude))
    }

    /// CR LF.
    @inlinable public mutating func appendLineEnd() {
        append(ASCII.cr)
        append(ASCII.lf)
    }

    /// Forgets the first `n` octets; `n` is at most `count`.
    @inlinable public mutating func consume(_ n: Int) {
        precondition(n >= 0 && n <= count)
        start &+= n
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Forgets everything from `count` octets on.
    @inlinable public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count)
        end = start &+ count
    }

    /// Forgets everything; the memory stays unless `keepingCapacity` is false.
    @inlinable public mutating func removeAll(keepingCapacity: Bool = true) {
        start = 0
        end = 0
        guard !keepingCapacity else { return }
        storage?.deallocate()
        storage = nil
        room = 0
    }

    /// A copy of the octets.
    @inlinable public func array() -> [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

// Sound: the memory belongs to the buffer alone, and a buffer has one owner at a time, who may be on another thread.
extension ByteBuffer: @unchecked Sendable {}

extension Span where Element == UInt8 {
    /// A copy of the octets.
    @inlinable public func array() -> [UInt8] { withUnsafeBufferPointer { [UInt8]($0) } }

    /// The offset of the first `byte` at or behind `from`, or nil.
    @inlinable public func firstIndex(of byte: UInt8, from: Int = 0) -> Int? {
        var index = from
        while index < count {
            if self[index] == byte { return index }
            index &+= 1
        }
        return nil
    }

    /// The offset of the first control (C0 or DEL) at or behind `from`, or `end`, which is at most ``count``.
    @inlinable public func firstControl(from: Int, to end: Int) -> Int {
        precondition(from >= 0 && end <= count)
        return withUnsafeBytes { bytes in
            let ones: UInt64 = 0x0101_0101_0101_0101
            var index = from
            while end &- index >= 8 {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let delete = word ^ (ones &* 0x7F)
                // High bits of octets; those above the lowest may be wrong, for a borrow.
                let hits = ((word &- ones &* 0x20) & ~word | (delete &- ones) & ~delete) & (ones &* 0x80)
                if hits != 0 { return index &+ hits.trailingZeroBitCount >> 3 }
                index &+= 8
            }
            while index < end, bytes[index] >= 0x20, bytes[index] != 0x7F { index &+= 1 }
            return index
        }
    }

    /// The text, if the octets are well-formed UTF-8.
    public func utf8String() -> String? {
        do { return String(copying: try UTF8Span(validating: self)) } catch { return nil }
    }

    /// The text; each ill-formed sequence becomes U+FFFD.
    public func repairedUTF8String() -> String { withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) } }

    /// Whether the octets are the same.
    @inlinable public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return withUnsafeBytes { a in
            other.withUnsafeBytes { b in
                var index = 0
                while a.count &- index >= 8 {
                    let word = a.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    guard word == b.loadUnaligned(fromByteOffset: index, as: UInt64.self) else { return false }
                    index &+= 8
                }
                while index < a.count {
                    if a[index] != b[index] { return false }
                    index &+= 1
                }
                return true
            }
        }
    }

    /// Whether the octets are exactly those of `text`.
    @inlinable public func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { other in
            for index in indices where self[index] != other[index] { return false }
            return true
        }
    }
}
