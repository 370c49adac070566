// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// What a mailbox server tells of a placement without looking at what was read from its octets.
package struct MailboxRow: Sendable {
    package let key: MessageKey
    package let uid: UInt32
    package let modseq: UInt64
    package let flags: MessageFlags
    package let internalDate: Timestamp
    package let savedAt: Timestamp
    /// Octets, the trace included.
    package let size: Int64

    static let select = """
        SELECT m.pk, m.uid, m.modseq, m.flags, m.keywords, m.internal_date, m.saved_at, m.size + length(m.trace)
        FROM messages m WHERE +m.account = ?1
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.key(0)
        uid = try row.uid(1)
        modseq = UInt64(bitPattern: row.int64(2))
        flags = MessageFlags(bits: row.int64(3), keywords: row.string(4))
        internalDate = Timestamp(milliseconds: row.int64(5))
        savedAt = Timestamp(milliseconds: row.int64(6))
        size = row.int64(7)
    }
}

/// One placement with all that was read from its octets, lent.
package struct MailboxMessage: ~Copyable {
    private let row: SQLiteRow

    init(_ row: consuming SQLiteRow) { self.row = row }

    static let select = """
        SELECT m.trace, c.id, c.thread_id, c.summary, c.layout, c.body, c.is_quarantined, c.pk, i.envelope, i.structure
        FROM messages m CROSS JOIN contents c ON c.pk = m.content LEFT JOIN fetch_items i ON i.content = c.pk
        WHERE +m.account = ?1 AND m.folder = ?2 AND m.uid = ?3
        """

    /// What delivery put in front of this placement's octets.
    package var trace: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(0) } }
    package var content: ContentID { get throws { try row.id(1) } }
    package var thread: ThreadID { get throws { try row.id(2) } }
    /// What ``NewContent/summary`` holds.
    package var summary: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(3) } }
    /// What ``NewContent/layout`` holds.
    package var layout: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(4) } }
    /// The number of the row with its octets; nil where they are at a server.
    package var body: Int64? { row.optionalInt64(5) }
    package var isQuarantined: Bool { row.bool(6) }
    package var contentKey: ContentKey { row.key(7) }
    /// What ``FetchItems`` holds; nil where it was not asked for yet.
    package var envelope: [UInt8]? { row.optionalArray(8) }
    package var structure: [UInt8]? { row.optionalArray(9) }
}

/// What FETCH tells of a content, in the octets in which it goes out; nil is what is not known.
package struct FetchItems: Sendable {
    package let content: ContentKey
    package var envelope: [UInt8]?
    package var structure: [UInt8]?

    package init(_ content: ContentKey, envelope: [UInt8]? = nil, structure: [UInt8]? = nil) {
        self.content = content
        self.envelope = envelope
        self.structure = structure
    }

    package var octets: Int { (envelope?.count ?? 0) + (structure?.count ?? 0) }
}

/// What STATUS tells of a folder beyond its row.
package struct FolderTotals: Sendable {
    package let deleted: Int
    /// Octets, traces included.
    package let octets: Int64
}

extension Messages {
    /// The UIDs of a folder from `first` on, ascending.
    package func uids(of folder: FolderRow, from first: UInt32 = 1) throws -> [UInt32] {
        try connection.all(
            """
            SELECT uid FROM messages WHERE folder = (SELECT pk FROM folders WHERE account = ?1 AND pk = ?2) AND uid >= ?3
            ORDER BY uid
            """,
            folder.account,
            folder.key,
            Int64(first)
        ) { try $0.uid(0) }
    }

    /// The placements of a folder whose UIDs are among these, ascending.
    package func mailboxRows(of folder: FolderRow, uids: ClosedRange<UInt32>) throws -> [MailboxRow] {
        try connection.all(
            built: MailboxRow.select + " AND m.folder = ?2 AND m.uid BETWEEN ?3 AND ?4 ORDER BY m.uid",
            [folder.account, folder.key, Int64(uids.lowerBound), Int64(uids.upperBound)]
        ) { try MailboxRow($0) }
    }

    /// Those that changed after `modseq`, of the UIDs below `end`, in the order of their UIDs.
    package func mailboxRows(
        of folder: FolderRow,
        changedSince modseq: UInt64,
        below end: UInt32 = .max
    ) throws -> [MailboxRow] {
        try connection.all(
            built: """
                SELECT m.pk, m.uid, m.modseq, m.flags, m.keywords, m.internal_date, m.saved_at, m.size + length(m.trace)
                FROM messages m WHERE m.account = ?1 AND m.modseq > ?2 AND +m.folder = ?3 AND m.uid < ?4 ORDER BY m.uid
                """,
            [folder.account, Int64(clamping: modseq), folder.key, Int64(end)]
        ) { try MailboxRow($0) }
    }

    /// What `body` makes of one placement and of what was read from its octets; nil where there is none.
    package func mailboxMessage<R>(
        uid: UInt32,
        in folder: FolderRow,
        _ body: (borrowing MailboxMessage) throws -> R
    ) throws -> R? {
        try connection.first(built: MailboxMessage.select, [folder.account, folder.key, Int64(uid)]) {
            try body(MailboxMessage($0))
        }
    }

    package func totals(of folder: FolderRow) throws -> FolderTotals {
        let found = try connection.first(
            """
            SELECT coalesce(sum(flags & 16 <> 0), 0), coalesce(sum(size + length(trace)), 0) FROM messages
            WHERE +account = ?1 AND folder = ?2
            """,
            folder.account,
            folder.key
        ) { FolderTotals(deleted: $0.int(0), octets: $0.int64(1)) }
        return found ?? FolderTotals(deleted: 0, octets: 0)
    }

    /// How many placements of a folder have UIDs from `first` on.
    package func count(of folder: FolderRow, from first: UInt32) throws -> Int {
        try connection.first(
            """
            SELECT count(*) FROM messages WHERE folder = (SELECT pk FROM folders WHERE account = ?1 AND pk = ?2) AND uid >= ?3
            """,
            folder.account,
            folder.key,
            Int64(first)
        ) { $0.int(0) } ?? 0
    }

    /// The lowest UID of a folder whose message was not seen yet; nil where there is none.
    package func firstUnseen(in folder: FolderRow) throws -> UInt32? {
        guard folder.unread > 0 else { return nil }
        // Few are looked at one and all; of many the first is found soon.
        if folder.unread <= 500 {
            return try connection.first(
                """
                SELECT min(uid) FROM messages INDEXED BY messages_unread
                WHERE +account = ?1 AND folder = ?2 AND flags & 1 = 0
                """,
                folder.account,
                folder.key
            ) { $0.isNull(0) ? nil : try $0.uid(0) } ?? nil
        }
        return try connection.first(
            """
            SELECT uid FROM messages WHERE +account = ?1 AND folder = ?2 AND flags & 1 = 0 ORDER BY uid LIMIT 1
            """,
            folder.account,
            folder.key
        ) { try $0.uid(0) }
    }

    /// The UIDs of what is flagged `\Deleted` in a folder, ascending.
    package func deletedUIDs(of folder: FolderRow) throws -> [UInt32] {
        try connection.all(
            "SELECT uid FROM messages WHERE +account = ?1 AND folder = ?2 AND flags & 16 <> 0 ORDER BY uid",
            folder.account,
            folder.key
        ) { try $0.uid(0) }
    }

    /// The keywords in use in a folder, each once, in no particular order; at most `limit`.
    package func keywords(in folder: FolderRow, limit: Int) throws -> [String] {
        var flags = MessageFlags()
        try connection.forEach(
            built: "SELECT DISTINCT keywords FROM messages WHERE +account = ?1 AND folder = ?2 AND keywords <> ''",
            [folder.account, folder.key]
        ) { row in
            for keyword in MessageFlags(bits: 0, keywords: row.string(0)).keywords where flags.keywords.count < limit {
                flags.insert(keyword: keyword)
            }
            return flags.keywords.count < limit
        }
        return flags.keywords
    }
}

extension Messages where View == Transaction {
    /// Keeps what was made for FETCH, where the contents are there still; nobody is told of it.
    package func keep(_ items: [FetchItems]) throws {
        for item in items {
            try connection.run(
                """
                INSERT INTO fetch_items (content, envelope, structure) SELECT pk, ?2, ?3 FROM contents WHERE pk = ?1
                ON CONFLICT (content) DO UPDATE SET envelope = coalesce(excluded.envelope, envelope),
                    structure = coalesce(excluded.structure, structure)
                """,
                item.content,
                item.envelope,
                item.structure
            )
        }
    }
}
