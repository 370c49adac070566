// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Where a socket listens or comes from: an IPv4 or IPv6 address with its port, or a path of the unix domain.
///
/// An IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2), as a dual-stack listener reports it, is kept as IPv4.
package struct SocketAddress: Hashable, Sendable {
    enum Storage: Hashable {
        /// The address in host order.
        case ipv4(UInt32, port: UInt16)
        case ipv6(high: UInt64, low: UInt64, scope: UInt32, port: UInt16)
        case unix(String)
    }

    let storage: Storage

    init(_ storage: Storage) {
        guard case .ipv6(0, let low, _, let port) = storage, low >> 32 == 0xFFFF else {
            self.storage = storage
            return
        }
        self.storage = .ipv4(UInt32(low & 0xFFFF_FFFF), port: port)
    }

    /// A path of the unix domain; empty for a peer that has no name.
    package static func unix(path: String) -> SocketAddress { SocketAddress(.unix(path)) }

    /// The address 127.0.0.1.
    package static func loopback(port: UInt16) -> SocketAddress { SocketAddress(.ipv4(0x7F00_0001, port: port)) }

    /// Reads `127.0.0.1:8025`, `[::1]:0`, or `unix:` and a path.
    ///
    /// Names are not looked up.
    package init(parsing text: String) throws(IOError) {
        if text.utf8.starts(with: "unix:".utf8) {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count < 108, !path.utf8.contains(0) else { throw .invalidAddress(text) }
            storage = .unix(path)
            return
        }
        guard let colon = text.utf8.lastIndex(of: 0x3A),
            let port = Self.port(text[text.utf8.index(after: colon)...].utf8)
        else { throw .invalidAddress(text) }
        guard let address = Self.literal(text[..<colon].utf8, port: port) else { throw .invalidAddress(text) }
        self = address
    }

    /// An address literal without brackets, and a port.
    package init?(address: String, port: UInt16) {
        guard !address.utf8.contains(0) else { return nil }
        var four = in_addr()
        if inet_pton(AF_INET, address, &four) == 1 {
            self.init(.ipv4(UInt32(bigEndian: four.s_addr), port: port))
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, address, &six) == 1 else { return nil }
        let (high, low) = Self.words(six)
        self.init(.ipv6(high: high, low: low, scope: 0, port: port))
    }

    /// `host` is `a.b.c.d` or `[…]`.
    private static func literal(_ host: Substring.UTF8View, port: UInt16) -> SocketAddress? {
        let isBracketed = host.first == 0x5B && host.last == 0x5D && host.count > 2
        let inner = isBracketed ? host.dropFirst().dropLast() : host
        guard isBracketed == inner.contains(0x3A) else { return nil }
        return SocketAddress(address: String(Substring(inner)), port: port)
    }

    /// `1*5DIGIT` up to 65535.
    private static func port(_ digits: Substring.UTF8View) -> UInt16? {
        guard (1...5).contains(digits.count) else { return nil }
        var value: UInt32 = 0
        for digit in digits {
            guard digit &- 0x30 < 10 else { return nil }
            value = value * 10 + UInt32(digit &- 0x30)
        }
        return UInt16(exactly: value)
    }

    static func words(_ address: in6_addr) -> (UInt64, UInt64) {
        withUnsafeBytes(of: address) {
            (
                UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }
}

extension SocketAddress {
    /// The port; nil in the unix domain.
    package var port: UInt16? {
        switch storage {
        case .ipv4(_, let port), .ipv6(_, _, _, let port): port
        case .unix: nil
        }
    }

    /// The path, in the unix domain.
    package var path: String? {
        guard case .unix(let path) = storage else { return nil }
        return path
    }

    /// 4 or 16 octets in network order; none in the unix domain.
    package var addressOctets: [UInt8] {
        switch storage {
        case .ipv4(let address, _): Self.octets(address.bigEndian)
        case .ipv6(let high, let low, _, _): Self.octets(high.bigEndian) + Self.octets(low.bigEndian)
        case .unix: []
        }
    }

    private static func octets(_ word: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: word) { [UInt8]($0) } }

    /// The same machine: 127.0.0.0/8, ::1 and the unix domain.
    package var isLoopback: Bool {
        switch storage {
        case .ipv4(let address, _): address >> 24 == 127
        case .ipv6(let high, let low, _, _): high == 0 && low == 1
        case .unix: true
        }
    }

    /// What one client counts as: its IPv4 address, or the /64 network of its IPv6 address, of which it commands every address.
    package var client: SocketAddress {
        switch storage {
        case .ipv4(let address, _): SocketAddress(.ipv4(address, port: 0))
        case .ipv6(let high, _, _, _): SocketAddress(.ipv6(high: high, low: 0, scope: 0, port: 0))
        case .unix: SocketAddress(.unix(""))
        }
    }

    /// The address alone, without brackets or port; the path in the unix domain.
    package var host: String {
        switch storage {
        case .ipv4: return text(AF_INET)
        case .ipv6: return text(AF_INET6)
        case .unix(let path): return path
        }
    }

    private func text(_ family: Int32) -> String {
        var characters = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = addressOctets.withUnsafeBytes {
            inet_ntop(family, $0.baseAddress, &characters, socklen_t(characters.count))
        }
        return characters.withUnsafeBufferPointer { pointer in
            String(decoding: pointer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// As ``init(parsing:)`` reads it.
    package var description: String {
        switch storage {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, _, _, let port): "[\(host)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
