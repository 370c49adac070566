// SPDX-License-Identifier: Apache-2.0

public import Wire

/// What an identifier names, and the prefix that says so in text.
public protocol IdentifierKind: Sendable {
    static var prefix: StaticString { get }
}

/// An opaque id: 80 random bits, never reused, typed by what it names.
///
/// As text a prefix and 16 digits of lower-case base32, `msg_c4mt2q7v6k3x5jrh`; in the store its 10 octets.
public struct Identifier<Kind: IdentifierKind>: Hashable, Sendable {
    /// The first eight octets, most significant first.
    @usableFromInline let high: UInt64
    /// The last two.
    @usableFromInline let low: UInt16

    public static var octetCount: Int { 10 }

    /// A fresh id from the system's cryptographic generator.
    public static func random() -> Self {
        var generator = SystemRandomNumberGenerator()
        return Self(high: generator.next(), low: generator.next())
    }

    @usableFromInline init(high: UInt64, low: UInt16) {
        self.high = high
        self.low = low
    }

    /// From the 10 octets of ``octets``; nil for any other count.
    public init?(octets: Span<UInt8>) {
        guard octets.count == Self.octetCount else { return nil }
        var high: UInt64 = 0
        for index in 0..<8 { high = high << 8 | UInt64(octets[index]) }
        self.init(high: high, low: UInt16(octets[8]) << 8 | UInt16(octets[9]))
    }

    public var octets: [UInt8] { stored.span.array() }

    /// ``octets``, without an array around them.
    public var stored: InlineArray<10, UInt8> {
        InlineArray { index in
            index < 8
                ? UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))
                : UInt8(truncatingIfNeeded: low >> UInt16(72 - 8 * index))
        }
    }

    /// The text form, exactly as ``append(to:)`` writes it: lower case only.
    ///
    /// Nil for everything else.
    public init?(_ text: Span<UInt8>) {
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

    public init?(_ text: String) {
        guard let id = Self(Array(text.utf8).span) else { return nil }
        self = id
    }

    /// Writes the text form.
    public func append(to buffer: inout ByteBuffer) {
        buffer.append(Kind.prefix)
        appendDigits(to: &buffer)
    }

    /// Writes the text form without its prefix.
    public func appendDigits(to buffer: inout ByteBuffer) {
        buffer.append(base32: high, low)
    }
}

extension Identifier: CustomStringConvertible {
    public var description: String {
        var buffer = ByteBuffer()
        append(to: &buffer)
        return buffer.bytes.repairedUTF8String()
    }
}

public enum AccountKind: IdentifierKind { public static var prefix: StaticString { "acc_" } }
public enum FolderKind: IdentifierKind { public static var prefix: StaticString { "fld_" } }
public enum MessageKind: IdentifierKind { public static var prefix: StaticString { "msg_" } }
public enum ThreadKind: IdentifierKind { public static var prefix: StaticString { "thr_" } }
public enum ContentKind: IdentifierKind { public static var prefix: StaticString { "cnt_" } }
public enum SubmissionKind: IdentifierKind { public static var prefix: StaticString { "out_" } }
public enum WebhookKind: IdentifierKind { public static var prefix: StaticString { "whk_" } }
public enum TokenKind: IdentifierKind { public static var prefix: StaticString { "tok_" } }

public typealias AccountID = Identifier<AccountKind>
public typealias FolderID = Identifier<FolderKind>
/// One placement of a message: one (folder, UID).
///
/// Moving keeps it, copying mints another.
public typealias PlacementID = Identifier<MessageKind>
public typealias ThreadID = Identifier<ThreadKind>
/// The octets and what was read from them; shared by copies (EMAILID, RFC 8474).
public typealias ContentID = Identifier<ContentKind>
public typealias SubmissionID = Identifier<SubmissionKind>
public typealias WebhookID = Identifier<WebhookKind>
public typealias TokenID = Identifier<TokenKind>
