// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// A conversation as it is stored.
package struct ThreadRow: Hashable, Sendable {
    package let key: ThreadKey
    package let id: ThreadID
    /// The newest internal date of its messages.
    package let latest: Timestamp
    package let total: Int
    package let unread: Int

    static let select = "SELECT t.pk, t.id, t.latest, t.total, t.unread FROM threads t"

    init(_ row: consuming SQLiteRow) throws {
        key = row.key(0)
        id = try row.id(1)
        latest = Timestamp(milliseconds: row.int64(2))
        total = row.int(3)
        unread = row.int(4)
    }
}

/// Conversations.
///
/// Messages are in one when they name each other by Message-ID (their own, `References`, `In-Reply-To`),
/// directly or through others, be these here or not. An equal subject alone joins nothing.
package struct Threads<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var threads: Threads<Self> { Threads(view: self) }
}

extension Threads {
    /// The thread, unless it has no messages.
    package func get(_ id: ThreadID, in account: AccountKey) throws -> ThreadRow? {
        try connection.first(
            built: ThreadRow.select + " WHERE t.account = ?1 AND t.id = ?2 AND t.total > 0",
            [account, id]
        ) { try ThreadRow($0) }
    }

    /// Threads with messages, in the account or in one folder, that with the newest message first, from behind `after`.
    ///
    /// At most `limit`.
    package func list(
        in account: AccountKey,
        folder: FolderKey? = nil,
        after cursor: MessageCursor? = nil,
        limit: Int
    ) throws -> [ThreadRow] {
        var sql = ThreadRow.select + " WHERE t.account = ?1 AND t.total > 0"
        var parameters: [any SQLiteBindable] = [account, limit]
        if let folder {
            parameters.append(folder)
            sql += """
                 AND EXISTS (SELECT 1 FROM messages m WHERE +m.account = ?1 AND m.thread = t.pk
                AND m.folder = ?\(parameters.count))
                """
        }
        if let cursor {
            parameters += [cursor.internalDate, cursor.key]
            sql += " AND (t.latest, t.pk) < (?\(parameters.count - 1), ?\(parameters.count))"
        }
        return try connection.all(built: sql + " ORDER BY t.latest DESC, t.pk DESC LIMIT ?2", parameters) {
            try ThreadRow($0)
        }
    }

    func id(of thread: ThreadKey, in account: AccountKey) throws -> ThreadID {
        let id: ThreadID? = try connection.first(
            "SELECT id FROM threads WHERE account = ?1 AND pk = ?2",
            account,
            thread
        ) { try $0.id(0) }
        guard let id else { throw StoreError.corrupt("a message has no thread") }
        return id
    }
}

extension ThreadRow {
    /// The place of this thread in a list.
    package var cursor: MessageCursor { MessageCursor(internalDate: latest.milliseconds, key: key.value) }
}

extension Threads where View == Transaction {
    /// Message-IDs looked at of those a message refers to: the newest ones.
    ///
    /// A bound on what one message can join.
    static var maximumReferences: Int { 50 }
    private static var maximumIDOctets: Int { 998 }

    /// The thread of a new message: that of the messages it names, joined if they were in several; or a new one.
    func assign(_ new: NewContent, in account: AccountKey) throws -> ThreadKey {
        var ids: [[UInt8]] = []
        for id in [new.messageID ?? []] + new.references.suffix(Self.maximumReferences)
        where !id.isEmpty && id.count <= Self.maximumIDOctets && !ids.contains(id) { ids.append(id) }
        var found: [ThreadKey] = []
        for id in ids {
            let thread: ThreadKey? = try connection.first(
                "SELECT thread FROM thread_links WHERE account = ?1 AND message_id = ?2",
                account,
                id
            ) { $0.key(0) }
            if let thread, !found.contains(thread) { found.append(thread) }
        }
        let thread = try found.min() ?? create(in: account)
        for other in found where other != thread { try merge(other, into: thread, of: account) }
        for id in ids {
            try connection.run(
                "INSERT OR IGNORE INTO thread_links (account, message_id, thread) VALUES (?1, ?2, ?3)",
                account,
                id,
                thread
            )
        }
        return thread
    }

    private func create(in account: AccountKey) throws -> ThreadKey {
        try connection.run("INSERT INTO threads (id, account) VALUES (?1, ?2)", ThreadID.random(), account)
        return ThreadKey(connection.lastInsertRowID)
    }

    /// A message that came late shows that two threads are one: the younger one's messages change their thread.
    private func merge(_ other: ThreadKey, into thread: ThreadKey, of account: AccountKey) throws {
        let ids = (kept: try id(of: thread, in: account), gone: try id(of: other, in: account))
        let modseq = try view.modseq(of: account)
        let folders: [FolderKey] = try connection.all(
            "SELECT DISTINCT folder FROM messages WHERE +account = ?1 AND thread = ?2",
            account,
            other
        ) { $0.key(0) }
        for folder in folders {
            try connection.run(
                "UPDATE folders SET highest_modseq = ?3 WHERE account = ?1 AND pk = ?2",
                account,
                folder,
                modseq
            )
            try view.touch(folder, of: account)
        }
        let moved: [MessageKey] = try connection.all(
            "SELECT pk FROM messages WHERE +account = ?1 AND thread = ?2",
            account,
            other
        ) { $0.key(0) }
        try connection.run(
            "UPDATE messages SET thread = ?3, modseq = ?4 WHERE +account = ?1 AND thread = ?2",
            account,
            other,
            thread,
            modseq
        )
        try connection.run(
            "UPDATE contents SET thread = ?3, thread_id = ?4 WHERE +account = ?1 AND thread = ?2",
            account,
            other,
            thread,
            ids.kept
        )
        for message in moved { try ShownMembers.renew(message, connection) }
        try connection.run(
            "UPDATE thread_links SET thread = ?3 WHERE +account = ?1 AND thread = ?2",
            account,
            other,
            thread
        )
        try connection.run(
            """
            UPDATE threads SET total = threads.total + o.total, unread = threads.unread + o.unread,
                latest = CASE WHEN o.total = 0 THEN threads.latest WHEN threads.total = 0 THEN o.latest
                    ELSE max(threads.latest, o.latest) END
            FROM (SELECT total, unread, latest FROM threads WHERE account = ?1 AND pk = ?2) o
            WHERE threads.account = ?1 AND threads.pk = ?3
            """,
            account,
            other,
            thread
        )
        try connection.run("DELETE FROM threads WHERE account = ?1 AND pk = ?2", account, other)
        try view.events.append(.threadMerged, to: account) {
            $0.id("threadId", ids.kept)
            $0.id("mergedThreadId", ids.gone)
            $0.number("modseq", modseq)
        }
    }

    /// Counts a message in or out; `date` is that of one that came.
    func count(_ thread: ThreadKey, of account: AccountKey, total: Int64, unread: Int64, date: Int64?) throws {
        try connection.run(
            """
            UPDATE threads SET total = total + ?3, unread = unread + ?4,
                latest = CASE WHEN ?5 IS NULL THEN latest WHEN total = 0 THEN ?5 ELSE max(latest, ?5) END
            WHERE account = ?1 AND pk = ?2
            """,
            account,
            thread,
            total,
            unread,
            date
        )
    }

    /// After a message went.
    func recomputeDate(_ thread: ThreadKey, of account: AccountKey) throws {
        try connection.run(
            """
            UPDATE threads SET latest = coalesce((SELECT max(internal_date) FROM messages
                WHERE +account = ?1 AND thread = ?2), 0) WHERE account = ?1 AND pk = ?2
            """,
            account,
            thread
        )
    }

    /// Counts all threads of a folder as they are without it.
    func recount(without folder: FolderRow) throws {
        try connection.run(
            """
            UPDATE threads SET total = n.total, unread = n.unread, latest = n.latest FROM (
                SELECT t.pk AS pk, count(m.pk) AS total, coalesce(sum(m.flags & 1 = 0), 0) AS unread,
                    coalesce(max(m.internal_date), 0) AS latest
                FROM (SELECT DISTINCT thread AS pk FROM messages WHERE +account = ?1 AND folder = ?2) t
                LEFT JOIN messages m ON +m.account = ?1 AND m.thread = t.pk AND m.folder <> ?2 GROUP BY t.pk
            ) n WHERE threads.account = ?1 AND threads.pk = n.pk
            """,
            folder.account,
            folder.key
        )
    }

    /// Removes the thread if nothing is in it any more.
    func removeIfEmpty(_ thread: ThreadKey) throws {
        let isUsed =
            try connection.first("SELECT 1 FROM contents WHERE thread = ?1 LIMIT 1", thread) { _ in true } ?? false
        guard !isUsed else { return }
        try connection.run("DELETE FROM thread_links WHERE thread = ?1", thread)
        try connection.run("DELETE FROM threads WHERE pk = ?1", thread)
    }
}
