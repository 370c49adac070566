// SPDX-License-Identifier: Apache-2.0

extension FixedWidthInteger {
    /// Its octets, the most significant first.
    @inlinable public var bigEndianOctets: [UInt8] {
        stride(from: Self.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: self >> $0) }
    }

    /// The number of these octets, the most significant first; nil where they are not as many as it has.
    @inlinable public init?(bigEndianOctets octets: Span<UInt8>) {
        guard octets.count == Self.bitWidth / 8 else { return nil }
        var value: Self = 0
        for index in octets.indices { value = value << 8 | Self(truncatingIfNeeded: octets[index]) }
        self = value
    }
}
