// SPDX-License-Identifier: Apache-2.0

extension ByteBuffer {
    /// 80 bits as 16 digits of base32 in lower case (RFC 4648 §6), most significant first.
    ///
    /// A list of messages has hundreds of them, so eight digits are made at once.
    @inlinable public mutating func append(base32 high: UInt64, _ low: UInt16) {
        reserve(16)
        let place = storage.unsafelyUnwrapped + end
        let tail = (high & 0xFF_FFFF) << 16 | UInt64(low)
        place.storeBytes(of: Self.base32Digits(high >> 24).bigEndian, as: UInt64.self)
        place.storeBytes(of: Self.base32Digits(tail).bigEndian, toByteOffset: 8, as: UInt64.self)
        end &+= 16
    }

    /// The eight digits of 40 bits, the first one in the most significant octet.
    @inlinable static func base32Digits(_ bits: UInt64) -> UInt64 {
        // 20 bits in each half, 10 in each quarter, 5 in each octet.
        let halves = (bits & 0xFF_FFF0_0000) << 12 | bits & 0xF_FFFF
        let quarters = (halves & 0x000F_FC00_000F_FC00) << 6 | halves & 0x0000_03FF_0000_03FF
        let values = (quarters & 0x03E0_03E0_03E0_03E0) << 3 | quarters & 0x001F_001F_001F_001F
        // 0…25 are a…z, 26…31 are 2…7: adding 0x66 to an octet sets its high bit from 26 on.
        let ones: UInt64 = 0x0101_0101_0101_0101
        let beyond = ((values &+ ones &* 0x66) >> 7) & ones
        return values &+ ones &* 0x61 &- beyond &* 0x49
    }
}
