// SPDX-License-Identifier: Apache-2.0

import SQLite

/// Something in the store that is not as it must be.
package struct StoreFinding: Hashable, Sendable, CustomStringConvertible {
    /// Which rule, in a word or two.
    package let rule: String
    /// What breaks it.
    package let detail: String

    package var description: String { "\(rule): \(detail)" }
}

extension Store {
    /// Checks one state of the store against every rule it keeps, reading all of it; what breaks one.
    ///
    /// Takes as long as it
    /// takes, on a thread of its own, while reading and writing go on.
    package func verify() async throws -> [StoreFinding] {
        // What is swept meanwhile belonged to nobody in the state that is looked at, but might look missing.
        try await bodies.keepingAll { [bodies] in
            try await readAtLeisure { snapshot in
                try StoreRules.findings(snapshot.connection)
                    + BodyOctets.findings(snapshot.connection) { bodies.path(of: $0) }
            }
        }
    }
}

/// A query that gives nothing as long as the rule is kept.
private struct StoreRule {
    let name: String
    /// One text column: what breaks the rule.
    let query: String

    func findings(_ connection: SQLiteConnection) throws -> [StoreFinding] {
        try connection.all(built: query, []) { StoreFinding(rule: name, detail: $0.string(0)) }
            .filter { $0.detail != "ok" }
    }
}

enum StoreRules {
    static func findings(_ connection: SQLiteConnection) throws -> [StoreFinding] {
        try all.flatMap { try $0.findings(connection) } + ShownMembers.findings(connection)
    }

    private static let all = [
        StoreRule(name: "file structure", query: "PRAGMA integrity_check(100)"),
        StoreRule(
            name: "references",
            query: "SELECT \"table\" || ' ' || rowid || ' to ' || parent FROM pragma_foreign_key_check"
        ),
        StoreRule(
            name: "folder counts",
            query: """
                SELECT 'folder ' || f.pk FROM folders f JOIN accounts a ON a.pk = f.account AND a.deleted IS NULL
                WHERE f.total <> (SELECT count(*) FROM messages m WHERE m.folder = f.pk)
                OR f.unread <> (SELECT count(*) FROM messages m WHERE m.folder = f.pk AND m.flags & 1 = 0)
                """
        ),
        StoreRule(
            name: "UIDs ascend",
            query: """
                SELECT 'message ' || m.pk FROM messages m JOIN folders f ON f.pk = m.folder
                WHERE m.uid >= f.uid_next OR m.uid < 1
                UNION ALL SELECT 'gone ' || e.folder || '/' || e.uid FROM expunged e JOIN folders f ON f.pk = e.folder
                WHERE e.uid >= f.uid_next
                """
        ),
        StoreRule(
            name: "UIDs are given once",
            query: """
                SELECT 'message ' || m.pk FROM messages m
                JOIN expunged e ON e.account = m.account AND e.folder = m.folder AND e.uid = m.uid
                """
        ),
        StoreRule(
            name: "MODSEQ",
            query: """
                SELECT 'message ' || m.pk FROM messages m JOIN folders f ON f.pk = m.folder WHERE m.modseq > f.highest_modseq
                UNION ALL SELECT 'gone ' || e.folder || '/' || e.uid FROM expunged e JOIN folders f ON f.pk = e.folder
                WHERE e.modseq > f.highest_modseq
                UNION ALL SELECT 'folder ' || f.pk FROM folders f JOIN accounts a ON a.pk = f.account
                WHERE f.highest_modseq > a.modseq
                """
        ),
        StoreRule(
            name: "one account",
            query: """
                SELECT 'message ' || m.pk FROM messages m JOIN folders f ON f.pk = m.folder
                JOIN contents c ON c.pk = m.content JOIN threads t ON t.pk = m.thread
                WHERE f.account <> m.account OR c.account <> m.account OR t.account <> m.account OR c.thread <> m.thread
                OR c.thread_id <> t.id OR c.size <> m.size
                UNION ALL SELECT 'recipient ' || r.pk FROM recipients r JOIN outbox o ON o.pk = r.submission
                WHERE o.account <> r.account
                """
        ),
        StoreRule(
            name: "body users",
            query: """
                SELECT 'body ' || b.pk FROM bodies b
                WHERE b.refs <> (SELECT count(*) FROM contents c WHERE c.body = b.pk)
                    + (SELECT count(*) FROM outbox o WHERE o.body = b.pk)
                OR b.refs < 1 OR b.size <> coalesce(length(b.data), b.size)
                """
        ),
        StoreRule(
            name: "contents without messages",
            query: """
                SELECT 'content ' || c.pk FROM contents c JOIN accounts a ON a.pk = c.account AND a.deleted IS NULL
                WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.content = c.pk)
                AND NOT EXISTS (SELECT 1 FROM released r WHERE r.content = c.pk)
                """
        ),
        StoreRule(
            name: "thread counts",
            query: """
                SELECT 'thread ' || t.pk FROM threads t JOIN accounts a ON a.pk = t.account AND a.deleted IS NULL
                WHERE t.total <> (SELECT count(*) FROM messages m WHERE m.thread = t.pk)
                OR t.unread <> (SELECT count(*) FROM messages m WHERE m.thread = t.pk AND m.flags & 1 = 0)
                OR t.total > 0 AND t.latest <> (SELECT max(internal_date) FROM messages m WHERE m.thread = t.pk)
                """
        ),
        StoreRule(
            name: "maildrop",
            query: """
                SELECT 'entry ' || d.pk FROM maildrop d LEFT JOIN messages m ON m.pk = d.message
                WHERE d.message IS NOT NULL AND (m.account <> d.account OR d.state NOT IN ('here', 'removed'))
                OR d.state NOT IN ('waiting', 'here', 'left', 'removed')
                OR (d.state IN ('here', 'removed')) <> (d.fetched IS NOT NULL) OR (d.hash IS NULL) <> (d.fetched IS NULL)
                """
        ),
        StoreRule(
            name: "octets held",
            query: """
                SELECT 'account ' || a.pk FROM accounts a WHERE a.deleted IS NULL
                AND a.used <> (SELECT coalesce(sum(size), 0) FROM messages m WHERE m.account = a.pk)
                """
        ),
        StoreRule(
            name: "events without gaps",
            query: """
                SELECT 'account ' || a.pk FROM accounts a JOIN
                (SELECT account, min(seq) AS low, max(seq) AS high FROM events GROUP BY account) e
                ON e.account = a.pk WHERE e.high <> a.seq OR e.low < 1
                UNION ALL SELECT 'event ' || e.seq || ' of account ' || e.account FROM events e
                WHERE e.type <> 'account.restored'
                AND NOT EXISTS (SELECT 1 FROM events p WHERE p.account = e.account AND p.seq = e.seq - 1)
                AND EXISTS (SELECT 1 FROM events p WHERE p.account = e.account AND p.seq < e.seq)
                """
        ),
    ]
}
