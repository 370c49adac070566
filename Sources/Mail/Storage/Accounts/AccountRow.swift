// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// Where an account's mail lives.
package enum AccountType: String, CaseIterable, Hashable, Sendable {
    /// Here: the rows are the mailbox.
    case local
    case imap, pop3
}

/// An account as it is stored.
package struct AccountRow: Hashable, Sendable {
    package let key: AccountKey
    package let id: AccountID
    package let kind: AccountType
    package let address: EmailAddress
    package let alias: String?
    package let displayName: String?
    /// What a password is checked against, in the form its owner made; nil when nobody can log in.
    package let verifier: [UInt8]?
    package let isSuspended: Bool
    /// Octets its messages may have in all; nil for no bound.
    package let quota: Int64?
    /// Octets its messages have.
    package let used: Int64
    /// Counts changes of this row, for conditional updates.
    package let version: Int64
    package let modseq: UInt64
    /// The number of its last event; 0 before the first.
    package let seq: Int64
    package let created: Timestamp
    package let updated: Timestamp

    static let select = """
        SELECT pk, id, kind, address, alias, display_name, verifier, is_suspended, quota, used, version, modseq, seq,
            created, updated FROM accounts
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.key(0)
        id = try row.id(1)
        guard let kind = AccountType(rawValue: row.string(2)), let address = EmailAddress(row.string(3)) else {
            throw StoreError.corrupt("an account's kind or address is malformed")
        }
        self.kind = kind
        self.address = address
        alias = row.optionalString(4)
        displayName = row.optionalString(5)
        verifier = row.optionalArray(6)
        isSuspended = row.bool(7)
        quota = row.optionalInt64(8)
        used = row.int64(9)
        version = row.int64(10)
        modseq = UInt64(row.int64(11))
        seq = row.int64(12)
        created = Timestamp(milliseconds: row.int64(13))
        updated = Timestamp(milliseconds: row.int64(14))
    }
}

/// What a new account is to be.
package struct NewAccount: Sendable {
    package var id = AccountID.random()
    package var kind: AccountType
    package var address: EmailAddress
    /// `[a-z0-9-]`, at most 64, or nil.
    package var alias: String?
    package var displayName: String?
    package var verifier: [UInt8]?
    package var quota: Int64?

    package init(
        kind: AccountType = .local,
        address: EmailAddress,
        alias: String? = nil,
        displayName: String? = nil,
        verifier: [UInt8]? = nil,
        quota: Int64? = nil
    ) {
        self.kind = kind
        self.address = address
        self.alias = alias
        self.displayName = displayName
        self.verifier = verifier
        self.quota = quota
    }
}

/// What shall be different in an account; what is nil stays.
package struct AccountChange: Sendable {
    package var address: EmailAddress?
    /// The inner nil takes the alias away.
    package var alias: String??
    package var displayName: String??
    package var verifier: [UInt8]??
    package var quota: Int64??
    package var isSuspended: Bool?

    package init() {}
}
