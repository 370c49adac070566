// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// One placement of a message, without what was read from its octets.
package struct MessageRow: Hashable, Sendable {
    package let key: MessageKey
    package let id: PlacementID
    package let account: AccountKey
    package let folder: FolderKey
    package let uid: UInt32
    package let modseq: UInt64
    package let flags: MessageFlags
    package let internalDate: Timestamp
    package let savedAt: Timestamp
    /// Octets, without the trace.
    package let size: Int64
    package let content: ContentKey
    package let thread: ThreadKey

    static let select = """
        SELECT m.pk, m.id, m.account, m.folder, m.uid, m.modseq, m.flags, m.keywords, m.internal_date, m.saved_at, m.size,
            m.content, m.thread FROM messages m
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.key(0)
        id = try row.id(1)
        account = row.key(2)
        folder = row.key(3)
        uid = try row.uid(4)
        modseq = UInt64(bitPattern: row.int64(5))
        flags = MessageFlags(bits: row.int64(6), keywords: row.string(7))
        internalDate = Timestamp(milliseconds: row.int64(8))
        savedAt = Timestamp(milliseconds: row.int64(9))
        size = row.int64(10)
        content = row.key(11)
        thread = row.key(12)
    }
}

/// One placement of a message with what a list shows of it, lent: what a list is written from without making Strings.
package struct MessageView: ~Copyable {
    private let row: SQLiteRow

    init(_ row: consuming SQLiteRow) { self.row = row }

    private static let columns = "SELECT m.pk, m.internal_date, m.shown"
    static let contents = " CROSS JOIN contents c ON c.pk = m.content"

    static let select = columns + " FROM messages m"
    static let newestFirst = " ORDER BY m.internal_date DESC, m.pk DESC"
    /// The first page of a folder, as most lists are.
    static let newestInFolder = select + " WHERE +m.account = ?1 AND m.folder = ?2" + newestFirst + " LIMIT ?3"
    static let byKey = select + " WHERE m.account = ?1 AND m.pk = ?2"
    /// With everything read from the octets.
    static let wholeByID =
        columns + ", m.id, m.modseq, c.id, c.detail, c.layout, m.trace, c.body, c.is_quarantined FROM messages m"
        + contents + " WHERE m.account = ?1 AND m.id = ?2"

    /// The place of this message in a list, newest first.
    package var cursor: MessageCursor { MessageCursor(internalDate: row.int64(1), key: row.int64(0)) }
    /// Members of a JSON object without its braces: `id`, `folderId`, `uid`, `modseq`, `threadId`, `contentId`, `flags`,
    /// `internalDate`, `savedAt`, `size`, and what ``NewContent/summary`` holds.
    package var shown: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(2) } }

    // What ``Messages/get(_:in:_:)`` gives besides; in a list there are none of these.

    package var id: PlacementID { get throws { try row.id(3) } }
    package var modseq: UInt64 { UInt64(bitPattern: row.int64(4)) }
    package var content: ContentID { get throws { try row.id(5) } }
    /// What ``NewContent/detail`` holds.
    package var detail: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(6) } }
    /// What ``NewContent/layout`` holds.
    package var layout: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(7) } }
    /// What delivery put in front of this placement's octets.
    package var trace: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(8) } }
    /// The number of the row with its octets, for ``StoreView/openBody(_:files:)``; nil where they are at the server.
    package var body: Int64? { row.optionalInt64(9) }
    package var isQuarantined: Bool { row.bool(10) }
}

/// A place in a list of messages, newest first, that stays right while mail comes and goes.
package struct MessageCursor: Hashable, Sendable {
    /// Milliseconds since 1970.
    package let internalDate: Int64
    package let key: Int64

    /// Any pair of numbers is a place.
    package init(internalDate: Int64, key: Int64) {
        self.internalDate = internalDate
        self.key = key
    }

    /// From the text of ``append(to:)``; nil for anything else.
    package init?(_ text: Span<UInt8>) {
        guard text.count == 32, let date = StrictInteger.hexadecimal(text.extracting(0..<16)),
            let key = StrictInteger.hexadecimal(text.extracting(16..<32))
        else { return nil }
        self.init(internalDate: Int64(bitPattern: date), key: Int64(bitPattern: key))
    }

    /// Writes it as 32 hexadecimal digits.
    package func append(to buffer: inout ByteBuffer) {
        for value in [internalDate, key] { buffer.append(Hex.encode(value.bigEndianOctets.span)) }
    }
}

extension SQLiteRow {
    func uid(_ column: Int32) throws(StoreError) -> UInt32 {
        guard let uid = UInt32(exactly: int64(column)) else { throw .corrupt("a UID is out of range") }
        return uid
    }
}

extension SystemFlags {
    init(stored bits: Int64) { self.init(rawValue: UInt8(truncatingIfNeeded: bits)) }
}

extension MessageFlags {
    init(bits: Int64, keywords: String) {
        self.init(
            SystemFlags(stored: bits),
            keywords: keywords.utf8.split(separator: ASCII.space).compactMap { String($0) }
        )
    }

    /// As they are stored: one space between any two.
    var keywordText: String { keywords.joined(separator: " ") }
}
