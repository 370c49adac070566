// SPDX-License-Identifier: Apache-2.0

import SQLite
package import Wire

/// What the POP3 servers of accounts have: which messages are here, which have yet to be fetched, which may be deleted there.
///
/// A row outlives its message here, so that what was moved or deleted is not fetched once more.
package struct Maildrop<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var maildrop: Maildrop<Self> { Maildrop(view: self) }
}

extension Maildrop {
    /// What is known of the message with that unique-id.
    package func find(uid: [UInt8], of account: AccountKey) throws -> MaildropEntry? {
        try connection.first(
            built: MaildropEntry.select + " WHERE account = ?1 AND uid = ?2",
            [account, uid]
        ) { try MaildropEntry($0) }
    }

    /// Entries in the order in which they were made, those behind `after`, at most `limit`.
    package func list(of account: AccountKey, after: MaildropKey?, limit: Int) throws -> [MaildropEntry] {
        try connection.all(
            built: MaildropEntry.select + " WHERE account = ?1 AND pk > ?2 ORDER BY pk LIMIT ?3",
            [account, after?.value ?? 0, limit]
        ) { try MaildropEntry($0) }
    }

    /// How much of what the server lists is not here.
    package func backlog(of account: AccountKey) throws -> MaildropBacklog {
        var backlog = MaildropBacklog()
        let found: [(waiting: Int, failing: Int, left: Int)] = try connection.all(
            """
            SELECT coalesce(sum(state = 'waiting'), 0), coalesce(sum(state = 'waiting' AND attempts > 0), 0),
                coalesce(sum(state = 'left'), 0)
            FROM maildrop WHERE account = ?1 AND state IN ('waiting', 'left') AND gone IS NULL
            """,
            account
        ) { ($0.int(0), $0.int(1), $0.int(2)) }
        for counts in found { (backlog.waiting, backlog.failing, backlog.left) = counts }
        let reason: String?? = try connection.first(
            """
            SELECT reason FROM maildrop WHERE account = ?1 AND state IN ('waiting', 'left') AND gone IS NULL
                AND reason IS NOT NULL ORDER BY pk DESC LIMIT 1
            """,
            account
        ) { $0.optionalString(0) }
        backlog.reason = reason ?? nil
        return backlog
    }
}

extension Maildrop where View == Transaction {
    /// Notes messages that the server lists for the first time: they wait to be fetched.
    package func note(_ listed: [(uid: [UInt8], size: Int64)], isOld: Bool, of account: AccountKey) throws {
        for message in listed {
            try connection.run(
                "INSERT OR IGNORE INTO maildrop (account, uid, size, state, is_old) VALUES (?1, ?2, ?3, 'waiting', ?4)",
                account,
                message.uid,
                message.size,
                isOld
            )
        }
    }

    /// Notes which the server lists no more, and which it lists again.
    package func set(gone: [MaildropKey], back: [MaildropKey]) throws {
        for key in gone {
            try connection.run(
                "UPDATE maildrop SET gone = ?2 WHERE pk = ?1 AND gone IS NULL",
                key,
                view.now.milliseconds
            )
        }
        for key in back { try connection.run("UPDATE maildrop SET gone = NULL WHERE pk = ?1", key) }
    }

    /// Stores a message that was fetched; nil where it was not waited for, or is one that is known under another unique-id.
    ///
    /// A server may name all its messages anew: one of these octets that it lists no more is then the same, stays where it is
    /// here, deleted or not, and is not announced.
    @discardableResult
    package func take(
        uid: [UInt8],
        _ new: NewContent,
        internalDate: Timestamp,
        to folder: FolderRow
    ) throws -> MessageRow? {
        let account = folder.account
        guard let entry = try find(uid: uid, of: account), entry.state == .waiting else { return nil }
        if let former = try former(new, of: account) {
            try connection.run("DELETE FROM maildrop WHERE pk = ?1", entry.key)
            try connection.run(
                "UPDATE maildrop SET uid = ?2, size = ?3, gone = NULL WHERE pk = ?1",
                former,
                uid,
                entry.size
            )
            return nil
        }
        let row = try view.messages.append(
            to: folder,
            new,
            internalDate: internalDate,
            arrival: entry.isOld ? nil : .received
        )
        try connection.run(
            """
            UPDATE maildrop SET state = 'here', message = ?2, hash = ?3, fetched = ?4, retry = NULL, reason = NULL
            WHERE pk = ?1
            """,
            entry.key,
            row.key,
            new.hash?.octets,
            view.now.milliseconds
        )
        return row
    }

    private func former(_ new: NewContent, of account: AccountKey) throws -> MaildropKey? {
        try connection.first(
            """
            SELECT pk FROM maildrop WHERE account = ?1 AND hash = ?2 AND state = 'here' AND gone IS NOT NULL
            ORDER BY pk LIMIT 1
            """,
            account,
            new.hash?.octets
        ) { $0.key(0) }
    }

    /// Notes that a message could not be fetched; without `retry` it is left where it is.
    package func failed(uid: [UInt8], of account: AccountKey, reason: String, retry: Timestamp?) throws {
        try connection.run(
            """
            UPDATE maildrop SET state = iif(?4 IS NULL, 'left', 'waiting'), attempts = attempts + 1, reason = ?3, retry = ?4
            WHERE account = ?1 AND uid = ?2 AND state = 'waiting'
            """,
            account,
            uid,
            reason,
            retry?.milliseconds
        )
    }

    /// Has what was left at the server tried once more.
    package func retryLeft(of account: AccountKey) throws {
        try connection.run(
            "UPDATE maildrop SET state = 'waiting', attempts = 0, retry = NULL WHERE account = ?1 AND state = 'left'",
            account
        )
    }

    /// Notes what the server has confirmed to have deleted.
    package func removed(_ keys: [MaildropKey]) throws {
        for key in keys {
            try connection.run("UPDATE maildrop SET state = 'removed' WHERE pk = ?1 AND state = 'here'", key)
        }
    }

    /// Forgets entries altogether.
    package func forget(_ keys: [MaildropKey]) throws {
        for key in keys { try connection.run("DELETE FROM maildrop WHERE pk = ?1", key) }
    }

    /// Forgets those that the server has not listed for so long, at most `limit`; how many.
    @discardableResult
    package func expire(of account: AccountKey, goneMilliseconds: Int64, limit: Int) throws -> Int {
        try connection.run(
            """
            DELETE FROM maildrop WHERE pk IN
                (SELECT pk FROM maildrop WHERE account = ?1 AND gone IS NOT NULL AND gone < ?2 LIMIT ?3)
            """,
            account,
            view.now.milliseconds - goneMilliseconds,
            limit
        )
    }

    /// The account's maildrop is another: unique-ids of the old one mean nothing there, and what is in it is not news.
    ///
    /// What is here is recognised by its octets.
    package func startAnew(_ account: AccountKey) throws {
        try connection.run("DELETE FROM maildrop WHERE account = ?1 AND state <> 'here'", account)
        try connection.run(
            "UPDATE maildrop SET uid = randomblob(24), gone = coalesce(gone, ?2) WHERE account = ?1",
            account,
            view.now.milliseconds
        )
        try view.mirror.startAnew(account)
    }
}
