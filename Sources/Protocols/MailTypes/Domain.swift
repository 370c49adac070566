// SPDX-License-Identifier: Apache-2.0

import Wire

/// Why octets are not a mail address or its domain.
public enum AddressSyntaxError: Error, Hashable, Sendable {
    /// No `@` behind the local part.
    case missingAt
    case badLocalPart
    case badDomain
    /// More than 64 octets (RFC 5321 §4.5.3.1.1).
    case localPartTooLong
    /// More than 255 octets (RFC 5321 §4.5.3.1.2), or a label of more than 63.
    case domainTooLong
    /// More than 254 octets: a path is 256 with its brackets (RFC 5321 §4.5.3.1.3).
    case addressTooLong
    /// Octets above 0x7F where RFC 6531 was not agreed upon.
    case notASCII
    /// Octets above 0x7F that are not well-formed UTF-8, or are characters that only deceive the reader's eye.
    case badUTF8
}

/// Where a mailbox lives: a host name, or an address literal.
///
/// Normalised when made, so two domains are the same exactly if their octets are: A–Z lowered, address literals written
/// one way. U-labels (RFC 6531 §3.3) stay as they came: they are compared octet by octet, neither composed nor folded
/// nor turned into A-labels.
public struct Domain: Hashable, Sendable {
    public static let maximumOctets = 255
    public static let maximumLabelOctets = 63

    /// The normalised text, without a final dot.
    public let octets: [UInt8]
    /// The address, where this is a literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    public let literal: InternetAddress?

    /// ```
    /// Domain         = sub-domain *("." sub-domain)
    /// sub-domain     = Let-dig [Ldh-str]   /  U-label      ; RFC 5321 §4.1.2, RFC 6531 §3.3
    /// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"
    /// ```
    /// A `General-address-literal` is refused: no tag but `IPv6` was ever registered.
    public init(_ text: Span<UInt8>, allowingUTF8: Bool = true) throws(AddressSyntaxError) {
        guard text.count <= Self.maximumOctets else { throw .domainTooLong }
        if text.count > 0, text[0] == ASCII.openBracket {
            guard let literal = InternetAddress(literal: text) else { throw .badDomain }
            self.literal = literal
            octets = literal.literalOctets
        } else {
            try MailUTF8.check(text, allowed: allowingUTF8, inDomain: true)
            try Self.checkLabels(text)
            literal = nil
            octets = ASCII.lowercased(text.array())
        }
    }

    public init?(_ text: String) {
        guard let domain = try? Domain(Array(text.utf8).span) else { return nil }
        self = domain
    }

    private static func checkLabels(_ text: Span<UInt8>) throws(AddressSyntaxError) {
        var first = 0
        for index in 0...text.count where index == text.count || text[index] == ASCII.dot {
            guard index > first else { throw .badDomain }
            guard index - first <= maximumLabelOctets else { throw .domainTooLong }
            guard text[first] != ASCII.hyphen, text[index - 1] != ASCII.hyphen else { throw .badDomain }
            for place in first..<index {
                let byte = text[place]
                guard ASCII.isAlphanumeric(byte) || byte == ASCII.hyphen || byte >= 0x80 else { throw .badDomain }
            }
            first = index + 1
        }
    }

    /// Whether no octet is above 0x7F.
    public var isASCII: Bool { octets.allSatisfy { $0 < 0x80 } }
}

extension Domain: CustomStringConvertible {
    public var description: String { octets.span.repairedUTF8String() }
}

/// What RFC 6531 adds to addresses: well-formed UTF-8.
///
/// Controls and characters that turn the writing direction or end a line are not text in an address, and neither are
/// the other full stops a domain could be split at.
enum MailUTF8 {
    static func check(_ text: Span<UInt8>, allowed: Bool, inDomain: Bool) throws(AddressSyntaxError) {
        guard !isASCII(text) else { return }
        guard allowed else { throw .notASCII }
        guard let string = text.utf8String() else { throw .badUTF8 }
        for scalar in string.unicodeScalars where isDeceptive(scalar, inDomain: inDomain) { throw .badUTF8 }
    }

    private static func isASCII(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where text[index] >= 0x80 { return false }
        return true
    }

    private static func isDeceptive(_ scalar: Unicode.Scalar, inDomain: Bool) -> Bool {
        switch scalar.value {
        case 0x80...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF, 0xFFF9...0xFFFB, 0xFFFE...0xFFFF: true
        case 0x200E, 0x200F, 0x3002, 0xFF0E, 0xFF61, 0xFF20, 0xA0, 0x2000...0x200B, 0x3000: inDomain
        default: false
        }
    }
}
