// SPDX-License-Identifier: Apache-2.0

/// Integers as protocols write them: digits only.
///
/// No sign, no space, no underscore, no prefix; overflow is nil, not a trap. `Int(_:)` takes `+5` and `-0`, and
/// `Int("+a", radix: 16)` is 10: request smuggling begins there.
public enum StrictInteger {
    /// `1*DIGIT` up to `maximum`, or nil.
    ///
    /// Leading zeros are allowed, as in HTTP and SMTP; at most 20 digits.
    @inlinable public static func decimal(_ bytes: Span<UInt8>, maximum: UInt64 = .max) -> UInt64? {
        guard !bytes.isEmpty, bytes.count <= 20 else { return nil }
        var value: UInt64 = 0
        for index in bytes.indices {
            guard ASCII.isDigit(bytes[index]) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(bytes[index] &- 0x30))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value <= maximum ? value : nil
    }

    /// `1*HEXDIG`, at most 16 digits, or nil.
    @inlinable public static func hexadecimal(_ bytes: Span<UInt8>) -> UInt64? {
        guard !bytes.isEmpty, bytes.count <= 16 else { return nil }
        var value: UInt64 = 0
        for index in bytes.indices {
            guard let digit = ASCII.hexValue(bytes[index]) else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    @inlinable public static func decimal(_ bytes: some Collection<UInt8>, maximum: UInt64 = .max) -> UInt64? {
        decimal(Array(bytes).span, maximum: maximum)
    }
}
