// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct ASCIITests {
    @Test func tokensAreOfTheseOctets() {
        let tokens = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for byte in UInt8.min...UInt8.max { #expect(ASCII.isToken(byte) == tokens.contains(byte), "\(byte)") }
    }
}
