// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The kernel's form of an address.
extension SocketAddress {
    var family: Int32 {
        switch storage {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls with the address as a `sockaddr`.
    func withSystemAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        switch storage {
        case .ipv4(let address, let port):
            var system = sockaddr_in()
            system.sin_family = sa_family_t(AF_INET)
            system.sin_port = port.bigEndian
            system.sin_addr.s_addr = address.bigEndian
            return Self.call(&system, count: MemoryLayout<sockaddr_in>.size, body)
        case .ipv6(let high, let low, let scope, let port):
            var system = sockaddr_in6()
            system.sin6_family = sa_family_t(AF_INET6)
            system.sin6_port = port.bigEndian
            system.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &system.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return Self.call(&system, count: MemoryLayout<sockaddr_in6>.size, body)
        case .unix(let path):
            var system = sockaddr_un()
            system.sun_family = sa_family_t(AF_UNIX)
            let octets = Array(path.utf8.prefix(107))
            withUnsafeMutableBytes(of: &system.sun_path) { $0.copyBytes(from: octets) }
            // A name that begins with NUL is abstract: it has no terminator.
            let terminator = octets.first == 0 ? 0 : 1
            return Self.call(&system, count: 2 + octets.count + terminator, body)
        }
    }

    private static func call<T>(
        _ system: inout T,
        count: Int,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &system) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(count)) }
        }
    }

    /// Lets `body` fill in an address and reads it; nil when it returns a negative number or the family is foreign to us.
    static func read(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (result: Int32, address: SocketAddress?) {
        var system = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &system) { pointer in
            let result = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
            guard result >= 0 else { return (result, nil) }
            return (result, decode(UnsafeRawPointer(pointer), count: Int(length)))
        }
    }

    private static func decode(_ system: UnsafeRawPointer, count: Int) -> SocketAddress? {
        switch Int32(system.load(as: sa_family_t.self)) {
        case AF_INET where count >= MemoryLayout<sockaddr_in>.size:
            let address = system.load(as: sockaddr_in.self)
            return SocketAddress(
                .ipv4(UInt32(bigEndian: address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
            )
        case AF_INET6 where count >= MemoryLayout<sockaddr_in6>.size:
            let address = system.load(as: sockaddr_in6.self)
            let (high, low) = words(address.sin6_addr)
            return SocketAddress(
                .ipv6(high: high, low: low, scope: address.sin6_scope_id, port: UInt16(bigEndian: address.sin6_port))
            )
        case AF_UNIX:
            let path = UnsafeRawBufferPointer(start: system + 2, count: max(0, min(count, 110) - 2))
            return SocketAddress(.unix(String(decoding: path.prefix { $0 != 0 }, as: UTF8.self)))
        default: return nil
        }
    }
}
