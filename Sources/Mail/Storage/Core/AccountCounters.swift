// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite

/// What counts up in an account, held while a transaction changes it.
struct AccountCounters {
    let id: AccountID
    /// The highest MODSEQ given to a change.
    var modseq: Int64
    /// The number of the last event.
    var seq: Int64
    /// Octets of all its messages.
    var used: Int64
    let quota: Int64?
    /// Whether the modseq of this transaction was taken already.
    var hasChanges = false
    var folders: Set<FolderKey> = []

    static func read(_ account: AccountKey, _ connection: SQLiteConnection) throws -> Self? {
        try connection.first("SELECT id, modseq, seq, used, quota FROM accounts WHERE pk = ?1", account) { row in
            Self(
                id: try row.id(0),
                modseq: row.int64(1),
                seq: row.int64(2),
                used: row.int64(3),
                quota: row.optionalInt64(4)
            )
        }
    }

    func write(_ account: AccountKey, _ connection: SQLiteConnection) throws {
        try connection.run(
            "UPDATE accounts SET modseq = ?2, seq = ?3, used = ?4 WHERE pk = ?1",
            account,
            modseq,
            seq,
            used
        )
    }

    /// Adds `octets` to what the account holds; refuses what its quota does not allow.
    mutating func use(_ octets: Int64) throws(StoreError) {
        let (sum, overflow) = used.addingReportingOverflow(octets)
        guard !overflow, octets < 0 || sum <= quota ?? .max else { throw .overQuota }
        used = max(sum, 0)
    }
}
