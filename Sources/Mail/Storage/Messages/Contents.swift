// SPDX-License-Identifier: Apache-2.0

import Wire
import MailTypes
import SQLite

/// What was read from the octets of messages, once for all placements of an account that share them.
package struct Contents<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var contents: Contents<Self> { Contents(view: self) }
}

extension Contents where View == Transaction {
    /// The content of these octets in the account: the one it has already, or a new one with its thread.
    func store(_ new: NewContent, in account: AccountKey) throws -> (key: ContentKey, thread: ThreadKey) {
        if new.body == nil { return try mirrored(new, in: account) ?? insert(new, in: account) }
        // One that was read, where an unread one is there still.
        let known: (ContentKey, ThreadKey)? = try connection.first(
            """
            SELECT c.pk, c.thread FROM bodies b CROSS JOIN contents c ON c.body = b.pk AND c.account = ?1 WHERE b.hash = ?2
            ORDER BY c.is_quarantined LIMIT 1
            """,
            account,
            new.hash?.octets
        ) { ($0.key(0), $0.key(1)) }
        if let known { return known }
        return try insert(new, in: account)
    }

    /// The content that the account has of a message which its server knows by this name.
    ///
    /// A fingerprint is not enough: messages of one header and size may have other texts.
    private func mirrored(_ new: NewContent, in account: AccountKey) throws -> (key: ContentKey, thread: ThreadKey)? {
        guard let emailID = new.identity?.emailID else { return nil }
        return try connection.first(
            "SELECT pk, thread FROM contents WHERE account = ?1 AND email_id = ?2 ORDER BY pk LIMIT 1",
            account,
            emailID
        ) { ($0.key(0), $0.key(1)) }
    }

    /// A new content, whatever there is already.
    func insert(_ new: NewContent, in account: AccountKey) throws -> (key: ContentKey, thread: ThreadKey) {
        let body = try new.body.map { try view.retainBody($0) }
        let thread = try view.threads.assign(new, in: account)
        try connection.run(
            """
            INSERT INTO contents (id, account, body, thread, thread_id, size, has_attachments, is_quarantined, summary,
                message_id, base_subject, detail, layout, email_id, fingerprint)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            """,
            new.id,
            account,
            body,
            thread,
            try view.threads.id(of: thread, in: account),
            new.size,
            new.hasAttachments,
            new.isQuarantined,
            new.summary,
            new.messageID,
            new.baseSubject,
            new.detail,
            new.layout,
            new.identity?.emailID,
            new.identity?.fingerprint
        )
        return (ContentKey(connection.lastInsertRowID), thread)
    }

    /// Notes that a placement of the content is gone.
    func release(_ content: ContentKey) throws {
        try connection.run(
            "INSERT OR REPLACE INTO released (content, time) VALUES (?1, ?2)",
            content,
            view.now.milliseconds
        )
    }

    /// Removes contents that lost their last placement long enough ago, at most `limit`; how many were looked at.
    package func sweep(limit: Int) throws -> Int {
        let due: [(ContentKey, AccountKey?, Int64?, ThreadKey)] = try connection.all(
            """
            SELECT r.content, c.account, c.body, c.thread FROM released r LEFT JOIN contents c ON c.pk = r.content
            WHERE r.time <= ?1 LIMIT ?2
            """,
            view.now.milliseconds - view.configuration.releasedContentMilliseconds,
            limit
        ) { ($0.key(0), $0.isNull(1) ? nil : $0.key(1), $0.optionalInt64(2), $0.key(3)) }
        for (content, account, body, thread) in due {
            if account != nil { try removeIfUnused(content, body: body, thread: thread) }
            try connection.run("DELETE FROM released WHERE content = ?1", content)
        }
        return due.count
    }

    private func removeIfUnused(_ content: ContentKey, body: Int64?, thread: ThreadKey) throws {
        let isUsed = try connection.first("SELECT 1 FROM messages WHERE content = ?1 LIMIT 1", content) { _ in true }
        guard isUsed == nil else { return }
        try connection.run("DELETE FROM contents WHERE pk = ?1", content)
        if let body { try view.releaseBody(body) }
        try view.threads.removeIfEmpty(thread)
    }
}
