// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

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
    /// It mirrors a folder of a server.
    package let isMirror: Bool
    /// When a mirror was last seen to be what the server has.
    package let verified: Timestamp?
    /// Why it cannot be mirrored.
    package let problem: String?

    static let select = """
        SELECT pk, id, account, name, role, uid_validity, uid_next, highest_modseq, total, unread,
            remote_path IS NOT NULL, verified, remote_problem FROM folders
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
        isMirror = row.bool(10)
        verified = row.optionalInt64(11).map(Timestamp.init(milliseconds:))
        problem = row.optionalString(12)
    }
}
