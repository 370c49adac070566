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
    static func tag(_ id: PlacementID, modseq: UInt64) -> EntityTag { EntityTag("\(id).\(modseq)".utf8) }

    static func tag(_ message: MessageRow) -> EntityTag { tag(message.id, modseq: message.modseq) }

    /// Writes what a list shows, as an object.
    static func write(
        _ message: borrowing MessageView,
        _ fields: MessageFields,
        to writer: inout JSONWriter
    ) throws {
        writer.beginObject()
        try writeMembers(message, fields, to: &writer)
        writer.endObject()
    }

    /// Writes the members of placement and summary among `fields`.
    static func writeMembers(
        _ message: borrowing MessageView,
        _ fields: MessageFields,
        to writer: inout JSONWriter
    ) throws {
        try writeIdentity(message, fields, to: &writer)
        if fields.contains(.flags) { writeFlags(message, to: &writer) }
        if fields.contains(.internalDate) {
            writer.key("internalDate")
            writer.timestamp(message.internalDate)
        }
        if fields.contains(.savedAt) {
            writer.key("savedAt")
            writer.timestamp(message.savedAt)
        }
        if fields.contains(.size) {
            writer.key("size")
            writer.number(message.size)
        }
        writeStored(message.summary, fields, all: .summary, to: &writer)
    }

    private static func writeIdentity(
        _ message: borrowing MessageView,
        _ fields: MessageFields,
        to writer: inout JSONWriter
    ) throws {
        if fields.contains(.id) {
            let id = try message.id
            writer.key("id")
            writer.string { id.append(to: &$0) }
        }
        if fields.contains(.folderID) {
            let folder = try message.folder
            writer.key("folderId")
            writer.string { folder.append(to: &$0) }
        }
        if fields.contains(.uid) {
            writer.key("uid")
            writer.number(try message.uid)
        }
        if fields.contains(.modseq) {
            writer.key("modseq")
            writer.number(message.modseq)
        }
        if fields.contains(.threadID) {
            let thread = try message.thread
            writer.key("threadId")
            writer.string { thread.append(to: &$0) }
        }
        if fields.contains(.contentID) {
            let content = try message.content
            writer.key("contentId")
            writer.string { content.append(to: &$0) }
        }
    }

    private static func writeFlags(_ message: borrowing MessageView, to writer: inout JSONWriter) {
        let system = message.systemFlags
        writer.key("flags")
        writer.beginArray()
        if !system.isEmpty {
            for known in SystemFlags.words where system.contains(known.flag) { writer.string(literal: known.word) }
        }
        let keywords = message.keywords
        var start = 0
        while start < keywords.count {
            let end = keywords.firstIndex(of: ASCII.space, from: start) ?? keywords.count
            if end > start { writer.string(keywords.extracting(start..<end)) }
            start = end + 1
        }
        writer.endArray()
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
            try write(message, .list, to: &writer)
            octets = writer.finish().array()
        }
        guard let octets else { throw StoreError.notFound(.message) }
        return octets
    }
}
