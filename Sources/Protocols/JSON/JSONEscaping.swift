// SPDX-License-Identifier: Apache-2.0

public import Wire

/// Strings as JSON writes them (RFC 8259 §7): `"`, `\` and controls escaped, everything else as it is.
public enum JSONEscaping {
    /// Appends `source` escaped and without quotes; ill-formed UTF-8 becomes U+FFFD.
    public static func append(_ source: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        var position = 0
        while position < source.count {
            _ = buffer.fill(atLeast: source.count - position + 16) { room in
                copy(source, from: &position, into: room)
            }
        }
    }

    /// A mask with the high bit set in the first octet of `word` (and maybe in later ones) that cannot stand as it is: a control, `"`,
    /// `\`, or the beginning of something beyond ASCII.
    @inlinable static func special(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let control = (word &- ones &* 0x20) & ~word
        let hits = word | control | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
        return hits & (ones &* 0x80)
    }

    /// Escapes from `position` on until the source or the room ends; returns the octets written.
    ///
    /// An escape takes six at most, and eight are stored at once, so the last 16 octets of the room are not begun upon.
    private static func copy(
        _ source: UnsafeRawBufferPointer,
        from position: inout Int,
        into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        guard let input = source.baseAddress, let output = room.baseAddress else { return 0 }
        let end = source.count
        let limit = room.count &- 16
        var from = position
        var to = 0
        while from < end, to <= limit {
            if end &- from >= 8 {
                let word = UInt64(littleEndian: input.loadUnaligned(fromByteOffset: from, as: UInt64.self))
                output.storeBytes(of: word.littleEndian, toByteOffset: to, as: UInt64.self)
                let hits = special(word)
                let clean = hits == 0 ? 8 : hits.trailingZeroBitCount >> 3
                from &+= clean
                to &+= clean
                if clean == 8 { continue }
            }
            let byte = input.load(fromByteOffset: from, as: UInt8.self)
            if byte >= 0x80 {
                let length = UTF8Sequence.length(source, at: from)
                if length > 0 {
                    (output + to).copyMemory(from: input + from, byteCount: length)
                    to &+= length
                } else {
                    to &+= store([0xEF, 0xBF, 0xBD], at: output + to)
                }
                from &+= abs(length)
            } else {
                to &+= escape(byte, at: output + to)
                from &+= 1
            }
        }
        position = from
        return to
    }

    private static func store(_ bytes: InlineArray<3, UInt8>, at output: UnsafeMutableRawPointer) -> Int {
        for index in bytes.indices { output.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self) }
        return bytes.count
    }

    /// Writes one ASCII octet, escaped where it must be; returns how many octets that took.
    private static func escape(_ byte: UInt8, at output: UnsafeMutableRawPointer) -> Int {
        if byte >= 0x20, byte != ASCII.quote, byte != ASCII.backslash {
            output.storeBytes(of: byte, as: UInt8.self)
            return 1
        }
        output.storeBytes(of: ASCII.backslash, as: UInt8.self)
        let short: UInt8
        switch byte {
        case ASCII.quote, ASCII.backslash: short = byte
        case 0x08: short = UInt8(ascii: "b")
        case ASCII.tab: short = UInt8(ascii: "t")
        case ASCII.lf: short = UInt8(ascii: "n")
        case 0x0C: short = UInt8(ascii: "f")
        case ASCII.cr: short = UInt8(ascii: "r")
        default:
            let low = byte & 15
            output.storeBytes(of: UInt8(ascii: "u"), toByteOffset: 1, as: UInt8.self)
            output.storeBytes(of: ASCII.zero, toByteOffset: 2, as: UInt8.self)
            output.storeBytes(of: ASCII.zero, toByteOffset: 3, as: UInt8.self)
            output.storeBytes(of: ASCII.zero &+ byte >> 4, toByteOffset: 4, as: UInt8.self)
            output.storeBytes(of: low < 10 ? 0x30 &+ low : 0x57 &+ low, toByteOffset: 5, as: UInt8.self)
            return 6
        }
        output.storeBytes(of: short, toByteOffset: 1, as: UInt8.self)
        return 2
    }
}

/// Well-formed UTF-8 byte sequences (Unicode, table 3-7).
enum UTF8Sequence {
    /// How many continuation octets follow `lead`, and what the first of them may be; nil where no sequence begins with it.
    @inline(__always)
    static func expectation(after lead: UInt8) -> (count: Int, low: UInt8, high: UInt8)? {
        switch lead {
        case 0xC2...0xDF: (1, 0x80, 0xBF)
        case 0xE0: (2, 0xA0, 0xBF)
        case 0xED: (2, 0x80, 0x9F)
        case 0xE1...0xEF: (2, 0x80, 0xBF)
        case 0xF0: (3, 0x90, 0xBF)
        case 0xF1...0xF3: (3, 0x80, 0xBF)
        case 0xF4: (3, 0x80, 0x8F)
        default: nil
        }
    }

    /// The octets of the sequence at `start`, 2…4; or the negated length of the maximal ill-formed one, -3…-1.
    static func length(_ source: UnsafeRawBufferPointer, at start: Int) -> Int {
        guard let (count, low, high) = expectation(after: source[start]) else { return -1 }
        guard start + 1 < source.count, source[start + 1] >= low, source[start + 1] <= high else { return -1 }
        var index = 2
        while index <= count {
            guard start + index < source.count, source[start + index] & 0xC0 == 0x80 else { return -index }
            index += 1
        }
        return index
    }
}
