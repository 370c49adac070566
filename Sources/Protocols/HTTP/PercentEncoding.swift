// SPDX-License-Identifier: Apache-2.0

import Wire

/// Percent-encoding of RFC 3986 §2.1, strictly: `%` is followed by two hexadecimal digits or the whole is refused.
public enum PercentEncoding {
    /// Appends the decoded octets; false, and nothing promised about `out`, where a `%` is not followed by two digits.
    public static func decode(_ text: Span<UInt8>, plusIsSpace: Bool = false, into out: inout [UInt8]) -> Bool {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == ASCII.percent {
                guard index + 2 < text.count, let high = ASCII.hexValue(text[index + 1]),
                    let low = ASCII.hexValue(text[index + 2])
                else { return false }
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(plusIsSpace && byte == ASCII.plus ? ASCII.space : byte)
                index += 1
            }
        }
        return true
    }

    /// `unreserved` of RFC 3986 §2.3: all that needs no encoding anywhere.
    public static func isUnreserved(_ byte: UInt8) -> Bool {
        ASCII.isAlphanumeric(byte) || byte == ASCII.hyphen || byte == ASCII.dot || byte == ASCII.underscore
            || byte == 0x7E
    }

    /// Appends the octets with all but `unreserved` as `%XX`.
    public static func encode(_ octets: Span<UInt8>, into out: inout [UInt8]) {
        for index in octets.indices {
            let byte = octets[index]
            if isUnreserved(byte) {
                out.append(byte)
            } else {
                out.append(ASCII.percent)
                for digit in [byte >> 4, byte & 15] { out.append(digit < 10 ? 0x30 + digit : 0x37 + digit) }
            }
        }
    }

    /// Members as a query has them, and a form (`application/x-www-form-urlencoded`): `name=value`, with `&` between them.
    public static func encode(members: [(name: String, value: [UInt8])]) -> [UInt8] {
        var out: [UInt8] = []
        for (name, value) in members {
            if !out.isEmpty { out.append(UInt8(ascii: "&")) }
            encode(Array(name.utf8).span, into: &out)
            out.append(ASCII.equals)
            encode(value.span, into: &out)
        }
        return out
    }
}
