// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// A folder as its server knows it, and how far the mirror of it is.
package struct RemoteFolder: Hashable, Sendable {
    /// The name on the wire, in the server's own encoding.
    package var path: [UInt8]
    /// What joins the levels of its name; nil where there is only one level.
    package var separator: UInt8?
    /// MAILBOXID (RFC 8474 §4.1), where the server has it.
    package var id: [UInt8]?
    /// Nil before the folder was first looked into.
    package var uidValidity: UInt32?
    /// All UIDs from ``low`` on and below this one are mirrored.
    package var uidNext: UInt32?
    package var low: UInt32?
    /// The HIGHESTMODSEQ up to which changes are mirrored (RFC 7162); nil where the server counts none.
    package var modseq: UInt64?
    /// When the mirror was last seen to be what the server has.
    package var verified: Timestamp?
    /// Why it cannot be mirrored, in the server's words or ours.
    package var problem: String?

    package init(path: [UInt8], separator: UInt8?, id: [UInt8]? = nil) {
        self.path = path
        self.separator = separator
        self.id = id
    }
}

/// A folder of the mirror; without ``remote`` the server has none of that name, only some below it.
package struct MirroredFolder: Hashable, Sendable {
    package let folder: FolderRow
    package var remote: RemoteFolder?
}

/// A message of the mirror, as much as comparing it with the server takes.
package struct MirroredMessage: Hashable, Sendable {
    package let key: MessageKey
    package let remoteUID: UInt32
    package let flags: MessageFlags
}

/// The mirror of a remote account's mailbox: its rows are those of any account, with what they are called at the server.
package struct Mirror<View: StoreView> {
    let view: View
    var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var mirror: Mirror<Self> { Mirror(view: self) }
}

extension Mirror {
    private static var columns: String {
        """
        remote_path, remote_separator, remote_uid_validity, remote_uid_next, remote_low, remote_modseq, remote_id, verified,
        remote_problem
        """
    }

    /// The account's folders, by name.
    package func folders(of account: AccountKey) throws -> [MirroredFolder] {
        try view.folders.list(of: account).map { MirroredFolder(folder: $0, remote: try remote($0)) }
    }

    /// What the folder is at its server.
    package func remote(_ folder: FolderRow) throws -> RemoteFolder? {
        try connection.first(
            built: "SELECT \(Self.columns) FROM folders WHERE account = ?1 AND pk = ?2 AND remote_path IS NOT NULL",
            [folder.account, folder.key]
        ) { try RemoteFolder($0) }
    }

    /// The folder of that name at the server.
    package func folder(path: [UInt8], of account: AccountKey) throws -> FolderRow? {
        try connection.first(
            built: FolderRow.select + " WHERE account = ?1 AND remote_path = ?2",
            [account, path]
        ) { try FolderRow($0) }
    }

    /// The mirrored messages of a folder by UID, those with UIDs of the range, at most `limit`.
    package func messages(
        in folder: FolderRow,
        uids: ClosedRange<UInt32>,
        limit: Int = Int.max
    ) throws -> [MirroredMessage] {
        try connection.all(
            """
            SELECT pk, remote_uid, flags, keywords FROM messages
            WHERE folder = ?1 AND remote_uid BETWEEN ?2 AND ?3 ORDER BY remote_uid LIMIT ?4
            """,
            folder.key,
            Int64(uids.lowerBound),
            Int64(uids.upperBound),
            limit
        ) {
            MirroredMessage(
                key: $0.key(0),
                remoteUID: try $0.uid(1),
                flags: MessageFlags(bits: $0.int64(2), keywords: $0.string(3))
            )
        }
    }

    /// The message with that UID at the server.
    package func message(remoteUID: UInt32, in folder: FolderRow) throws -> MessageRow? {
        try connection.first(
            built: MessageRow.select + " WHERE +m.account = ?1 AND m.folder = ?2 AND m.remote_uid = ?3",
            [folder.account, folder.key, Int64(remoteUID)]
        ) { try MessageRow($0) }
    }

    /// The messages of the folder with UIDs of the set at the server, the highest first, at most `limit`.
    package func keys(in folder: FolderKey, uids: [ClosedRange<UInt32>], limit: Int) throws -> [MessageKey] {
        var keys: [MessageKey] = []
        for range in uids.reversed() where keys.count < limit {
            keys += try connection.all(
                """
                SELECT pk FROM messages WHERE folder = ?1 AND remote_uid BETWEEN ?2 AND ?3 ORDER BY remote_uid DESC LIMIT ?4
                """,
                folder,
                Int64(range.lowerBound),
                Int64(range.upperBound),
                limit - keys.count
            ) { $0.key(0) }
        }
        return keys
    }

    /// The UID that the message has at the server, if it has one.
    package func remoteUID(of message: MessageRow) throws -> UInt32? {
        let uid: UInt32?? = try connection.first(
            "SELECT remote_uid FROM messages WHERE account = ?1 AND pk = ?2",
            message.account,
            message.key
        ) { $0.isNull(0) ? nil : try $0.uid(0) }
        return uid ?? nil
    }

    /// Messages of the account that have yet to be put at the server, the oldest first, at most `limit`.
    package func pendingUploads(of account: AccountKey, limit: Int) throws -> [MessageRow] {
        try connection.all(
            built: MessageRow.select
                + " JOIN pending_uploads p ON p.message = m.pk WHERE p.account = ?1 ORDER BY m.pk LIMIT ?2",
            [account, limit]
        ) { try MessageRow($0) }
    }

    /// The messages of the folder that have no UID at the server and are not on their way there, at most `limit`.
    package func withoutUID(in folder: FolderRow, limit: Int) throws -> [MessageRow] {
        try connection.all(
            built: MessageRow.select
                + """
                 WHERE +m.account = ?1 AND m.folder = ?2 AND m.remote_uid IS NULL
                AND m.pk NOT IN (SELECT message FROM pending_uploads) ORDER BY m.uid LIMIT ?3
                """,
            [folder.account, folder.key, limit]
        ) { try MessageRow($0) }
    }

    /// Whether the message has yet to be put at the server.
    package func isPending(_ message: MessageRow) throws -> Bool {
        try connection.first("SELECT 1 FROM pending_uploads WHERE message = ?1", message.key) { _ in true } ?? false
    }

    /// The account's messages that may be the one known by that: those without a UID first, then the oldest, at most `limit`.
    ///
    /// One of ours whose name at the server is not known yet is recognised by its fingerprint.
    package func messages(
        known identity: RemoteIdentity,
        size: Int64,
        in account: AccountKey,
        limit: Int = 64
    ) throws -> [MessageRow] {
        try connection.all(
            built: """
                \(MessageRow.select) WHERE +m.account = ?1 AND m.content IN (
                    SELECT c.pk FROM contents c WHERE c.account = ?1 AND c.email_id = ?2
                    UNION SELECT c.pk FROM contents c WHERE c.account = ?1 AND c.fingerprint = ?3 AND c.size = ?4
                        AND (c.email_id IS NULL OR ?2 IS NULL))
                ORDER BY m.remote_uid IS NOT NULL, m.pk LIMIT ?5
                """,
            [account, identity.emailID, identity.fingerprint, size, limit]
        ) { try MessageRow($0) }
    }

    /// When some folder of the account was last seen to be what the server has; nil before that.
    package func verified(of account: AccountKey) throws -> Timestamp? {
        let last: Int64?? = try connection.first(
            "SELECT max(verified) FROM folders WHERE account = ?1",
            account
        ) { $0.optionalInt64(0) }
        return (last ?? nil).map(Timestamp.init(milliseconds:))
    }

    /// Since when nobody saw what the account's server has, where that is noted to be too long.
    package func staleSince(of account: AccountKey) throws -> Timestamp? {
        let since: Int64?? = try connection.first("SELECT remote_stale FROM accounts WHERE pk = ?1", account) {
            $0.optionalInt64(0)
        }
        return (since ?? nil).map(Timestamp.init(milliseconds:))
    }

    /// How the account's server stood last; nil where that was never noted.
    package func state(of account: AccountKey) throws -> RemoteAccountState? {
        let state: RemoteAccountState?? = try connection.first(
            "SELECT remote_state, remote_reason, remote_since FROM accounts WHERE pk = ?1",
            account
        ) { row in
            RemoteAccountState.Condition(rawValue: row.optionalString(0) ?? "").map {
                RemoteAccountState(
                    condition: $0,
                    reason: row.optionalString(1),
                    since: Timestamp(milliseconds: row.optionalInt64(2) ?? 0)
                )
            }
        }
        return state ?? nil
    }
}

/// How a remote account's server stands.
package struct RemoteAccountState: Hashable, Sendable {
    package enum Condition: String, CaseIterable, Hashable, Sendable {
        case connected
        /// No connection can be made, or none lasts.
        case unreachable
        /// The server does not take the credentials.
        case authenticationFailed = "authentication_failed"
    }

    package let condition: Condition
    package let reason: String?
    package let since: Timestamp
}

extension RemoteFolder {
    fileprivate init(_ row: consuming SQLiteRow) throws {
        self.init(path: row.array(0), separator: row.optionalInt64(1).flatMap { UInt8(exactly: $0) })
        uidValidity = row.optionalInt64(2).flatMap { UInt32(exactly: $0) }
        uidNext = row.optionalInt64(3).flatMap { UInt32(exactly: $0) }
        low = row.optionalInt64(4).flatMap { UInt32(exactly: $0) }
        modseq = row.optionalInt64(5).flatMap { UInt64(exactly: $0) }
        id = row.optionalArray(6)
        verified = row.optionalInt64(7).map(Timestamp.init(milliseconds:))
        problem = row.optionalString(8)
    }
}
