// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Egress

@Suite struct EgressPolicyTests {
    private func verdict(_ policy: EgressPolicy, _ address: String, _ port: UInt16 = 443) throws -> EgressRefusal? {
        policy.refusal(to: try #require(IPAddress(address.utf8), "\(address)"), port: port, for: .web)
    }

    private func networks(_ texts: [String]) throws -> [IPNetwork] {
        try texts.map { try #require(IPNetwork($0.utf8), "\($0)") }
    }

    /// The first and the last address of each range, and the neighbours outside.
    @Test(
        arguments: [
            ("0.0.0.0", .unspecified), ("0.255.255.255", .unspecified), ("1.0.0.0", nil), ("9.255.255.255", nil),
            ("10.0.0.0", .privateNetwork), ("10.255.255.255", .privateNetwork), ("11.0.0.0", nil),
            ("100.63.255.255", nil),
            ("100.64.0.0", .sharedAddressSpace), ("100.127.255.255", .sharedAddressSpace), ("100.128.0.0", nil),
            ("100.100.100.200", .metadata), ("126.255.255.255", nil), ("127.0.0.0", .loopback),
            ("127.0.0.1", .loopback),
            ("127.255.255.255", .loopback), ("128.0.0.0", nil), ("169.253.255.255", nil), ("169.254.0.0", .linkLocal),
            ("169.254.169.254", .metadata), ("169.254.170.2", .metadata), ("169.254.255.255", .linkLocal),
            ("169.255.0.0", nil),
            ("172.15.255.255", nil), ("172.16.0.0", .privateNetwork), ("172.31.255.255", .privateNetwork),
            ("172.32.0.0", nil),
            ("192.0.0.0", .reserved), ("192.0.0.192", .metadata), ("192.0.0.255", .reserved), ("192.0.1.0", nil),
            ("192.0.2.0", .documentation), ("192.0.2.255", .documentation), ("192.0.3.0", nil),
            ("192.88.99.1", .reserved),
            ("192.167.255.255", nil), ("192.168.0.0", .privateNetwork), ("192.168.255.255", .privateNetwork),
            ("192.169.0.0", nil),
            ("198.17.255.255", nil), ("198.18.0.0", .benchmarking), ("198.19.255.255", .benchmarking),
            ("198.20.0.0", nil),
            ("198.51.100.7", .documentation), ("203.0.113.7", .documentation), ("223.255.255.255", nil),
            ("224.0.0.0", .multicast),
            ("239.255.255.255", .multicast), ("240.0.0.0", .reserved), ("255.255.255.255", .reserved),
            ("168.63.129.16", .metadata), ("8.8.8.8", nil), ("93.184.215.14", nil),
        ] as [(String, EgressRefusal?)]
    )
    func judgesIPv4(_ address: String, _ expected: EgressRefusal?) throws {
        #expect(try verdict(EgressPolicy(), address) == expected)
    }

    @Test(
        arguments: [
            ("::", .unspecified), ("::1", .loopback), ("::2", .unspecified), ("::7f00:1", .loopback),
            ("::808:808", .reserved),
            ("::1:0:0:0", .reserved), ("100::1", .reserved), ("1fff::1", .reserved), ("2000::1", nil),
            ("2606:4700::1111", nil),
            ("3ffe::1", nil), ("3fff::1", .documentation), ("3fff:fff::1", .documentation), ("3fff:1000::1", nil),
            ("4000::1", .reserved), ("5f00::1", .reserved), ("2001:2::1", .benchmarking),
            ("2001:db8::1", .documentation),
            ("2001:20::1", .reserved), ("2001:1ff::1", .reserved), ("2001:200::1", nil), ("fbff::1", .reserved),
            ("fc00::1", .uniqueLocal), ("fd12:3456::1", .uniqueLocal), ("fdff::1", .uniqueLocal),
            ("fe00::1", .reserved),
            ("fe7f::1", .reserved), ("fe80::1", .linkLocal), ("febf::1", .linkLocal), ("fec0::1", .siteLocal),
            ("feff::1", .siteLocal), ("ff02::1", .multicast), ("fd00:ec2::254", .metadata), ("fd20:ce::254", .metadata),
        ] as [(String, EgressRefusal?)]
    )
    func judgesIPv6(_ address: String, _ expected: EgressRefusal?) throws {
        #expect(try verdict(EgressPolicy(), address) == expected)
    }

    /// IPv4 within IPv6 is judged as the IPv4 address that a packet would arrive at.
    @Test(
        arguments: [
            ("::ffff:127.0.0.1", .loopback), ("::ffff:10.1.2.3", .privateNetwork),
            ("::ffff:169.254.169.254", .metadata),
            ("::ffff:8.8.8.8", nil), ("::ffff:0:127.0.0.1", .loopback), ("::ffff:0:8.8.8.8", .reserved),
            ("64:ff9b::127.0.0.1", .loopback), ("64:ff9b::192.168.1.1", .privateNetwork),
            ("64:ff9b::169.254.169.254", .metadata),
            ("64:ff9b::8.8.8.8", nil), ("64:ff9b:1::8.8.8.8", .privateNetwork),
            ("64:ff9b:1::169.254.169.254", .metadata),
            ("64:ff9b:1::127.0.0.1", .loopback), ("64:ff9b:2::8.8.8.8", .reserved), ("2002:7f00:1::", .loopback),
            ("2002:a00:1::1", .privateNetwork), ("2002:a9fe:a9fe::1", .metadata), ("2002:808:808::1", nil),
            // Teredo: the server 8.8.8.8, and the client's address with its bits inverted (RFC 4380 §4).
            ("2001:0:808:808:0:0:f7f7:f7f7", nil), ("2001:0:808:808:0:0:80ff:fffe", .loopback),
            ("2001:0:808:808:0:0:5601:5601", .metadata), ("2001:0:a00:1:0:0:f7f7:f7f7", .privateNetwork),
        ] as [(String, EgressRefusal?)]
    )
    func looksIntoWrappedAddresses(_ address: String, _ expected: EgressRefusal?) throws {
        #expect(try verdict(EgressPolicy(), address) == expected)
    }

    @Test(
        arguments: [
            (["10.0.0.0/8"], "10.1.2.3", nil), (["10.0.0.0/8"], "192.168.0.1", .privateNetwork),
            (["10.0.0.0/8"], "::ffff:10.1.2.3", nil), (["10.0.0.0/8"], "64:ff9b::10.1.2.3", nil),
            (["127.0.0.0/8"], "127.0.0.1", nil), (["127.0.0.0/8"], "::1", .loopback), (["::1"], "::1", nil),
            (["fd00::/8"], "fd12::1", nil), (["fd00::/8"], "fd00:ec2::254", .metadata),
            (["fd00::/8"], "fc00::1", .uniqueLocal),
            (["0.0.0.0/0", "::/0"], "169.254.169.254", .metadata),
            (["0.0.0.0/0", "::/0"], "::ffff:169.254.169.254", .metadata),
            (["0.0.0.0/0", "::/0"], "64:ff9b::169.254.169.254", .metadata),
            (["0.0.0.0/0"], "100.100.100.200", .metadata),
            (["0.0.0.0/0", "::/0"], "169.254.1.1", nil), (["64:ff9b:1::/48"], "64:ff9b:1::8.8.8.8", nil),
        ] as [([String], String, EgressRefusal?)]
    )
    func allowsTheOperatorsNetworksButNeverMetadata(
        _ allowed: [String],
        _ address: String,
        _ expected: EgressRefusal?
    ) throws {
        var policy = EgressPolicy()
        policy.allowed = try networks(allowed)
        #expect(try verdict(policy, address) == expected)
    }

    @Test func whatIsDeniedStaysDenied() throws {
        var policy = EgressPolicy()
        policy.allowed = try networks(["10.0.0.0/8"])
        policy.denied = try networks(["10.9.0.0/16", "8.8.8.0/24", "2606:4700::/32"])
        #expect(try verdict(policy, "10.8.0.1") == nil)
        #expect(try verdict(policy, "10.9.0.1") == .denied)
        #expect(try verdict(policy, "::ffff:10.9.0.1") == .denied)
        #expect(try verdict(policy, "8.8.8.8") == .denied)
        #expect(try verdict(policy, "64:ff9b::8.8.8.8") == .denied)
        #expect(try verdict(policy, "2606:4700::1111") == .denied)
        #expect(try verdict(policy, "8.8.4.4") == nil)
    }

    @Test func onlyTheWebsPortsAreUsedUnlessOthersAreSet() throws {
        var policy = EgressPolicy()
        for port: UInt16 in [80, 443, 8080, 8443] { #expect(try verdict(policy, "8.8.8.8", port) == nil) }
        for port: UInt16 in [0, 22, 25, 79, 81, 444, 6379, 65_535] {
            #expect(try verdict(policy, "8.8.8.8", port) == .port)
        }
        policy.allowed = try networks(["127.0.0.0/8"])
        #expect(try verdict(policy, "127.0.0.1", 6379) == .port)
        policy.ports[.web] = [8000...8999]
        #expect(try verdict(policy, "127.0.0.1", 8000) == nil)
        #expect(try verdict(policy, "8.8.8.8", 443) == .port)
        policy.ports = [:]
        #expect(try verdict(policy, "8.8.8.8", 6379) == nil)
    }

    @Test(
        arguments: [
            ("443", 443...443), ("8000-8999", 8000...8999), ("1-65535", 1...65_535), ("any", 1...65_535), ("0", nil),
            ("00", nil),
            ("080", nil), ("65536", nil), ("99999", nil), ("1-65536", nil), ("9-8", nil), ("-", nil), ("1-", nil),
            ("-1", nil),
            ("1-2-3", nil), ("+1", nil), ("1 ", nil), ("", nil), ("Any", nil), ("1000000", nil),
        ] as [(String, ClosedRange<UInt16>?)]
    )
    func readsPorts(_ text: String, _ expected: ClosedRange<UInt16>?) {
        #expect(EgressPolicy.ports(text.utf8) == expected)
    }

    @Test func reasonsHaveWordsForMetrics() {
        for refusal in EgressRefusal.allCases {
            #expect(refusal.rawValue.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F })
        }
    }
}
