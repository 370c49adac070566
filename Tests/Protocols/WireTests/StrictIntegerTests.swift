// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct StrictIntegerTests {
    @Test(
        arguments: [
            ("0", 0), ("007", 7), ("18446744073709551615", UInt64.max), ("18446744073709551616", nil), ("+5", nil),
            ("-0", nil), ("", nil), (" 5", nil), ("5 ", nil), ("1_000", nil), ("0x10", nil),
            ("99999999999999999999", nil),
            ("٣", nil),
        ] as [(String, UInt64?)]
    )
    func decimal(_ text: String, _ value: UInt64?) {
        #expect(StrictInteger.decimal(Array(text.utf8).span) == value)
    }

    @Test(
        arguments: [("a", 10), ("FF", 255), ("+a", nil), ("0x1", nil), ("", nil), ("ffffffffffffffff", UInt64.max)]
            as [(String, UInt64?)]
    )
    func hexadecimal(_ text: String, _ value: UInt64?) {
        #expect(StrictInteger.hexadecimal(Array(text.utf8).span) == value)
    }
}
