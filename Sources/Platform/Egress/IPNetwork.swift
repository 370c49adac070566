// SPDX-License-Identifier: Apache-2.0

/// The addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8` (RFC 4632 §3.1, RFC 4291 §2.3).
package struct IPNetwork: Hashable, Sendable {
    /// The first of them.
    package let base: IPAddress
    /// How many bits they have in common: 0 to 32 or to 128.
    package let prefix: Int

    /// Nil when the prefix is longer than the address, or bits behind it are set: `10.0.0.1/8` is somebody's mistake.
    package init?(_ base: IPAddress, prefix: Int) {
        guard (0...base.width).contains(prefix) else { return nil }
        self.base = base
        self.prefix = prefix
        guard Self.first(of: base, prefix) == base else { return nil }
    }

    /// Reads an address, a slash, and the prefix's length without leading zeros; or an address alone, which is all its bits.
    package init?(_ text: some Collection<UInt8>) {
        let parts = Array(text).split(separator: 0x2F, maxSplits: 1, omittingEmptySubsequences: false)
        guard let head = parts.first, let address = IPAddress(head) else { return nil }
        guard parts.count == 2 else {
            self.init(address, prefix: address.width)
            return
        }
        guard let prefix = IPAddress.decimal(parts[1], maximum: 128) else { return nil }
        self.init(address, prefix: Int(prefix))
    }

    /// A literal of ours.
    init(_ literal: StaticString) {
        let network = literal.withUTF8Buffer { IPNetwork(Array($0)) }
        guard let network else { preconditionFailure("not a network: \(literal)") }
        self = network
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.width == base.width && Self.first(of: address, prefix) == base
    }

    private static func first(of address: IPAddress, _ prefix: Int) -> IPAddress {
        switch address {
        // A shift by all the bits leaves none.
        case .v4(let bits): .v4(bits & (UInt32.max << UInt32(32 - prefix)))
        case .v6(let bits): .v6(bits & (UInt128.max << UInt128(128 - prefix)))
        }
    }
}

extension IPNetwork: CustomStringConvertible {
    package var description: String { "\(base)/\(prefix)" }
}
