// SPDX-License-Identifier: Apache-2.0

import MIME
import MailTypes
import Storage
import Wire

/// Spooled octets → what the store keeps of a message.
enum Digestion {
    private static let pieceOctets: Int64 = 64 << 10

    /// What is read from octets.
    struct Reading {
        let envelope: Envelope
        let summary: [UInt8]
        let detail: [UInt8]
        let layout: MIMELayout
        let hasAttachments: Bool
        let defects: [MIMEDefect]
    }

    static func digest(
        _ body: SpooledBody,
        reader: BodyReader,
        limits: MIMELimits,
        wasNormalised: Bool
    ) throws -> TakenMessage {
        let reading = try read(reader, limits: limits, wasNormalised: wasNormalised)
        let envelope = reading.envelope
        let content = NewContent(
            summary: reading.summary,
            detail: reading.detail,
            layout: reading.layout.encoded(),
            messageID: envelope.messageID.map { Array($0.utf8) },
            references: references(of: envelope),
            baseSubject: BaseSubject.of(envelope.subject ?? ""),
            hasAttachments: reading.hasAttachments,
            body: body
        )
        return TakenMessage(content: content, body: body, envelope: envelope, defects: reading.defects)
    }

    static func read(_ reader: BodyReader, limits: MIMELimits, wasNormalised: Bool) throws -> Reading {
        let message = try parse(reader, limits: limits)
        let layout = message.layout()
        let hasAttachments = message.hasAttachments
        var defects = message.defects
        if wasNormalised { defects.append(MIMEDefect(.lineEndsNormalised)) }
        return Reading(
            envelope: message.envelope,
            summary: SummaryWriter.members(
                message.envelope,
                preview: try Preview.make(layout, body: reader),
                hasAttachments: hasAttachments
            ),
            detail: DetailWriter.members(message, roles: layout.parts.map(\.role), defects: defects),
            layout: layout,
            hasAttachments: hasAttachments,
            defects: defects
        )
    }

    private static func parse(_ reader: BodyReader, limits: MIMELimits) throws -> MIMEMessage {
        var parser = MIMEParser(limits: limits)
        var start: Int64 = 0
        while start < reader.size {
            var piece = ByteBuffer()
            let end = min(start + pieceOctets, reader.size)
            try reader.read(start..<end, into: &piece)
            parser.consume(piece.bytes)
            start = end
        }
        return parser.finish()
    }

    /// `References`, then what of `In-Reply-To` is not among them; the message itself left out.
    static func references(of envelope: Envelope) -> [[UInt8]] {
        var seen: Set<String> = envelope.messageID.map { [$0] } ?? []
        return (envelope.references + envelope.inReplyTo).filter { seen.insert($0).inserted }.map { Array($0.utf8) }
    }

    /// Stored raw: nothing of it is read.
    static func quarantined(_ body: SpooledBody) -> TakenMessage {
        let empty = MIMEMessage.unread(size: body.size)
        let content = NewContent(
            summary: SummaryWriter.members(Envelope(), preview: "", hasAttachments: false),
            detail: DetailWriter.members(empty, roles: [], defects: empty.defects),
            layout: empty.layout().encoded(),
            messageID: nil,
            references: [],
            baseSubject: "",
            hasAttachments: false,
            isQuarantined: true,
            body: body
        )
        return TakenMessage(content: content, body: body, envelope: Envelope(), defects: empty.defects)
    }
}
