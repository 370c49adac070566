// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A stream socket that we make and a library connects, uses and closes.
package enum ForeignSocket {
    /// The address and the port of a `sockaddr` of so many octets, just as the kernel would read them: 4 or 16 octets in
    /// network order.
    ///
    /// Nil for another family than IPv4 and IPv6.
    package static func destination(_ system: UnsafeRawPointer, count: Int) -> (octets: [UInt8], port: UInt16)? {
        switch Int32(system.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where count >= MemoryLayout<sockaddr_in>.size:
            let address = system.loadUnaligned(as: sockaddr_in.self)
            return (withUnsafeBytes(of: address.sin_addr) { [UInt8]($0) }, UInt16(bigEndian: address.sin_port))
        case AF_INET6 where count >= MemoryLayout<sockaddr_in6>.size:
            let address = system.loadUnaligned(as: sockaddr_in6.self)
            return (withUnsafeBytes(of: address.sin6_addr) { [UInt8]($0) }, UInt16(bigEndian: address.sin6_port))
        default: return nil
        }
    }

    /// A non-blocking, close-on-exec descriptor for an address of 4 or 16 octets.
    package static func make(addressOctets: Int) throws(IOError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        return try retrying { Glibc.socket(addressOctets == 4 ? AF_INET : AF_INET6, type, 0) }
    }
}
