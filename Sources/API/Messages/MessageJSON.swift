// SPDX-License-Identifier: Apache-2.0

import HTTP
import JSON
import MailTypes
import Storage
import Wire

/// A message as the API shows it: the placement's columns and the stored summary, copied.
enum MessageJSON {
    /// Of this state of the placement.
    ///
    /// With its id: messages changed together have one MODSEQ, and `latest` may be another one tomorrow.
    static func tag(_ id: PlacementID, modseq: UInt64) -> EntityTag {
        var octets = ByteBuffer(capacity: 64)
        id.append(to: &octets)
        octets.append(ASCII.dot)
        octets.append(decimal: modseq)
        return EntityTag(octets.array())
    }

    static func tag(_ message: MessageRow) -> EntityTag { tag(message.id, modseq: message.modseq) }

    /// Writes what a list shows, as an object.
    static func write(_ message: borrowing MessageView, _ fields: MessageFields, to writer: inout JSONWriter) {
        writer.beginObject()
        writeStored(message.shown, fields, all: .list, to: &writer)
        writer.endObject()
    }

    /// Copies stored members: all at once where all are asked for.
    static func writeStored(
        _ stored: Span<UInt8>,
        _ fields: MessageFields,
        all: MessageFields,
        to writer: inout JSONWriter
    ) {
        if fields.isSuperset(of: all) { return writer.raw(members: stored) }
        guard !fields.isDisjoint(with: all) else { return }
        var members = JSONMembers()
        while let member = members.next(of: stored) {
            guard let field = MessageFields(name: stored.extracting(member.name)), fields.contains(field) else {
                continue
            }
            writer.raw(members: stored.extracting(member.whole))
        }
    }

    /// The JSON of one message in a transaction that has just changed it.
    static func octets(of message: MessageRow, in view: some StoreView) throws -> [UInt8] {
        var octets: [UInt8]?
        try view.messages.list([message.key], in: message.account) { message in
            var writer = JSONWriter(capacity: 1024)
            write(message, .list, to: &writer)
            octets = writer.finish().array()
        }
        guard let octets else { throw StoreError.notFound(.message) }
        return octets
    }
}
