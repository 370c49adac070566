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

/// One placement of a message with its summary, lent: what a list is written from without making Strings.
package struct MessageView: ~Copyable {
    private let row: SQLiteRow

    init(_ row: consuming SQLiteRow) { self.row = row }

    /// What a list shows, and `more` columns; `folder` is an expression for the folder's id.
    private static func columns(folder: String, more: String = "") -> String {
        """
        SELECT m.pk, m.id, \(folder), m.uid, m.modseq, c.thread_id, c.id, m.flags, m.keywords, m.internal_date, m.saved_at,
            m.size, c.summary\(more) FROM messages m CROSS JOIN contents c ON c.pk = m.content
        """
    }
    private static let folders = " CROSS JOIN folders f ON f.pk = m.folder"

    static let select = columns(folder: "f.id") + folders
    /// As ``select``, of the folder whose key is ?2: its id is looked up once and not with each row.
    static let selectInFolder = columns(folder: "(SELECT id FROM folders WHERE pk = ?2)")
    static let byKey = select + " WHERE m.account = ?1 AND m.pk = ?2"
    /// With everything read from the octets.
    static let wholeByID =
        columns(folder: "f.id", more: ", c.detail, c.layout, m.trace, c.body, c.is_quarantined") + folders
        + " WHERE m.account = ?1 AND m.id = ?2"

    package var key: MessageKey { row.key(0) }
    package var id: PlacementID { get throws { try row.id(1) } }
    package var folder: FolderID { get throws { try row.id(2) } }
    package var uid: UInt32 { get throws { try row.uid(3) } }
    package var modseq: UInt64 { UInt64(bitPattern: row.int64(4)) }
    package var thread: ThreadID { get throws { try row.id(5) } }
    package var content: ContentID { get throws { try row.id(6) } }
    package var systemFlags: SystemFlags { SystemFlags(stored: row.int64(7)) }
    /// The keywords, in their order, with a space between any two.
    package var keywords: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(8) } }
    package var internalDate: Timestamp { Timestamp(milliseconds: row.int64(9)) }
    package var savedAt: Timestamp { Timestamp(milliseconds: row.int64(10)) }
    /// Octets, without the trace.
    package var size: Int64 { row.int64(11) }
    /// What ``NewContent/summary`` holds.
    package var summary: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(12) } }

    /// The place of this message in a list, newest first.
    package var cursor: MessageCursor { MessageCursor(internalDate: row.int64(9), key: row.int64(0)) }

    // What ``Messages/get(_:in:_:)`` gives besides; empty in a list.

    /// What ``NewContent/detail`` holds.
    package var detail: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(13) } }
    /// What ``NewContent/layout`` holds.
    package var layout: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(14) } }
    /// What delivery put in front of this placement's octets.
    package var trace: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(15) } }
    /// The number of the row with its octets, for ``StoreView/openBody(_:files:)``; nil where they are at the server.
    package var body: Int64? { row.optionalInt64(16) }
    package var isQuarantined: Bool { row.bool(17) }
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
