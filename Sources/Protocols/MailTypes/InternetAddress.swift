// SPDX-License-Identifier: Apache-2.0

import Wire

/// An IP address as mail writes it.
///
/// Text becomes octets here without a system call, strictly.
public enum InternetAddress: Hashable, Sendable {
    /// Four octets.
    case ipv4([UInt8])
    /// Sixteen octets.
    case ipv6([UInt8])

    /// The brackets and what is in them (RFC 5321 §4.1.3).
    ///
    /// ```
    /// IPv4-address-literal  = Snum 3("."  Snum)
    /// IPv6-address-literal  = "IPv6:" IPv6-addr
    /// ```
    public init?(literal text: Span<UInt8>) {
        guard text.count >= 2, text[0] == ASCII.openBracket, text[text.count - 1] == ASCII.closeBracket else {
            return nil
        }
        let inner = text.extracting(1..<(text.count - 1))
        if inner.count > 5, ASCII.equalsIgnoringCase(inner.extracting(0..<5), "IPv6:") {
            guard let octets = Self.parseIPv6(inner.extracting(5..<inner.count)) else { return nil }
            self = .ipv6(octets)
        } else {
            guard let octets = Self.parseIPv4(inner) else { return nil }
            self = .ipv4(octets)
        }
    }

    /// `Snum = 1*3DIGIT ; 0…255`.
    ///
    /// A leading zero is refused: some read it as octal.
    static func parseIPv4(_ text: Span<UInt8>) -> [UInt8]? {
        var octets: [UInt8] = []
        var first = 0
        for index in 0...text.count where index == text.count || text[index] == ASCII.dot {
            let digits = text.extracting(first..<index)
            guard octets.count < 4, (1...3).contains(digits.count), digits.count == 1 || digits[0] != ASCII.zero,
                let value = StrictInteger.decimal(digits, maximum: 255)
            else { return nil }
            octets.append(UInt8(value))
            first = index + 1
        }
        return octets.count == 4 ? octets : nil
    }

    /// Up to eight groups of 1–4 hexadecimal digits; `::` once, for two groups or more; the last two may be an IPv4 address.
    static func parseIPv6(_ text: Span<UInt8>) -> [UInt8]? {
        var head: [UInt8] = []
        var tail: [UInt8]?
        var index = 0
        func add(_ octets: [UInt8]) {
            if tail == nil { head += octets } else { tail?.append(contentsOf: octets) }
        }
        if text.count >= 2, text[0] == ASCII.colon, text[1] == ASCII.colon {
            tail = []
            index = 2
            if index == text.count { return [UInt8](repeating: 0, count: 16) }
        }
        while true {
            let end = text.firstIndex(of: ASCII.colon, from: index) ?? text.count
            let group = text.extracting(index..<end)
            if end == text.count, group.firstIndex(of: ASCII.dot) != nil {
                guard let quad = parseIPv4(group) else { return nil }
                add(quad)
                break
            }
            guard (1...4).contains(group.count), let value = StrictInteger.hexadecimal(group) else { return nil }
            add([UInt8(value >> 8), UInt8(value & 0xFF)])
            guard end < text.count else { break }
            index = end + 1
            guard index < text.count else { return nil }
            if text[index] == ASCII.colon {
                guard tail == nil else { return nil }
                tail = []
                index += 1
                if index == text.count { break }
            }
        }
        guard let tail else { return head.count == 16 ? head : nil }
        guard head.count + tail.count <= 12 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// One spelling for each address: decimal without leading zeros, or RFC 5952's for IPv6.
    public var octets: [UInt8] {
        var buffer = ByteBuffer()
        switch self {
        case .ipv4(let quad):
            for (index, octet) in quad.enumerated() {
                if index > 0 { buffer.append(ASCII.dot) }
                buffer.append(decimal: octet)
            }
        case .ipv6(let octets):
            let groups = stride(from: 0, to: 16, by: 2).map { UInt16(octets[$0]) << 8 | UInt16(octets[$0 + 1]) }
            Self.append(groups: groups, to: &buffer)
        }
        return buffer.array()
    }

    /// With brackets and tag: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    public var literalOctets: [UInt8] {
        switch self {
        case .ipv4: [ASCII.openBracket] + octets + [ASCII.closeBracket]
        case .ipv6: Array("[IPv6:".utf8) + octets + [ASCII.closeBracket]
        }
    }

    /// RFC 5952 §4: lower case, no leading zeros, the longest run of two or more zero groups as `::`, the first of equals.
    private static func append(groups: [UInt16], to buffer: inout ByteBuffer) {
        let gap = longestZeroRun(groups)
        var index = 0
        while index < 8 {
            if let gap, index == gap.lowerBound {
                buffer.append("::")
                index = gap.upperBound
                continue
            }
            if index > 0, index != gap?.upperBound { buffer.append(ASCII.colon) }
            let group = groups[index]
            var shift = 12
            while shift > 0, group >> UInt16(shift) == 0 { shift -= 4 }
            while shift >= 0 {
                let nibble = UInt8(group >> UInt16(shift) & 15)
                buffer.append(nibble < 10 ? 0x30 + nibble : 0x57 + nibble)
                shift -= 4
            }
            index += 1
        }
    }

    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var index = 0
        while index < 8 {
            let first = index
            while index < 8, groups[index] == 0 { index += 1 }
            if index - first >= 2, index - first > (best?.count ?? 0) { best = first..<index }
            if index == first { index += 1 }
        }
        return best
    }
}
