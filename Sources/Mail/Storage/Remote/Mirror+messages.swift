// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

extension Mirror where View == Transaction {
    /// Mirrors a message that the server has; the one of that UID where it is there already.
    ///
    /// - Parameter arrival: what is announced; nil for nothing, as for what was there before the account was.
    @discardableResult
    package func append(
        to folder: FolderRow,
        _ new: NewContent,
        remoteUID: UInt32,
        flags: MessageFlags,
        internalDate: Timestamp,
        arrival: Messages<Transaction>.Arrival?
    ) throws -> MessageRow {
        if let known = try message(remoteUID: remoteUID, in: folder) {
            return try view.messages.setFlags(of: known, .set(flags))
        }
        let row = try view.messages.append(
            to: folder,
            new,
            flags: flags,
            internalDate: internalDate,
            arrival: arrival
        )
        try set(remoteUID, of: row)
        return row
    }

    /// Puts a message where the server has it now; its id stays.
    @discardableResult
    package func move(_ message: MessageRow, to folder: FolderRow, remoteUID: UInt32?) throws -> MessageRow {
        try set(nil, of: message)
        let moved = try view.messages.move(message, to: folder)
        if let remoteUID, let other = try self.message(remoteUID: remoteUID, in: folder), other.key != moved.key {
            // It was met there before it was known to have been moved.
            try view.messages.expunge(other)
        }
        try set(remoteUID, of: moved)
        return moved
    }

    /// Notes the UID that a message has at the server; with one, it need not be put there any more.
    package func set(_ remoteUID: UInt32?, of message: MessageRow) throws {
        if remoteUID != nil {
            try connection.run("DELETE FROM pending_uploads WHERE message = ?1", message.key)
        }
        // Where another has that UID, which no right server lets happen, this one has none.
        try connection.run(
            """
            UPDATE messages SET remote_uid = ?3 WHERE account = ?1 AND pk = ?2 AND NOT EXISTS
                (SELECT 1 FROM messages o WHERE o.folder = messages.folder AND o.remote_uid = ?3 AND o.pk <> ?2)
            """,
            message.account,
            message.key,
            remoteUID.map(Int64.init)
        )
    }

    /// Forgets the UIDs of a folder whose UIDVALIDITY is another now, until each message is found again.
    package func forgetUIDs(of folder: FolderRow) throws {
        try connection.run(
            "UPDATE messages SET remote_uid = NULL WHERE +account = ?1 AND folder = ?2 AND remote_uid IS NOT NULL",
            folder.account,
            folder.key
        )
    }

    /// Notes that a message which is here has yet to be put at the server; its octets then stay until it is.
    package func upload(_ message: MessageRow) throws {
        try connection.run(
            "INSERT OR IGNORE INTO pending_uploads (message, account) VALUES (?1, ?2)",
            message.key,
            message.account
        )
    }

    /// The message is at the server, under this UID where that is known; its octets may be given up from now on.
    package func uploaded(_ message: MessageRow, remoteUID: UInt32?) throws {
        try connection.run("DELETE FROM pending_uploads WHERE message = ?1", message.key)
        if let remoteUID { try set(remoteUID, of: message) }
        try connection.run(
            "UPDATE contents SET fetched = ?2 WHERE pk = ?1 AND body IS NOT NULL AND fetched IS NULL",
            message.content,
            view.now.milliseconds
        )
    }

    /// Says how the account's server stands, if that is news.
    package func set(_ condition: RemoteAccountState.Condition, reason: String?, of account: AccountKey) throws {
        let old = try state(of: account)
        guard old?.condition != condition else { return }
        try connection.run(
            "UPDATE accounts SET remote_state = ?2, remote_reason = ?3, remote_since = ?4 WHERE pk = ?1",
            account,
            condition.rawValue,
            reason,
            view.now.milliseconds
        )
        switch condition {
        case .connected:
            guard old != nil else { return }
            try view.events.append(.accountRecovered, to: account) { _ in }
        case .unreachable:
            try view.events.append(.accountUnreachable, to: account) { $0.text("reason", reason) }
        case .authenticationFailed:
            try view.events.append(.accountAuthenticationFailed, to: account) { $0.text("reason", reason) }
        }
    }

    /// Says that the folder is mirrored as a whole.
    package func announceResync(of folder: FolderRow) throws {
        try view.events.append(.folderResynced, to: folder.account) {
            $0.id("folderId", folder.id)
            $0.text("path", folder.name.text)
            $0.number("messages", Int64(folder.total))
        }
    }
}

extension Mirror where View == Transaction {
    /// Keeps the octets of a message that were fetched from its server, and what was read from them, until they are evicted.
    package func lend(_ read: NewContent, to content: ContentKey, of account: AccountKey) throws {
        guard let body = read.body else { return }
        let known: (body: Int64?, size: Int64)? = try connection.first(
            "SELECT body, size FROM contents WHERE pk = ?1 AND account = ?2",
            content,
            account
        ) { ($0.optionalInt64(0), $0.int64(1)) }
        guard let known, known.body == nil else { return }
        try connection.run(
            """
            UPDATE contents SET body = ?2, size = ?3, summary = ?4, detail = ?5, layout = ?6, has_attachments = ?7,
                is_quarantined = ?8, fetched = ?9 WHERE pk = ?1
            """,
            content,
            try view.retainBody(body),
            read.size,
            read.summary,
            read.detail,
            read.layout,
            read.hasAttachments,
            read.isQuarantined,
            view.now.milliseconds
        )
        // Some servers say another size than they send.
        let told = try connection.all("SELECT size FROM messages WHERE content = ?1", content) { $0.int64(0) }
        try connection.run("UPDATE messages SET size = ?2 WHERE content = ?1", content, read.size)
        try view.withCounters(of: account) { counters in
            for size in told { try counters.use(read.size - size) }
        }
        try ShownMembers.renew(allOf: content, connection)
    }

    /// Gives up lent octets, the first fetched first, at most `limit` messages, until no more than so many are kept.
    ///
    /// Returns how many messages lost theirs.
    package func evict(keeping octets: Int64, limit: Int) throws -> Int {
        var excess =
            try connection.first("SELECT coalesce(sum(size), 0) FROM contents WHERE fetched IS NOT NULL") {
                $0.int64(0) - octets
            } ?? 0
        guard excess > 0 else { return 0 }
        let oldest: [(content: ContentKey, body: Int64?, size: Int64)] = try connection.all(
            """
            SELECT c.pk, c.body, c.size FROM contents c WHERE c.fetched IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM messages m JOIN pending_uploads p ON p.message = m.pk WHERE m.content = c.pk)
            ORDER BY c.fetched LIMIT ?1
            """,
            limit
        ) { ($0.key(0), $0.optionalInt64(1), $0.int64(2)) }
        var count = 0
        for lent in oldest where excess > 0 {
            try connection.run("UPDATE contents SET body = NULL, fetched = NULL WHERE pk = ?1", lent.content)
            if let body = lent.body { try view.releaseBody(body) }
            excess -= lent.size
            count += 1
        }
        return count
    }
}
