// SPDX-License-Identifier: Apache-2.0

import JSON
import MIME
import Wire

/// The JSON members that a list of messages shows of each, written once when the message is taken in.
enum SummaryWriter {
    static func members(_ envelope: Envelope, preview: String, hasAttachments: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.key("messageId")
        writer.string(envelope.messageID)
        writer.key("subject")
        writer.string(envelope.subject)
        writer.key("from")
        write(envelope.from, to: &writer)
        writer.key("sender")
        if let sender = envelope.sender, !sender.address.isEmpty { write(sender, to: &writer) } else { writer.null() }
        writer.key("replyTo")
        write(envelope.replyTo, to: &writer)
        writer.key("to")
        write(envelope.to, to: &writer)
        writer.key("cc")
        write(envelope.cc, to: &writer)
        writer.key("bcc")
        write(envelope.bcc, to: &writer)
        writer.key("date")
        writer.timestamp(envelope.date)
        writer.key("inReplyTo")
        write(envelope.inReplyTo, to: &writer)
        writer.key("references")
        write(envelope.references, to: &writer)
        writer.key("preview")
        writer.string(preview)
        writer.key("hasAttachments")
        writer.bool(hasAttachments)
        return writer.finish().array()
    }

    private static func write(_ ids: [String], to writer: inout JSONWriter) {
        writer.beginArray()
        for id in ids { writer.string(id) }
        writer.endArray()
    }

    /// A group without members has no mailbox to show.
    private static func write(_ addresses: [MailAddress], to writer: inout JSONWriter) {
        writer.beginArray()
        for address in addresses where !address.address.isEmpty || address.name != nil { write(address, to: &writer) }
        writer.endArray()
    }

    private static func write(_ address: MailAddress, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("name")
        writer.string(address.name)
        writer.key("address")
        writer.string(address.address)
        if let group = address.group {
            writer.key("group")
            writer.string(group)
        }
        writer.endObject()
    }
}
