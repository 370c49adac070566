// SPDX-License-Identifier: Apache-2.0

/// An address of a machine, without a port: 32 bits of IPv4 or 128 bits of IPv6.
///
/// An IPv4 address mapped into IPv6 stays what it is, since a judge has to see it.
package enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(UInt128)

    /// 4 or 16 octets in network order; nil for any other number.
    package init?(octets: some Collection<UInt8>) {
        switch octets.count {
        case 4: self = .v4(octets.reduce(0) { $0 << 8 | UInt32($1) })
        case 16: self = .v6(octets.reduce(0) { $0 << 8 | UInt128($1) })
        default: return nil
        }
    }

    /// 4 or 16 octets in network order.
    package var octets: [UInt8] {
        switch self {
        case .v4(let bits): (0..<4).map { UInt8(truncatingIfNeeded: bits >> (24 - 8 * $0)) }
        case .v6(let bits): (0..<16).map { UInt8(truncatingIfNeeded: bits >> (120 - 8 * $0)) }
        }
    }

    /// Its length in bits: 32 or 128.
    package var width: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }
}

extension IPAddress {
    /// Reads `192.0.2.1` (RFC 3986 §3.2.2: four decimal numbers, no leading zeros) or the text forms of RFC 4291 §2.2.
    ///
    /// No brackets, no zone, no port, no other spelling of a number: `0x7f.1` is no address.
    package init?(_ text: some Collection<UInt8>) {
        let octets = Array(text)
        if octets.contains(Self.colon) {
            guard let bits = Self.six(octets[...]) else { return nil }
            self = .v6(bits)
        } else {
            guard let bits = Self.four(octets[...]) else { return nil }
            self = .v4(bits)
        }
    }

    private static let colon: UInt8 = 0x3A
    private static let dot: UInt8 = 0x2E

    private static func four(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: dot, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard let number = decimal(part, maximum: 255) else { return nil }
            bits = bits << 8 | number
        }
        return bits
    }

    /// `1*3DIGIT` without leading zeros, up to `maximum`.
    static func decimal(_ digits: ArraySlice<UInt8>, maximum: UInt32) -> UInt32? {
        guard (1...3).contains(digits.count), digits.count == 1 || digits.first != 0x30 else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard digit &- 0x30 < 10 else { return nil }
            value = value * 10 + UInt32(digit &- 0x30)
        }
        return value <= maximum ? value : nil
    }

    private static func six(_ text: ArraySlice<UInt8>) -> UInt128? {
        guard let gap = doubleColon(in: text) else {
            guard let groups = groups(text), groups.count == 8 else { return nil }
            return bits(groups)
        }
        guard let head = groups(text[..<gap], mayHoldFour: false), let tail = groups(text[(gap + 2)...]),
            head.count + tail.count < 8
        else { return nil }
        return bits(head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail)
    }

    /// Where `::` begins; a second one makes a group that is empty, which ``groups(_:mayHoldFour:)`` refuses.
    private static func doubleColon(in text: ArraySlice<UInt8>) -> Int? {
        text.indices.dropLast().first { text[$0] == colon && text[$0 + 1] == colon }
    }

    private static func bits(_ groups: [UInt16]) -> UInt128 { groups.reduce(0) { $0 << 16 | UInt128($1) } }

    /// The 16-bit groups of `1:2:3`, of which the last two may be written as an IPv4 address; none in an empty text.
    private static func groups(_ text: ArraySlice<UInt8>, mayHoldFour: Bool = true) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var found: [UInt16] = []
        let parts = text.split(separator: colon, maxSplits: 8, omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if mayHoldFour, index == parts.count - 1, let bits = four(part) {
                found += [UInt16(bits >> 16), UInt16(bits & 0xFFFF)]
            } else {
                guard let group = hexadecimal(part) else { return nil }
                found.append(group)
            }
        }
        return found.count <= 8 ? found : nil
    }

    /// `1*4HEXDIG`.
    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(digits.count) else { return nil }
        var value: UInt16 = 0
        for digit in digits {
            let letter = (digit | 0x20) &- 0x61
            if digit &- 0x30 < 10 {
                value = value << 4 | UInt16(digit &- 0x30)
            } else if letter < 6 {
                value = value << 4 | UInt16(letter + 10)
            } else {
                return nil
            }
        }
        return value
    }
}

extension IPAddress: CustomStringConvertible {
    /// As RFC 5952 §4 wants it, except that IPv4 within IPv6 is written in hexadecimal too.
    package var description: String {
        switch self {
        case .v4: return octets.map { String($0) }.joined(separator: ".")
        case .v6(let bits):
            let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> (112 - 16 * $0)) }
            let texts = groups.map { String($0, radix: 16) }
            guard let gap = Self.longestZeros(groups) else { return texts.joined(separator: ":") }
            return texts[..<gap.lowerBound].joined(separator: ":") + "::"
                + texts[gap.upperBound...].joined(separator: ":")
        }
    }

    /// The first of the longest runs of two or more groups that are 0.
    private static func longestZeros(_ groups: [UInt16]) -> Range<Int>? {
        var best = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 { start = index + 1 }
            if index + 1 - start > best.count { best = start..<(index + 1) }
        }
        return best.count >= 2 ? best : nil
    }
}
