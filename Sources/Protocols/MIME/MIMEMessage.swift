// SPDX-License-Identifier: Apache-2.0

package import Charsets

/// How a body is encoded (RFC 2045 §6).
///
/// `7bit`, `8bit` and `binary` are the octets themselves.
package enum TransferEncoding: UInt8, Hashable, Sendable {
    case sevenBit, eightBit, binary, base64, quotedPrintable, uuencode

    package var name: StaticString {
        switch self {
        case .sevenBit: "7bit"
        case .eightBit: "8bit"
        case .binary: "binary"
        case .base64: "base64"
        case .quotedPrintable: "quoted-printable"
        case .uuencode: "x-uuencode"
        }
    }

    /// Whether the body's octets are the content.
    package var isIdentity: Bool { self == .sevenBit || self == .eightBit || self == .binary }
}

/// One parameter of a Content-Type or Content-Disposition field, decoded (RFC 2231, RFC 2047).
package struct MIMEParameter: Hashable, Sendable {
    /// Lower case.
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// `type/subtype` and parameters (RFC 2045 §5).
package struct ContentType: Hashable, Sendable {
    /// Lower case, tokens only.
    package var type: String
    package var subtype: String
    package var parameters: [MIMEParameter]

    package init(_ type: String, _ subtype: String, parameters: [MIMEParameter] = []) {
        self.type = type
        self.subtype = subtype
        self.parameters = parameters
    }

    /// `type/subtype`.
    package var essence: String { "\(type)/\(subtype)" }
    package var isMultipart: Bool { type == "multipart" }
    package var isMessage: Bool { type == "message" && (subtype == "rfc822" || subtype == "global") }
    package var isText: Bool { type == "text" }
    package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}

/// RFC 2183.
package struct ContentDisposition: Hashable, Sendable {
    /// Lower case: `inline`, `attachment` or a word of somebody's own (which counts as an attachment).
    package var kind: String
    package var parameters: [MIMEParameter]

    package var isInline: Bool { kind == "inline" }
    package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }
}

/// One part of a message: a leaf with content, a multipart, or a message within the message.
///
/// Offsets are octets from the start of the whole message, or of the decoded content of ``container``.
package struct MIMEPart: Sendable {
    /// IMAP's numbers (RFC 9051 §6.4.5.1): `1`, `2.1`.
    ///
    /// A multipart that is a whole message has none there; here the outermost is `0`, one inside message `2` is `2.0`,
    /// so that every part has a path of its own.
    package var path: String
    /// The place of the part around it; nil for the first.
    package var parent: Int?
    package var children: [Int] = []
    /// The place of the encoded message that it is inside, the innermost; nil where nothing around it is encoded.
    package var container: Int?
    /// The header with the empty line behind it.
    package var headerRange: Range<Int64>
    /// The body, without the line end that belongs to the delimiter behind it.
    package var bodyRange: Range<Int64>
    /// Lines of the body.
    package var lines: Int64 = 0
    /// As declared, or the default.
    package var contentType: ContentType
    package var disposition: ContentDisposition?
    /// Without angle brackets.
    package var contentID: String?
    package var transferEncoding: TransferEncoding = .sevenBit
    /// How its text is read; nil where it is not text.
    package var charset: Charset?
    /// The name it was sent with, decoded, for showing.
    ///
    /// May hold anything.
    package var filename: String?
    /// Octets of the content after the transfer encoding is undone.
    package var decodedSize: Int64 = 0

    /// A name fit for a file system: see ``SafeFilename``.
    package var safeFilename: String { SafeFilename.make(from: filename, contentType: contentType, part: path) }
    /// Whether it holds content itself.
    package var isLeaf: Bool { children.isEmpty }
}

/// What was found in a message.
///
/// The octets themselves are not here.
package struct MIMEMessage: Sendable {
    /// Every part; the first is the message itself, and each comes behind the part around it.
    package var parts: [MIMEPart]
    /// The header of the message itself.
    package var header: HeaderBlock
    package var envelope: Envelope
    package var defects: [MIMEDefect]
    /// Octets in all.
    package var size: Int64

    /// The part of that path.
    package func part(_ path: String) -> MIMEPart? { parts.first { $0.path == path } }

    /// The part's body as it lies in the octets of the message, or in those of the encoded message around it.
    package func body(of part: MIMEPart, in octets: [UInt8]) -> [UInt8] {
        var around: [MIMEPart] = []
        var next = part.container
        while let place = next {
            around.append(parts[place])
            next = parts[place].container
        }
        var content = octets
        for container in around.reversed() {
            content = BodyDecoder.decode(Self.body(of: container, in: content).span, container.transferEncoding)
        }
        return Self.body(of: part, in: content)
    }

    private static func body(of part: MIMEPart, in octets: [UInt8]) -> [UInt8] {
        Array(octets[Int(part.bodyRange.lowerBound)..<Int(part.bodyRange.upperBound)])
    }
}

extension MIMEMessage {
    /// A message that is not to be looked into.
    package static func unread(size: Int64) -> MIMEMessage {
        MIMEMessage(
            parts: [],
            header: HeaderBlock(),
            envelope: Envelope(),
            defects: [MIMEDefect(.quarantined)],
            size: size
        )
    }
}
