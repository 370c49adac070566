// SPDX-License-Identifier: Apache-2.0

import Wire

/// Writes `Content-Disposition` (RFC 6266) so that any name is carried and none can break out of the field.
public enum ContentDisposition {
    /// `attachment; filename="…"`, with `filename*` beside it where the name is more than plain ASCII.
    public static func attachment(_ name: String) -> [UInt8] { value("attachment", name) }

    /// `inline; filename="…"`, likewise.
    public static func inline(_ name: String) -> [UInt8] { value("inline", name) }

    private static func value(_ type: StaticString, _ name: String) -> [UInt8] {
        let octets = Array(name.utf8)
        var out = type.withUTF8Buffer { [UInt8]($0) }
        out += Array("; filename=\"".utf8)
        for scalar in name.unicodeScalars { out.append(plain(scalar)) }
        out.append(ASCII.quote)
        let isPlain = name.unicodeScalars.allSatisfy { $0.isASCII && plain($0) == UInt8($0.value) }
        guard !isPlain else { return out }
        out += Array("; filename*=UTF-8''".utf8)
        PercentEncoding.encode(octets.span, into: &out)
        return out
    }

    /// Old clients read percent signs and backslashes in `filename` each in their own way: such a name gets `filename*`.
    private static func plain(_ scalar: Unicode.Scalar) -> UInt8 {
        switch scalar.value {
        case 0x22, 0x25, 0x5C, 0x2F: ASCII.underscore
        case 0x20..<0x7F: UInt8(scalar.value)
        default: ASCII.underscore
        }
    }
}
