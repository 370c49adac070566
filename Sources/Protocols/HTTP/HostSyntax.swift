// SPDX-License-Identifier: Apache-2.0

import Wire

/// What may stand in `Host` and in a target's authority.
///
///     Host     = uri-host [ ":" port ]                     ; RFC 9110 §7.2
///     uri-host = IP-literal / IPv4address / reg-name       ; RFC 3986 §3.2.2
enum HostSyntax {
    static func isValid(_ text: Span<UInt8>) -> Bool {
        guard text.count > 0, text[0] == ASCII.openBracket else { return isNameAndPort(text) }
        guard let close = text.firstIndex(of: ASCII.closeBracket), close > 2 else { return false }
        for index in 1..<close where !isLiteral(text[index]) { return false }
        return isPort(text.extracting(close + 1..<text.count))
    }

    private static func isNameAndPort(_ text: Span<UInt8>) -> Bool {
        let colon = text.firstIndex(of: ASCII.colon) ?? text.count
        for index in 0..<colon where !isName(text[index]) { return false }
        return isPort(text.extracting(colon..<text.count))
    }

    /// Nothing, or a colon and at most five digits.
    private static func isPort(_ text: Span<UInt8>) -> Bool {
        guard text.count > 0 else { return true }
        guard text[0] == ASCII.colon, text.count <= 6 else { return false }
        return text.count == 1 || StrictInteger.decimal(text.extracting(1..<text.count), maximum: 65_535) != nil
    }

    /// `reg-name` without percent-encoding, which no host name of ours needs.
    private static func isName(_ byte: UInt8) -> Bool {
        // "!$&'()*+,-.;=_~", digits and letters.
        ASCII.isMember(byte, of: 0x2BFF_7FD2_0000_0000, 0x47FF_FFFE_87FF_FFFE)
    }

    private static func isLiteral(_ byte: UInt8) -> Bool {
        ASCII.hexValue(byte) != nil || byte == ASCII.colon || byte == ASCII.dot || byte == 0x76 || byte == 0x56
    }
}
