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

    /// Says that nobody saw since then what the account's server has, if that is news; that it is connected ends it.
    package func setStale(since: Timestamp, reason: String?, of account: AccountKey) throws {
        guard try staleSince(of: account) == nil else { return }
        try connection.run("UPDATE accounts SET remote_stale = ?2 WHERE pk = ?1", account, since.milliseconds)
        try view.events.append(.accountStale, to: account) {
            $0.time("since", since)
            $0.text("reason", reason)
        }
    }

    /// Says how the account's server stands, if that is news.
    package func set(_ condition: RemoteAccountState.Condition, reason: String?, of account: AccountKey) throws {
        let old = try state(of: account)
        if condition == .connected, try staleSince(of: account) != nil {
            try connection.run("UPDATE accounts SET remote_stale = NULL WHERE pk = ?1", account)
            if old?.condition == .connected { try view.events.append(.accountRecovered, to: account) { _ in } }
        }
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
