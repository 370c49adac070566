// SPDX-License-Identifier: Apache-2.0

/// What is known of addresses that are not just a machine on the Internet (RFC 6890 and IANA's registries behind it).
enum SpecialAddresses {
    /// Where clouds hand out credentials to whoever asks from inside.
    static let metadata: [IPNetwork] = [
        "169.254.169.254/32",  // Amazon, Google, Microsoft, Oracle, DigitalOcean, OpenStack
        "169.254.170.2/32", "169.254.170.23/32",  // Amazon's containers
        "fd00:ec2::/32",  // Amazon over IPv6
        "fd20:ce::254/128",  // Google over IPv6
        "100.100.100.200/32",  // Alibaba
        "168.63.129.16/32",  // Microsoft's host behind a public address
        "192.0.0.192/32",  // Oracle
    ].map { IPNetwork($0) }

    private static let four: [(network: IPNetwork, reason: EgressRefusal)] = [
        ("0.0.0.0/8", .unspecified), ("10.0.0.0/8", .privateNetwork), ("100.64.0.0/10", .sharedAddressSpace),
        ("127.0.0.0/8", .loopback), ("169.254.0.0/16", .linkLocal), ("172.16.0.0/12", .privateNetwork),
        ("192.0.0.0/24", .reserved), ("192.0.2.0/24", .documentation), ("192.88.99.0/24", .reserved),
        ("192.168.0.0/16", .privateNetwork), ("198.18.0.0/15", .benchmarking), ("198.51.100.0/24", .documentation),
        ("203.0.113.0/24", .documentation), ("224.0.0.0/4", .multicast), ("240.0.0.0/4", .reserved),
    ].map { (IPNetwork($0), $1) }

    /// In order: what is further ahead is narrower.
    private static let six: [(network: IPNetwork, reason: EgressRefusal)] = [
        ("::/128", .unspecified), ("::1/128", .loopback), ("64:ff9b:1::/48", .privateNetwork),
        ("2001:2::/48", .benchmarking), ("2001:db8::/32", .documentation), ("2001::/23", .reserved),
        ("3fff::/20", .documentation), ("fc00::/7", .uniqueLocal), ("fe80::/10", .linkLocal), ("fec0::/10", .siteLocal),
        ("ff00::/8", .multicast),
    ].map { (IPNetwork($0), $1) }

    /// The only part of IPv6 that is given out to machines (RFC 4291 §2.4).
    private static let globalUnicast = IPNetwork("2000::/3")

    /// Why nobody on the Internet has this address; nil for an ordinary one.
    ///
    /// Of an address that holds another one, see ``inner(of:)`` instead.
    static func reason(_ address: IPAddress) -> EgressRefusal? {
        switch address {
        case .v4: return four.first { $0.network.contains(address) }?.reason
        case .v6:
            if let reason = six.first(where: { $0.network.contains(address) })?.reason { return reason }
            return globalUnicast.contains(address) ? nil : .reserved
        }
    }

    private static let mapped = IPNetwork("::ffff:0:0/96")
    private static let compatible = IPNetwork("::/96")
    private static let translated = IPNetwork("::ffff:0:0:0/96")
    private static let nat64 = IPNetwork("64:ff9b::/96")
    private static let localNAT64 = IPNetwork("64:ff9b:1::/48")
    private static let sixToFour = IPNetwork("2002::/16")
    private static let teredo = IPNetwork("2001::/32")

    /// The IPv4 machines that an IPv6 address stands for, at which a packet to it arrives; none for one that is only itself.
    ///
    /// Mapped (RFC 4291 §2.5.5.2), compatible (§2.5.5.1), translated (RFC 2765 §2.1), NAT64 (RFC 6052, RFC 8215), 6to4
    /// (RFC 3056 §2), Teredo's server and client (RFC 4380 §4).
    static func inner(of address: IPAddress) -> [IPAddress] {
        guard case .v6(let bits) = address else { return [] }
        let last = UInt32(truncatingIfNeeded: bits)
        if bits > 1, mapped.contains(address) || compatible.contains(address) || translated.contains(address) {
            return [.v4(last)]
        }
        if nat64.contains(address) || localNAT64.contains(address) { return [.v4(last)] }
        if sixToFour.contains(address) { return [.v4(UInt32(truncatingIfNeeded: bits >> 80))] }
        if teredo.contains(address) { return [.v4(UInt32(truncatingIfNeeded: bits >> 64)), .v4(~last)] }
        return []
    }

    /// Whether the address is judged by what it holds alone: it is an address of the Internet if that is one.
    ///
    /// Not within 64:ff9b:1::/48, which each network uses as it likes, nor in the two forms that nobody routes.
    static func isOnlyWrapping(_ address: IPAddress) -> Bool {
        mapped.contains(address) || nat64.contains(address) || sixToFour.contains(address) || teredo.contains(address)
    }
}
