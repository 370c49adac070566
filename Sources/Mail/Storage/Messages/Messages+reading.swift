// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite

/// The messages of accounts: each is one placement in one folder.
package struct Messages<View: StoreView> {
    let view: View
    var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var messages: Messages<Self> { Messages(view: self) }
}

extension Messages {
    package func find(_ id: PlacementID, in account: AccountKey) throws -> MessageRow? {
        try connection.first(built: MessageRow.select + " WHERE m.account = ?1 AND m.id = ?2", [account, id]) {
            try MessageRow($0)
        }
    }

    package func find(_ key: MessageKey, in account: AccountKey) throws -> MessageRow? {
        try connection.first(built: MessageRow.select + " WHERE m.account = ?1 AND m.pk = ?2", [account, key]) {
            try MessageRow($0)
        }
    }

    package func find(uid: UInt32, in folder: FolderRow) throws -> MessageRow? {
        try connection.first(
            built: MessageRow.select + " WHERE +m.account = ?1 AND m.folder = ?2 AND m.uid = ?3",
            [folder.account, folder.key, Int64(uid)]
        ) { try MessageRow($0) }
    }

    /// The newest message of the account, or of one folder, by internal date.
    package func latest(in account: AccountKey, folder: FolderKey? = nil) throws -> MessageRow? {
        try rows(matching: MessageFilter(folder: folder), in: account, limit: 1).first
    }

    /// What `body` makes of a message and everything read from its octets; nil when there is none.
    package func get<R>(
        _ id: PlacementID,
        in account: AccountKey,
        _ body: (borrowing MessageView) throws -> R
    ) throws -> R? {
        try connection.first(built: MessageView.wholeByID, [account, id]) { try body(MessageView($0)) }
    }

    /// Lends the messages that match, newest first, from behind `cursor`, at most `limit`.
    ///
    /// Returns where to go on, or nil
    /// when there are no more.
    package func list(
        _ filter: MessageFilter,
        in account: AccountKey,
        after cursor: MessageCursor? = nil,
        limit: Int,
        _ body: (borrowing MessageView) throws -> Void
    ) throws -> MessageCursor? {
        let (sql, parameters) = Self.page(filter, in: account, after: cursor, limit: limit + 1)
        var last: MessageCursor?
        var count = 0
        var hasMore = false
        try connection.forEach(built: sql, parameters) { row in
            let message = MessageView(row)
            guard count < limit else {
                hasMore = true
                return false
            }
            try body(message)
            last = message.cursor
            count += 1
            return true
        }
        return hasMore ? last : nil
    }

    /// The statement of a page, and its parameters.
    private static func page(
        _ filter: MessageFilter,
        in account: AccountKey,
        after cursor: MessageCursor?,
        limit: Int
    ) -> (sql: String, parameters: [any SQLiteBindable]) {
        if cursor == nil, let folder = filter.folder, filter == MessageFilter(folder: folder) {
            return (MessageView.newestInFolder, [account, folder, limit])
        }
        let (conditions, parameters) = filter.conditions(in: account, after: cursor)
        let contents = filter.hasAttachments == nil ? "" : MessageView.contents
        return (
            "\(MessageView.select)\(contents) WHERE \(conditions)\(MessageView.newestFirst) LIMIT ?\(parameters.count + 1)",
            parameters + [limit]
        )
    }

    /// Lends the messages of these keys that there are, in the order of the keys.
    package func list(
        _ keys: [MessageKey],
        in account: AccountKey,
        _ body: (borrowing MessageView) throws -> Void
    ) throws {
        for key in keys {
            _ = try connection.first(built: MessageView.byKey, [account, key]) { try body(MessageView($0)) }
        }
    }

    /// The placements that match, newest first, from behind `cursor`, at most `limit`.
    package func rows(
        matching filter: MessageFilter,
        in account: AccountKey,
        after cursor: MessageCursor? = nil,
        limit: Int
    ) throws -> [MessageRow] {
        let (conditions, parameters) = filter.conditions(in: account, after: cursor)
        let contents = filter.hasAttachments == nil ? "" : MessageView.contents
        return try connection.all(
            built: """
                \(MessageRow.select)\(contents) WHERE \(conditions) ORDER BY m.internal_date DESC, m.pk DESC
                LIMIT ?\(parameters.count + 1)
                """,
            parameters + [limit]
        ) { try MessageRow($0) }
    }

    /// How many messages match: reads as many index entries, so not for a folder's own totals.
    package func count(_ filter: MessageFilter, in account: AccountKey) throws -> Int {
        let (conditions, parameters) = filter.conditions(in: account, after: nil)
        let contents = filter.hasAttachments == nil ? "" : MessageView.contents
        return try connection.first(
            built: "SELECT count(*) FROM messages m\(contents) WHERE \(conditions)",
            parameters
        ) { $0.int(0) } ?? 0
    }

    /// The placements of a folder in the order of their UIDs, from `first` on, at most `limit`.
    package func byUID(in folder: FolderRow, from first: UInt32 = 1, limit: Int) throws -> [MessageRow] {
        try connection.all(
            built: MessageRow.select
                + " WHERE +m.account = ?1 AND m.folder = ?2 AND m.uid >= ?3 ORDER BY m.uid LIMIT ?4",
            [folder.account, folder.key, Int64(first), limit]
        ) { try MessageRow($0) }
    }

    /// The UIDs that left the folder after `modseq`, ascending.
    package func expunged(from folder: FolderRow, since modseq: UInt64) throws -> [UInt32] {
        try connection.all(
            "SELECT uid FROM expunged WHERE account = ?1 AND +folder = ?2 AND modseq > ?3 ORDER BY uid",
            folder.account,
            folder.key,
            Int64(clamping: modseq)
        ) { try $0.uid(0) }
    }
}
