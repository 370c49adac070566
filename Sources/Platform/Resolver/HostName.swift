// SPDX-License-Identifier: Apache-2.0

/// A name as the cache and DNS compare them: ASCII, lower case, without the final dot.
enum HostName {
    /// Nil for what cannot be the name of a host (RFC 1123 §2.1, and `_`, which is in use).
    ///
    /// A name whose last label is a number is none: other software takes that for an address (RFC 1123 §2.1).
    static func normalised(_ text: String) -> String? {
        var octets = Array(text.utf8)
        if octets.last == 0x2E { octets.removeLast() }
        guard (1...253).contains(octets.count) else { return nil }
        let labels = octets.split(separator: 0x2E, omittingEmptySubsequences: false)
        guard labels.allSatisfy(isLabel), let last = labels.last, !isNumber(last) else { return nil }
        return String(decoding: octets.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func isLabel(_ label: ArraySlice<UInt8>) -> Bool {
        (1...63).contains(label.count) && label.first != 0x2D && label.last != 0x2D
            && label.allSatisfy { ($0 | 0x20) &- 0x61 < 26 || $0 &- 0x30 < 10 || $0 == 0x2D || $0 == 0x5F }
    }

    /// Decimal, or hexadecimal behind `0x`.
    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy({ $0 &- 0x30 < 10 }) { return true }
        guard label.starts(with: [0x30, 0x78]) || label.starts(with: [0x30, 0x58]) else { return false }
        return label.dropFirst(2).allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 6 }
    }
}
