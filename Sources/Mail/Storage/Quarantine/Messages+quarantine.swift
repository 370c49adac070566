// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
import Wire

/// A message that is kept unread, because reading it once ended the process.
package struct QuarantinedMessage: Hashable, Sendable {
    package let account: AccountID
    package let message: PlacementID
    /// Octets.
    package let size: Int64
}

extension Messages {
    /// Messages in quarantine, the oldest first, at most `limit`.
    package func quarantined(limit: Int) throws -> [QuarantinedMessage] {
        try connection.all(
            """
            SELECT a.id, m.id, m.size FROM contents c JOIN messages m ON m.content = c.pk JOIN accounts a ON a.pk = m.account
            WHERE c.is_quarantined AND a.deleted IS NULL ORDER BY m.pk LIMIT ?1
            """,
            limit
        ) { QuarantinedMessage(account: try $0.id(0), message: try $0.id(1), size: $0.int64(2)) }
    }

    /// The body of a quarantined message, in whatever account: its hash, and the number of its row; nil when there is no such
    /// message in quarantine.
    package func quarantinedBody(of message: PlacementID) throws -> (hash: BodyHash, row: Int64)? {
        try connection.first(
            """
            SELECT b.hash, b.pk FROM messages m JOIN contents c ON c.pk = m.content JOIN bodies b ON b.pk = c.body
            JOIN accounts a ON a.pk = m.account WHERE m.id = ?1 AND c.is_quarantined AND a.deleted IS NULL
            """,
            message
        ) { row in BodyHash(octets: row.array(0)).map { (hash: $0, row: row.int64(1)) } } ?? nil
    }
}

extension Messages where View == Transaction {
    /// Puts what was now read of a body in the place of what stood there unread, in every account; how many messages that are.
    ///
    /// They keep their ids, and have another content, thread and MODSEQ.
    package func replaceUnread(with new: NewContent) throws -> Int {
        let unread: [(ContentKey, AccountKey)] = try connection.all(
            """
            SELECT c.pk, c.account FROM bodies b JOIN contents c ON c.body = b.pk JOIN accounts a ON a.pk = c.account
            WHERE b.hash = ?1 AND c.is_quarantined AND a.deleted IS NULL
            """,
            new.hash?.octets
        ) { ($0.key(0), $0.key(1)) }
        var count = 0
        for (content, account) in unread {
            var copy = new
            copy.id = .random()
            let read = try view.contents.insert(copy, in: account)
            let messages: [MessageRow] = try connection.all(
                built: MessageRow.select + " WHERE m.account = ?1 AND m.content = ?2",
                [account, content]
            ) { try MessageRow($0) }
            for message in messages { try exchange(message, content: read.key, thread: read.thread) }
            try view.contents.release(content)
            count += messages.count
        }
        return count
    }

    private func exchange(_ message: MessageRow, content: ContentKey, thread: ThreadKey) throws {
        let account = message.account
        let modseq = try view.modseq(of: account)
        try connection.run(
            "UPDATE messages SET content = ?3, thread = ?4, modseq = ?5 WHERE account = ?1 AND pk = ?2",
            account,
            message.key,
            content,
            thread,
            modseq
        )
        try ShownMembers.renew(message.key, connection)
        let unread = Int64(message.flags.unreadCount)
        try view.threads.count(message.thread, of: account, total: -1, unread: -unread, date: nil)
        try view.threads.recomputeDate(message.thread, of: account)
        let date = message.internalDate.milliseconds
        try view.threads.count(thread, of: account, total: 1, unread: unread, date: date)
        try countFolder(message.folder, of: account, total: 0, unread: 0, modseq: modseq)
        let changed = try existing(message)
        let folder = try folderID(message.folder, of: account)
        let id = try view.threads.id(of: thread, in: account)
        let contentID: ContentID? = try connection.first("SELECT id FROM contents WHERE pk = ?1", content) {
            try $0.id(0)
        }
        try view.events.append(.messageUnquarantined, to: account) {
            $0.placement(changed, folder: folder)
            $0.id("threadId", id)
            if let contentID { $0.id("contentId", contentID) }
        }
    }
}
