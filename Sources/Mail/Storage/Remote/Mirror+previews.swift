// SPDX-License-Identifier: Apache-2.0

import JSON
package import MailTypes
import SQLite
import Wire

/// A message of the mirror whose first words are not known.
package struct UnpreviewedMessage: Hashable, Sendable {
    package let content: ContentKey
    package let folder: FolderKey
    package let remoteUID: UInt32
    /// The encoded `MIMELayout`.
    package let layout: [UInt8]
}

extension Mirror {
    /// Of the account's newest messages, `among` of them, those whose octets are at the server and whose first words nobody
    /// asked it for yet: the newest first, at most `limit`.
    package func withoutPreview(
        of account: AccountKey,
        among newest: Int,
        limit: Int
    ) throws -> [UnpreviewedMessage] {
        try connection.all(
            """
            SELECT c.pk, m.folder, m.remote_uid, c.layout FROM
                (SELECT content, folder, remote_uid FROM messages WHERE account = ?1 ORDER BY internal_date DESC LIMIT ?2) m
            CROSS JOIN contents c ON c.pk = m.content
            WHERE c.body IS NULL AND c.previewed IS NULL AND m.remote_uid IS NOT NULL LIMIT ?3
            """,
            account,
            newest,
            limit
        ) {
            UnpreviewedMessage(
                content: $0.key(0),
                folder: $0.key(1),
                remoteUID: try $0.uid(2),
                layout: $0.array(3)
            )
        }
    }
}

extension Mirror where View == Transaction {
    /// Notes the first words of a message, which may be none, unless they are known by now.
    package func set(preview: String, of content: ContentKey, in account: AccountKey) throws {
        let summary: [UInt8]? = try connection.first(
            "SELECT summary FROM contents WHERE pk = ?1 AND account = ?2 AND body IS NULL",
            content,
            account
        ) { $0.array(0) }
        guard let summary else { return }
        try connection.run(
            "UPDATE contents SET previewed = ?3, summary = ?4 WHERE pk = ?1 AND account = ?2",
            content,
            account,
            view.now.milliseconds,
            preview.isEmpty ? summary : NewContent.summary(summary, with: preview)
        )
        if !preview.isEmpty { try ShownMembers.renew(allOf: content, connection) }
    }

    /// Notes that the first words of the message were asked for.
    package func notePreview(of message: MessageRow) throws {
        try connection.run(
            "UPDATE contents SET previewed = ?3 WHERE pk = ?1 AND account = ?2",
            message.content,
            message.account,
            view.now.milliseconds
        )
    }
}

extension NewContent {
    /// The members of a summary with these first words in it.
    package static func summary(_ summary: [UInt8], with preview: String) -> [UInt8] {
        var writer = JSONWriter(capacity: summary.count + preview.utf8.count + 16)
        var members = JSONMembers()
        let text = summary.span
        while let member = members.next(of: text) {
            guard text.extracting(member.name).equals("preview") else {
                writer.raw(members: text.extracting(member.whole))
                continue
            }
            writer.key("preview")
            writer.string(preview)
        }
        return writer.finish().array()
    }
}
