// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import Egress

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("192.0.2.1", "192.0.2.1"), ("::", "::"),
        ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("::ffff:127.0.0.1", "::ffff:7f00:1"),
        ("64:ff9b::1.2.3.4", "64:ff9b::102:304"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("0001:0002::", "1:2::"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ])
    func isReadAndWritten(_ text: String, _ written: String) throws {
        let address = try #require(IPAddress(text.utf8))
        #expect("\(address)" == written)
        #expect(IPAddress(written.utf8) == address)
        #expect(IPAddress(octets: address.octets) == address)
        #expect(address.octets == theirs(text))
    }

    @Test(arguments: [
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4",
        "+1.2.3.4",
        "0x7f.1", "0x7f000001", "2130706433", "127.1", "1.2.3.4/8", "1..2.3", ".1.2.3", "1.2.3.", ":", ":::", "::1::",
        "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::8", "12345::", "g::",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1.2.3.4::", "::1.2.3", "::1.2.3.256", "fe80::1%lo", "[::1]", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:",
        "::ffff:01.2.3.4",
        "１.2.3.4", "::\u{FF11}", "1.2.3.4\n", "1.2.3.4\0",
    ])
    func isRefused(_ text: String) {
        #expect(IPAddress(text.utf8) == nil)
        if !text.utf8.contains(0) { #expect(theirs(text) == nil, "the C library takes it") }
    }

    @Test func randomTextsMeanTheSameToTheCLibrary() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "0", "1", "9", "25", "255", "256", "00", "f", "ff", "abcd", "12345", ".", ".", ".", ":", ":", "::",
            "1.2.3.4",
        ]
        var found = 0
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 1...15, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }
            .joined()
            let octets = IPAddress(text.utf8)?.octets
            #expect(octets == theirs(text), "\(text)")
            if octets != nil { found += 1 }
        }
        #expect(found > 100)
    }

    private func theirs(_ text: String) -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &octets) == 1 { return Array(octets.prefix(4)) }
        return inet_pton(AF_INET6, text, &octets) == 1 ? octets : nil
    }
}

@Suite struct IPNetworkTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"), ("0.0.0.0/0", "203.0.113.9", "::1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
        ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"), ("fd00::/8", "fdff::1", "fc00::"),
        ("::/0", "2001:db8::1", "1.2.3.4"),
        ("::1/128", "::1", "::2"), ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
    ])
    func holdsWhatBeginsLikeIt(_ text: String, _ inside: String, _ outside: String) throws {
        let network = try #require(IPNetwork(text.utf8))
        #expect(network.contains(try #require(IPAddress(inside.utf8))))
        #expect(!network.contains(try #require(IPAddress(outside.utf8))))
        #expect(IPNetwork("\(network)".utf8) == network)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "/8", "10.0.0.0/33", "::/129", "10.0.0.1/8", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8/8",
        "10.0.0.0/-1", "10.0.0.0/8 ", "10/8", "fd00::1/8", "10.0.0.0/255.0.0.0", "example.com/8",
    ])
    func isRefused(_ text: String) {
        #expect(IPNetwork(text.utf8) == nil)
    }
}
