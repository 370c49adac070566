// SPDX-License-Identifier: Apache-2.0

import Wire

/// A mailbox, strictly as the envelope writes it (RFC 5321 §4.1.2 with RFC 6531 §3.3): no comments, no folding, no
/// display name.
///
/// Its octets can contain no control character, so it may be put into a command, a header or a log line as it is.
///
/// Two addresses are equal if their canonical octets are: the domain in lower case, the local part in the case it came in,
/// quoted only where it must be. Non-ASCII characters are compared as octets; nothing is composed (NFC) or folded. Whether
/// local parts differ by case is the domain owner's choice: ``folded`` serves those who say they don't.
public struct EmailAddress: Hashable, Sendable {
    public static let maximumLocalPartOctets = 64
    public static let maximumOctets = 254

    /// The local part itself: without quotes and backslashes.
    public let localPart: [UInt8]
    public let domain: Domain
    /// `local-part@domain` in its canonical form.
    public let octets: [UInt8]

    /// ```
    /// Mailbox        = Local-part "@" ( Domain / address-literal )
    /// Local-part     = Dot-string / Quoted-string
    /// Dot-string     = Atom *("."  Atom)
    /// Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
    /// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
    /// quoted-pairSMTP = %d92 %d32-126
    /// qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
    /// ```
    public init(_ text: Span<UInt8>, allowingUTF8: Bool = true) throws(AddressSyntaxError) {
        guard text.count <= Self.maximumOctets + Self.maximumLocalPartOctets else { throw .addressTooLong }
        let quoted = text.count > 0 && text[0] == ASCII.quote
        let end = quoted ? try Self.endOfQuotedString(text) : try Self.endOfDotString(text)
        guard end < text.count, text[end] == ASCII.at else { throw end < text.count ? .badLocalPart : .missingAt }
        guard end <= Self.maximumLocalPartOctets else { throw .localPartTooLong }
        let written = text.extracting(0..<end)
        try MailUTF8.check(written, allowed: allowingUTF8, inDomain: false)
        let local = quoted ? Self.unquoted(written) : written.array()
        let domain = try Domain(text.extracting((end + 1)..<text.count), allowingUTF8: allowingUTF8)
        try self.init(localPart: local, domain: domain)
    }

    /// From text, UTF-8 allowed; nil where it is not exactly one address.
    public init?(_ text: String) {
        guard let address = try? EmailAddress(Array(text.utf8).span) else { return nil }
        self = address
    }

    /// From parts whose octets were checked; canonical text is made of them.
    private init(localPart: [UInt8], domain: Domain) throws(AddressSyntaxError) {
        self.localPart = localPart
        self.domain = domain
        let written = Self.isDotString(localPart) ? localPart : Self.quoted(localPart)
        octets = written + [ASCII.at] + domain.octets
        guard octets.count <= Self.maximumOctets else { throw .addressTooLong }
    }

    /// Whether no octet is above 0x7F: an address that is not needs SMTPUTF8 on its way.
    public var isASCII: Bool { octets.allSatisfy { $0 < 0x80 } }

    /// The canonical octets with A–Z of the local part lowered too: the key local mailboxes are found by.
    public var folded: [UInt8] { ASCII.lowercased(octets) }

    /// The same address with everything from the first `+` of the local part left out; nil where there is no `+`, or
    /// nothing before it.
    public var withoutTag: EmailAddress? {
        guard let plus = localPart.firstIndex(of: ASCII.plus), plus > 0 else { return nil }
        return try? EmailAddress(localPart: Array(localPart[..<plus]), domain: domain)
    }

    /// Whether mail to `other` is this mailbox's: it is the same address, or that with a tag; local parts in any ASCII case.
    public func owns(_ other: EmailAddress) -> Bool {
        other.folded == folded || other.withoutTag?.folded == folded
    }

    // MARK: Parsing

    /// The offset behind the last atom.
    private static func endOfDotString(_ text: Span<UInt8>) throws(AddressSyntaxError) -> Int {
        var index = 0
        while true {
            let first = index
            while index < text.count, ASCII.isAtext(text[index]) || text[index] >= 0x80 { index += 1 }
            guard index > first else { throw .badLocalPart }
            guard index < text.count, text[index] == ASCII.dot else { return index }
            index += 1
        }
    }

    /// The offset behind the closing quote.
    private static func endOfQuotedString(_ text: Span<UInt8>) throws(AddressSyntaxError) -> Int {
        var index = 1
        while index < text.count {
            switch text[index] {
            case ASCII.quote: return index + 1
            case ASCII.backslash:
                index += 1
                guard index < text.count, (0x20...0x7E).contains(text[index]) else { throw .badLocalPart }
            case 0x20...0x7E, 0x80...: break
            default: throw .badLocalPart
            }
            index += 1
        }
        throw .badLocalPart
    }

    private static func unquoted(_ text: Span<UInt8>) -> [UInt8] {
        var local: [UInt8] = []
        var index = 1
        while index < text.count - 1 {
            if text[index] == ASCII.backslash { index += 1 }
            local.append(text[index])
            index += 1
        }
        return local
    }

    private static func isDotString(_ local: [UInt8]) -> Bool {
        local.split(separator: ASCII.dot, omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { ASCII.isAtext($0) || $0 >= 0x80 }
        }
    }

    private static func quoted(_ local: [UInt8]) -> [UInt8] {
        var text: [UInt8] = [ASCII.quote]
        for byte in local {
            if byte == ASCII.quote || byte == ASCII.backslash { text.append(ASCII.backslash) }
            text.append(byte)
        }
        return text + [ASCII.quote]
    }
}

extension EmailAddress: CustomStringConvertible {
    public var description: String { octets.span.repairedUTF8String() }
}
