// SPDX-License-Identifier: Apache-2.0

import Egress
import Glibc

/// An address is one exactly where the C library takes it for one, with the same octets; what we write is read as the same.
@_cdecl("LLVMFuzzerTestOneInput") func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: data == nil ? 0 : size))
    let network = IPNetwork(octets)
    if let network {
        precondition(IPNetwork("\(network)".utf8) == network)
        precondition(network.contains(network.base))
    }
    guard !octets.contains(0) else {
        precondition(IPAddress(octets) == nil)
        return 0
    }
    let address = IPAddress(octets)
    precondition(address?.octets == theirs(octets))
    if let address { precondition(IPAddress("\(address)".utf8) == address && network != nil) }
    return 0
}

private func theirs(_ text: [UInt8]) -> [UInt8]? {
    var octets = [UInt8](repeating: 0, count: 16)
    return (text + [0]).withUnsafeBufferPointer { buffer in
        buffer.withMemoryRebound(to: CChar.self) { characters -> [UInt8]? in
            guard let start = characters.baseAddress else { return nil }
            if inet_pton(AF_INET, start, &octets) == 1 { return Array(octets.prefix(4)) }
            return inet_pton(AF_INET6, start, &octets) == 1 ? octets : nil
        }
    }
}
