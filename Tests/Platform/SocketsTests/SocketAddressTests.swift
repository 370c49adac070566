// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Sockets

@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.128/25", "192.0.2.129", true),
        ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false), ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false), ("::1", "::1", true),
    ])
    func holdsWhatBeginsWithItsBits(_ range: String, _ address: String, _ isInside: Bool) throws {
        let address = try #require(SocketAddress(address: address, port: 25))
        #expect(try #require(AddressRange(range)).contains(address) == isInside)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::1/129", "[::1]/128", "localhost",
    ])
    func refusesWhatIsNoNetwork(_ text: String) { #expect(AddressRange(text) == nil) }
}

@Suite struct SocketAddressTests {
    @Test(arguments: [
        "127.0.0.1:8025", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:0", "[::]:25", "[2001:db8::8:800:200c:417a]:443",
        "unix:data/postern.sock",
    ])
    func printsWhatItReads(_ text: String) throws {
        #expect(try SocketAddress(parsing: text).description == text)
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:+5", "127.0.0.1: 5", "127.0.0.1:5 ",
        "127.0.0.1:000001", "127.1:80", "0x7f.0.0.1:80", "256.0.0.1:80", "127.0.0.01:80", "::1:80", "[127.0.0.1]:80",
        "[::1]", "[]:80", "[::1:80", "::1]:80", "localhost:80", "[fe80::1%eth0]:80", "127.0.0.1\0:80", "unix:",
        "unix:\(String(repeating: "a", count: 108))", "١٢٧.0.0.1:80", "127.0.0.1:٨٠",
    ])
    func refuses(_ text: String) {
        #expect(throws: IOError.invalidAddress(text)) { try SocketAddress(parsing: text) }
    }

    @Test func mappedAddressesAreIPv4() throws {
        let mapped = try SocketAddress(parsing: "[::ffff:192.0.2.1]:80")
        #expect(mapped == (try SocketAddress(parsing: "192.0.2.1:80")))
        #expect(mapped.addressOctets == [192, 0, 2, 1])
    }

    @Test(arguments: [
        ("127.0.0.1:1", true), ("127.255.0.9:1", true), ("[::1]:1", true), ("unix:x", true),
        ("[::ffff:127.0.0.1]:1", true),
        ("128.0.0.1:1", false), ("[::2]:1", false), ("[1::1]:1", false), ("10.0.0.1:1", false),
    ])
    func loopback(_ text: String, _ expected: Bool) throws {
        #expect(try SocketAddress(parsing: text).isLoopback == expected)
    }

    @Test(arguments: [
        ("192.0.2.1:1", "192.0.2.1:2", true), ("192.0.2.1:1", "192.0.2.2:1", false),
        ("[2001:db8::1]:1", "[2001:db8::ffff:1]:2", true), ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false),
    ])
    func oneClientIsOneAddressOrOneNetwork(_ a: String, _ b: String, _ isSame: Bool) throws {
        #expect((try SocketAddress(parsing: a).client == SocketAddress(parsing: b).client) == isSame)
    }
}
