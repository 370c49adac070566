// SPDX-License-Identifier: Apache-2.0

package import Wire

/// What an identifier names, and the prefix that says so in text.
package protocol IdentifierKind: Sendable {
    static var prefix: StaticString { get }
}

/// An opaque id: 80 random bits, never reused, typed by what it names.
///
/// As text a prefix and 16 digits of lower-case base32, `msg_c4mt2q7v6k3x5jrh`; in the store its 10 octets.
package struct Identifier<Kind: IdentifierKind>: Hashable, Sendable {
    /// The first eight octets, most significant first.
    @usableFromInline let high: UInt64
    /// The last two.
    @usableFromInline let low: UInt16

    package static var octetCount: Int { 10 }

    /// A fresh id from the system's cryptographic generator.
    package static func random() -> Self {
        var generator = SystemRandomNumberGenerator()
        return Self(high: generator.next(), low: generator.next())
    }

    @usableFromInline init(high: UInt64, low: UInt16) {
        self.high = high
        self.low = low
    }

    /// From the 10 octets of ``octets``; nil for any other count.
    package init?(octets: Span<UInt8>) {
        guard octets.count == Self.octetCount, let high = UInt64(bigEndianOctets: octets.extracting(0..<8)),
            let low = UInt16(bigEndianOctets: octets.extracting(8..<10))
        else { return nil }
        self.init(high: high, low: low)
    }

    package var octets: [UInt8] { high.bigEndianOctets + low.bigEndianOctets }

    /// The text form, exactly as ``append(to:)`` writes it: lower case only.
    ///
    /// Nil for everything else.
    package init?(_ text: Span<UInt8>) {
        let prefix = Kind.prefix.utf8CodeUnitCount
        guard text.count == prefix + 16, text.extracting(0..<prefix).equals(Kind.prefix) else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<16 {
            let byte = text[prefix + index]
            let value: UInt64
            switch byte {
            case 0x61...0x7A: value = UInt64(byte - 0x61)
            case 0x32...0x37: value = UInt64(byte - 0x32) + 26
            default: return nil
            }
            high = high << 5 | low >> 11
            low = (low & 0x7FF) << 5 | value
        }
        self.init(high: high, low: UInt16(truncatingIfNeeded: low))
    }

    package init?(_ text: String) {
        guard let id = Self(Array(text.utf8).span) else { return nil }
        self = id
    }

    /// Writes the text form.
    package func append(to buffer: inout ByteBuffer) {
        buffer.append(Kind.prefix)
        appendDigits(to: &buffer)
    }

    /// Writes the text form without its prefix.
    package func appendDigits(to buffer: inout ByteBuffer) {
        buffer.append(base32: high, low)
    }
}

extension Identifier: CustomStringConvertible {
    package var description: String {
        var buffer = ByteBuffer()
        append(to: &buffer)
        return buffer.bytes.repairedUTF8String()
    }
}

package enum AccountKind: IdentifierKind { package static var prefix: StaticString { "acc_" } }
package enum FolderKind: IdentifierKind { package static var prefix: StaticString { "fld_" } }
package enum MessageKind: IdentifierKind { package static var prefix: StaticString { "msg_" } }
package enum ThreadKind: IdentifierKind { package static var prefix: StaticString { "thr_" } }
package enum ContentKind: IdentifierKind { package static var prefix: StaticString { "cnt_" } }
package enum SubmissionKind: IdentifierKind { package static var prefix: StaticString { "out_" } }
package enum WebhookKind: IdentifierKind { package static var prefix: StaticString { "whk_" } }
package enum TokenKind: IdentifierKind { package static var prefix: StaticString { "tok_" } }

package typealias AccountID = Identifier<AccountKind>
package typealias FolderID = Identifier<FolderKind>
/// One placement of a message: one (folder, UID).
///
/// Moving keeps it, copying mints another.
package typealias PlacementID = Identifier<MessageKind>
package typealias ThreadID = Identifier<ThreadKind>
/// The octets and what was read from them; shared by copies (EMAILID, RFC 8474).
package typealias ContentID = Identifier<ContentKind>
package typealias SubmissionID = Identifier<SubmissionKind>
package typealias WebhookID = Identifier<WebhookKind>
package typealias TokenID = Identifier<TokenKind>
