// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct Base32Tests {
    /// What another encoder of RFC 4648 makes of the same octets.
    static let digits: [(high: UInt64, low: UInt16, text: String)] = [
        (0x0000000000000000, 0x0000, "aaaaaaaaaaaaaaaa"),
        (0xFFFFFFFFFFFFFFFF, 0xFFFF, "7777777777777777"),
        (0x0001020304050607, 0x0809, "aaaqeayeaudaocaj"),
        (0x666F6F6261726261, 0x7A71, "mzxw6ytbojrgc6tr"),
        (0x9A31FE075CE38842, 0xD16B, "tiy74b244oeefull"),
    ]

    @Test(arguments: digits) func eightyBitsAreSixteenDigits(_ high: UInt64, _ low: UInt16, _ text: String) {
        var buffer = ByteBuffer([0x2D])
        buffer.append(base32: high, low)
        #expect(buffer.array() == Array("-\(text)".utf8))
    }

    @Test func everyDigitComesOutInEveryPlace() {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        for place in 0..<8 {
            for value in 0..<32 {
                let digits = ByteBuffer.base32Digits(UInt64(value) << (35 - 5 * UInt64(place)))
                let octets = (0..<8).map { UInt8(truncatingIfNeeded: digits >> (56 - 8 * UInt64($0))) }
                var expected = [UInt8](repeating: alphabet[0], count: 8)
                expected[place] = alphabet[value]
                #expect(octets == expected)
            }
        }
    }
}
