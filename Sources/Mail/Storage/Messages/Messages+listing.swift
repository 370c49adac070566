// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite

/// What POP3 shows of a placement.
package struct ListedMessage: Sendable {
    package let key: MessageKey
    package let id: PlacementID
    package let uid: UInt32
    /// Octets, the trace included.
    package let size: Int64
}

extension Messages {
    /// The `limit` youngest placements of a folder, in the order of their UIDs.
    package func listing(of folder: FolderRow, limit: Int) throws -> [ListedMessage] {
        try connection.all(
            """
            SELECT pk, id, uid, size + length(trace) FROM messages WHERE +account = ?1 AND folder = ?2
            ORDER BY uid DESC LIMIT ?3
            """,
            folder.account,
            folder.key,
            limit
        ) { ListedMessage(key: $0.key(0), id: try $0.id(1), uid: try $0.uid(2), size: $0.int64(3)) }
        .reversed()
    }
}

extension Messages where View == Transaction {
    /// Deletes those of the rows that are in the folder still, under the UIDs that they had.
    ///
    /// How many those were.
    package func expunge(_ rows: [ListedMessage], from folder: FolderRow) throws -> Int {
        var count = 0
        for row in rows {
            guard let message = try find(row.key, in: folder.account), message.folder == folder.key,
                message.uid == row.uid
            else { continue }
            try expunge(message)
            count += 1
        }
        return count
    }
}
