// SPDX-License-Identifier: Apache-2.0

import Crypto
package import MIME
package import Storage
import Wire

/// What a server says of a message whose octets stay there → what the store keeps of it.
package enum MirroredReading {
    /// - Parameters:
    ///   - header: the message's header as it came, with the empty line behind it.
    ///   - size: octets of the whole message, as its server says.
    ///   - emailID: the server's own name of it (RFC 8474 §5.1), where it has one.
    ///
    /// A header that once ended the process is not read again: then only its digest is known.
    package static func content(
        header: [UInt8],
        parts: [PartDescription],
        size: Int64,
        emailID: [UInt8]?,
        quarantine: QuarantineSlots
    ) throws -> NewContent {
        let digest = Digest.sha256(header)
        guard let key = BodyHash(octets: digest), !quarantine.isQuarantined(key) else {
            return content(.unread(size: size), emailID: emailID, fingerprint: Array(digest.prefix(16)))
        }
        return try quarantine.guarding(key) {
            let message = MIMEMessage(header: header.span, described: parts, size: size)
            return content(
                message,
                emailID: emailID,
                fingerprint: fingerprint(
                    messageID: Array((message.envelope.messageID ?? "").utf8),
                    size: size,
                    header: header
                )
            )
        }
    }

    private static func content(_ message: MIMEMessage, emailID: [UInt8]?, fingerprint: [UInt8]) -> NewContent {
        let envelope = message.envelope
        let layout = message.layout()
        let hasAttachments = message.hasAttachments
        return NewContent(
            size: message.size,
            identity: RemoteIdentity(emailID: emailID, fingerprint: fingerprint),
            summary: SummaryWriter.members(envelope, preview: "", hasAttachments: hasAttachments),
            detail: DetailWriter.members(message, roles: layout.parts.map(\.role), defects: message.defects),
            layout: layout.encoded(),
            messageID: envelope.messageID.map { Array($0.utf8) },
            references: Digestion.references(of: envelope),
            baseSubject: BaseSubject.of(envelope.subject ?? ""),
            hasAttachments: hasAttachments
        )
    }

    /// What a message that is here whole is recognised by when its server has it too.
    package static func identity(of content: NewContent, _ body: SpooledBody) throws -> RemoteIdentity {
        var header = ByteBuffer()
        if let range = MIMELayout(encoded: content.layout.span)?.parts.first?.headerRange {
            try body.reader().read(range, into: &header)
        }
        return RemoteIdentity(
            emailID: nil,
            fingerprint: fingerprint(messageID: content.messageID ?? [], size: body.size, header: header.array())
        )
    }

    /// What stays the same of a message wherever it is put: 16 octets.
    ///
    /// Blanks at the ends of lines do not count, because servers add and remove some.
    static func fingerprint(messageID: [UInt8], size: Int64, header: [UInt8]) -> [UInt8] {
        var text = messageID + [0] + size.bigEndianOctets
        for line in header.split(separator: ASCII.lf) {
            var line = line
            while let last = line.last, ASCII.isWhitespace(last) || last == ASCII.cr { line.removeLast() }
            text += line + [ASCII.lf]
        }
        return Array(Digest.sha256(text).prefix(16))
    }
}
