// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite

/// A folder as it is stored.
package struct FolderRow: Hashable, Sendable {
    package let key: FolderKey
    package let id: FolderID
    package let account: AccountKey
    package let name: FolderName
    package let role: FolderRole?
    /// Another one whenever the UIDs of the folder's name begin anew (RFC 9051 §2.3.1.1).
    ///
    /// Never 0.
    package let uidValidity: UInt32
    /// The UID the next message gets, or a higher one.
    package let uidNext: UInt32
    /// The highest MODSEQ of its messages, those gone included.
    package let highestModseq: UInt64
    package let total: Int
    package let unread: Int

    static let select = """
        SELECT pk, id, account, name, role, uid_validity, uid_next, highest_modseq, total, unread FROM folders
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.key(0)
        id = try row.id(1)
        account = row.key(2)
        name = FolderName(stored: row.string(3))
        role = row.optionalString(4).flatMap(FolderRole.init(rawValue:))
        guard let validity = UInt32(exactly: row.int64(5)), let next = UInt32(exactly: row.int64(6)),
            let modseq = UInt64(exactly: row.int64(7))
        else { throw StoreError.corrupt("a folder's counters are out of range") }
        uidValidity = validity
        uidNext = next
        highestModseq = modseq
        total = row.int(8)
        unread = row.int(9)
    }
}
