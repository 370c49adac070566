// SPDX-License-Identifier: Apache-2.0

/// All addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
package struct AddressRange: Hashable, Sendable {
    private let octets: [UInt8]
    private let bits: Int

    /// Nil for what is not an address, with or without `/` and a number of bits it can have.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = SocketAddress(address: String(first), port: 0) else { return nil }
        let octets = address.addressOctets
        var bits = octets.count * 8
        if parts.count == 2 {
            guard let given = Self.number(parts[1].utf8), given <= bits else { return nil }
            bits = given
        }
        self.octets = octets
        self.bits = bits
    }

    /// `1*3DIGIT`.
    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard (1...3).contains(digits.count), digits.allSatisfy({ $0 &- 0x30 < 10 }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
    }

    package func contains(_ address: SocketAddress) -> Bool {
        let other = address.addressOctets
        guard other.count == octets.count else { return false }
        for index in 0..<(bits / 8) where octets[index] != other[index] { return false }
        guard bits % 8 > 0 else { return true }
        return (octets[bits / 8] ^ other[bits / 8]) >> UInt8(8 - bits % 8) == 0
    }
}
