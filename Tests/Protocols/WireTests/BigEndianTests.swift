// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct BigEndianTests {
    @Test(
        arguments: [
            (0, [0, 0, 0, 0, 0, 0, 0, 0]), (1, [0, 0, 0, 0, 0, 0, 0, 1]),
            (-2, [255, 255, 255, 255, 255, 255, 255, 254]),
            (.min, [128, 0, 0, 0, 0, 0, 0, 0]), (0x0102_0304_0506_0708, [1, 2, 3, 4, 5, 6, 7, 8]),
        ] as [(Int64, [UInt8])]
    )
    func integersAndTheirOctets(_ value: Int64, _ octets: [UInt8]) {
        #expect(value.bigEndianOctets == octets)
        #expect(Int64(bigEndianOctets: octets.span) == value)
    }

    @Test(
        arguments: [([1, 2], 0x0102), ([1], nil), ([0, 1, 2], nil), ([], nil), ([255, 255], 0xFFFF)]
            as [([UInt8], UInt16?)]
    )
    func theCountMustFit(_ octets: [UInt8], _ value: UInt16?) {
        #expect(UInt16(bigEndianOctets: octets.span) == value)
    }
}
