// SPDX-License-Identifier: Apache-2.0

import JSON
import MailTypes
import SQLite
import Wire

/// What a list shows of a placement, as members of a JSON object without its braces: `messages.shown`.
///
/// It is written whenever the row changes, so that a list of messages copies a run of octets from each row, and looks up
/// and writes nothing else.
enum ShownMembers {
    /// Where it all stands; what it was when it was written last is the last column.
    private static let sources = """
        SELECT m.pk, m.id, f.id, m.uid, m.modseq, c.thread_id, c.id, m.flags, m.keywords, m.internal_date, m.saved_at, m.size,
            c.summary, m.shown
        FROM messages m CROSS JOIN contents c ON c.pk = m.content CROSS JOIN folders f ON f.pk = m.folder
        """
    private static let sourcesOfOne = sources + " WHERE m.pk = ?1"
    private static let sourcesInOrder = sources + " WHERE m.pk > ?1 ORDER BY m.pk LIMIT ?2"

    private static func octets(of row: borrowing SQLiteRow) throws -> [UInt8] {
        let (id, folder): (PlacementID, FolderID) = (try row.id(1), try row.id(2))
        let (thread, content): (ThreadID, ContentID) = (try row.id(5), try row.id(6))
        let summary = row.bytes(12)
        var writer = JSONWriter(capacity: 512 + summary.count)
        writer.key("id")
        writer.string { id.append(to: &$0) }
        writer.key("folderId")
        writer.string { folder.append(to: &$0) }
        writer.key("uid")
        writer.number(try row.uid(3))
        writer.key("modseq")
        writer.number(UInt64(bitPattern: row.int64(4)))
        writer.key("threadId")
        writer.string { thread.append(to: &$0) }
        writer.key("contentId")
        writer.string { content.append(to: &$0) }
        writer.key("flags")
        write(SystemFlags(stored: row.int64(7)), keywords: row.bytes(8), to: &writer)
        writer.key("internalDate")
        writer.timestamp(Timestamp(milliseconds: row.int64(9)))
        writer.key("savedAt")
        writer.timestamp(Timestamp(milliseconds: row.int64(10)))
        writer.key("size")
        writer.number(row.int64(11))
        writer.raw(members: summary)
        return writer.finish().array()
    }

    /// `keywords` as they are stored, with a space between any two.
    private static func write(_ system: SystemFlags, keywords: Span<UInt8>, to writer: inout JSONWriter) {
        writer.beginArray()
        for known in SystemFlags.words where system.contains(known.flag) { writer.string(literal: known.word) }
        var start = 0
        while start < keywords.count {
            let end = keywords.firstIndex(of: ASCII.space, from: start) ?? keywords.count
            if end > start { writer.string(keywords.extracting(start..<end)) }
            start = end + 1
        }
        writer.endArray()
    }

    /// Writes it anew, from the rows as they are now: to be called behind every change of a placement, of its content's
    /// thread, or of which content it has.
    static func renew(_ message: MessageKey, _ connection: SQLiteConnection) throws {
        let shown = try connection.first(built: sourcesOfOne, [message]) { try octets(of: $0) }
        guard let shown else { throw StoreError.corrupt("a message has no content or folder") }
        try keep(shown, message, connection)
    }

    /// Writes that of all placements of a content anew, whose summary or size is another now.
    static func renew(allOf content: ContentKey, _ connection: SQLiteConnection) throws {
        let messages: [MessageKey] = try connection.all("SELECT pk FROM messages WHERE content = ?1", content) {
            $0.key(0)
        }
        for message in messages { try renew(message, connection) }
    }

    private static func keep(_ shown: [UInt8], _ message: MessageKey, _ connection: SQLiteConnection) throws {
        try connection.run("UPDATE messages SET shown = ?2 WHERE pk = ?1", message, shown)
    }

    /// Writes that of all messages: for a store that had none.
    static func fill(_ connection: SQLiteConnection) throws {
        try forEach(connection) { message, shown, _ in try keep(shown, message, connection) }
    }

    /// Messages that show something else than they should, at most 100.
    static func findings(_ connection: SQLiteConnection) throws -> [StoreFinding] {
        var found: [StoreFinding] = []
        try forEach(connection) { message, shown, kept in
            guard shown != kept, found.count < 100 else { return }
            found.append(StoreFinding(rule: "what lists show", detail: "message \(message.value)"))
        }
        return found
    }

    /// Gives `body` each message, what it should show, and what it does; some at a time, so that rows may be changed.
    private static func forEach(
        _ connection: SQLiteConnection,
        _ body: (MessageKey, _ shown: [UInt8], _ kept: [UInt8]) throws -> Void
    ) throws {
        var last = MessageKey(0)
        while true {
            let some: [(MessageKey, [UInt8], [UInt8])] = try connection.all(built: sourcesInOrder, [last, 500]) { row in
                (row.key(0), try octets(of: row), row.array(13))
            }
            guard let end = some.last?.0 else { return }
            for (message, shown, kept) in some { try body(message, shown, kept) }
            last = end
        }
    }
}
