// SPDX-License-Identifier: Apache-2.0

/// Base64 of RFC 4648 §4, strictly: whole groups, right padding, no other octets, no bits left over.
///
/// Mail bodies, which need leniency and streaming, have their own decoder in `MIME`.
public enum Base64 {
    @usableFromInline static let alphabet: [UInt8] = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// 0…63 for a digit of the alphabet, 255 for anything else.
    @usableFromInline static let values: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, digit) in alphabet.enumerated() { table[Int(digit)] = UInt8(value) }
        return table
    }()

    /// The value of one digit, or nil.
    @inlinable public static func value(of digit: UInt8) -> UInt8? {
        let value = values[Int(digit)]
        return value < 64 ? value : nil
    }

    @inlinable public static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index + 2 < bytes.count {
            let group = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
            for shift in [18, 12, 6, 0] { out.append(alphabet[Int(group >> UInt32(shift) & 63)]) }
            index += 3
        }
        switch bytes.count - index {
        case 1:
            out.append(alphabet[Int(bytes[index] >> 2)])
            out.append(alphabet[Int(bytes[index] & 3) << 4])
            out.append(ASCII.equals)
            out.append(ASCII.equals)
        case 2:
            out.append(alphabet[Int(bytes[index] >> 2)])
            out.append(alphabet[Int(bytes[index] & 3) << 4 | Int(bytes[index + 1] >> 4)])
            out.append(alphabet[Int(bytes[index + 1] & 15) << 2])
            out.append(ASCII.equals)
        default: break
        }
        return out
    }

    @inlinable public static func encode(_ bytes: [UInt8]) -> [UInt8] { encode(bytes.span) }

    /// The octets, or nil where the text is not exactly canonical base64.
    @inlinable public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var digits = text.count
        while digits > 0, text.count - digits < 2, text[digits - 1] == ASCII.equals { digits -= 1 }
        guard digits % 4 != 1 else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var group: UInt32 = 0
        var bits: UInt32 = 0
        for index in 0..<digits {
            guard let value = value(of: text[index]) else { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: group >> bits))
                group &= (1 << bits) - 1
            }
        }
        return group == 0 ? out : nil
    }
}

/// Strict base64 in pieces of any size: what ``Base64/decode(_:)`` takes whole.
public struct Base64Decoder: Sendable {
    private var group: UInt32 = 0
    /// Digits of the group begun: 0…3.
    private var digits = 0
    private var padding = 0
    private var isMalformed = false

    public init() {}

    /// Appends what the next digits stand for; false once something was not base64.
    public mutating func decode(_ text: Span<UInt8>, into buffer: inout ByteBuffer) -> Bool {
        for index in text.indices where !isMalformed { take(text[index], into: &buffer) }
        return !isMalformed
    }

    private mutating func take(_ byte: UInt8, into buffer: inout ByteBuffer) {
        if byte == ASCII.equals {
            // Padding fills the last group, and leaves no bits over.
            padding += 1
            let unused: UInt32 = digits == 2 ? 0xF : 0x3
            isMalformed = digits < 2 || digits + padding > 4 || group & unused != 0
            return
        }
        guard padding == 0, let value = Base64.value(of: byte) else {
            isMalformed = true
            return
        }
        group = group << 6 | UInt32(value)
        digits += 1
        if digits == 4 {
            for shift: UInt32 in [16, 8, 0] { buffer.append(UInt8(truncatingIfNeeded: group >> shift)) }
            group = 0
            digits = 0
        }
    }

    /// The text is over: appends the octets of a padded group; false where the text was not whole.
    public mutating func finish(into buffer: inout ByteBuffer) -> Bool {
        guard !isMalformed, digits == 0 || digits + padding == 4 else { return false }
        if digits == 2 { buffer.append(UInt8(truncatingIfNeeded: group >> 4)) }
        if digits == 3 {
            buffer.append(UInt8(truncatingIfNeeded: group >> 10))
            buffer.append(UInt8(truncatingIfNeeded: group >> 2))
        }
        return true
    }
}

/// Lower-case hexadecimal.
public enum Hex {
    public static func encode(_ bytes: Span<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count * 2)
        for index in bytes.indices {
            for nibble in [bytes[index] >> 4, bytes[index] & 15] {
                out.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
            }
        }
        return out
    }

    public static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        var out: [UInt8] = []
        var index = 0
        while index < text.count {
            guard let high = ASCII.hexValue(text[index]), let low = ASCII.hexValue(text[index + 1]) else { return nil }
            out.append(high << 4 | low)
            index += 2
        }
        return out
    }
}
