// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
import Wire

/// What was fetched for somebody of messages whose octets are at their server, and is kept within a bound.
extension Mirror {
    /// The octets of a part, encoded as they are at the server, where they are kept.
    package func part(_ path: String, of content: ContentKey, in account: AccountKey) throws -> [UInt8]? {
        try connection.first(
            "SELECT octets FROM fetched_parts WHERE account = ?1 AND content = ?2 AND part = ?3",
            account,
            content,
            path
        ) { $0.array(0) }
    }
}

extension Mirror where View == Transaction {
    /// Keeps the octets of a part, unless the whole message is here by now, or is gone.
    package func lend(
        part path: String,
        _ octets: [UInt8],
        to content: ContentKey,
        of account: AccountKey
    ) throws {
        try connection.run(
            """
            INSERT OR REPLACE INTO fetched_parts (account, content, part, fetched, size, octets)
            SELECT account, pk, ?3, ?4, ?5, ?6 FROM contents WHERE pk = ?2 AND account = ?1 AND body IS NULL
            """,
            account,
            content,
            path,
            view.now.milliseconds,
            octets.count,
            octets
        )
    }

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
        try connection.run("DELETE FROM fetched_parts WHERE content = ?1", content)
        // Some servers say another size than they send.
        let told = try connection.all("SELECT size FROM messages WHERE content = ?1", content) { $0.int64(0) }
        try connection.run("UPDATE messages SET size = ?2 WHERE content = ?1", content, read.size)
        try view.withCounters(of: account) { counters in
            for size in told { try counters.use(read.size - size) }
        }
        try ShownMembers.renew(allOf: content, connection)
    }

    /// Gives up what was fetched, the first fetched first, at most `limit` messages and parts, until no more than so many
    /// octets are kept.
    ///
    /// Returns how many were given up.
    package func evict(keeping octets: Int64, limit: Int) throws -> Int {
        var excess = try lentOctets() - octets
        guard excess > 0 else { return 0 }
        let oldest: [(content: ContentKey, body: Int64?, part: Int64?, size: Int64)] = try connection.all(
            """
            SELECT c.pk, c.body, NULL, c.size, c.fetched AS since FROM contents c WHERE c.fetched IS NOT NULL AND NOT EXISTS
                (SELECT 1 FROM messages m JOIN pending_uploads p ON p.message = m.pk WHERE m.content = c.pk)
            UNION ALL SELECT content, NULL, pk, size, fetched FROM fetched_parts
            ORDER BY since LIMIT ?1
            """,
            limit
        ) { ($0.key(0), $0.optionalInt64(1), $0.optionalInt64(2), $0.int64(3)) }
        var count = 0
        for lent in oldest where excess > 0 {
            if let part = lent.part {
                try connection.run("DELETE FROM fetched_parts WHERE pk = ?1", part)
            } else {
                try connection.run("UPDATE contents SET body = NULL, fetched = NULL WHERE pk = ?1", lent.content)
                if let body = lent.body { try view.releaseBody(body) }
            }
            excess -= lent.size
            count += 1
        }
        return count
    }

    private func lentOctets() throws -> Int64 {
        try connection.first(
            """
            SELECT coalesce((SELECT sum(size) FROM contents WHERE fetched IS NOT NULL), 0)
                + coalesce((SELECT sum(size) FROM fetched_parts), 0)
            """
        ) { $0.int64(0) } ?? 0
    }
}
