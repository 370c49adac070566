// SPDX-License-Identifier: Apache-2.0

import Wire

/// The SHA-256 of a body's octets: its name in the store, equal for equal octets.
package struct BodyHash: Hashable, Sendable, CustomStringConvertible {
    package let octets: [UInt8]

    package static let octetCount = 32

    /// Nil for any other count than 32.
    package init?(octets: [UInt8]) {
        guard octets.count == Self.octetCount else { return nil }
        self.octets = octets
    }

    /// 64 lower-case hexadecimal digits.
    package var description: String {
        let digits = Array("0123456789abcdef".utf8)
        let text = octets.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}

extension BodyHash {
    /// From the text of ``description``, exactly; nil for everything else.
    init?(hexadecimal text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 2 * Self.octetCount else { return nil }
        var octets: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = ASCII.hexValue(digits[index]), let low = ASCII.hexValue(digits[index + 1]),
                !ASCII.isUpper(digits[index]), !ASCII.isUpper(digits[index + 1])
            else { return nil }
            octets.append(high << 4 | low)
        }
        self.init(octets: octets)
    }
}
