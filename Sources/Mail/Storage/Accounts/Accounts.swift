// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
import Wire

/// The accounts.
///
/// Addresses are unique with A–Z and a–z taken as the same, in the local part too.
package struct Accounts<View: StoreView> {
    let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var accounts: Accounts<Self> { Accounts(view: self) }
}

extension Accounts {
    package func get(_ id: AccountID) throws -> AccountRow? { try first("id = ?1", id) }

    package func get(_ key: AccountKey) throws -> AccountRow? { try first("pk = ?1", key) }

    package func find(address: EmailAddress) throws -> AccountRow? { try first("address_key = ?1", address.accountKey) }

    package func find(alias: String) throws -> AccountRow? { try first("alias = ?1", alias) }

    /// The account that a path or command names: by id, alias or address.
    package func find(_ reference: String) throws -> AccountRow? {
        if let id = AccountID(reference), let account = try get(id) { return account }
        if let address = EmailAddress(reference) { return try find(address: address) }
        return try find(alias: reference)
    }

    /// As ``find(_:)``, and nothing of it but what tells it from others.
    package func identify(_ reference: String) throws -> (key: AccountKey, id: AccountID)? {
        if let id = AccountID(reference) {
            let sql: StaticString = "SELECT pk, id FROM accounts WHERE deleted IS NULL AND id = ?1"
            if let found = try connection.first(sql, id, body: Self.identity) { return found }
        }
        if reference.utf8.contains(ASCII.at), let address = EmailAddress(reference) {
            let sql: StaticString = "SELECT pk, id FROM accounts WHERE deleted IS NULL AND address_key = ?1"
            return try connection.first(sql, address.accountKey, body: Self.identity)
        }
        let sql: StaticString = "SELECT pk, id FROM accounts WHERE deleted IS NULL AND alias = ?1"
        return try connection.first(sql, reference, body: Self.identity)
    }

    private static func identity(_ row: consuming SQLiteRow) throws -> (key: AccountKey, id: AccountID) {
        (row.key(0), try row.id(1))
    }

    /// Accounts in the order in which they were made, those behind `after`.
    package func list(after: AccountKey? = nil, limit: Int) throws -> [AccountRow] {
        try connection.all(
            built: AccountRow.select + " WHERE pk > ?1 AND deleted IS NULL ORDER BY pk LIMIT ?2",
            [after?.value ?? 0, limit]
        ) { try AccountRow($0) }
    }

    private func first(_ condition: String, _ value: any SQLiteBindable) throws -> AccountRow? {
        try connection.first(built: AccountRow.select + " WHERE deleted IS NULL AND " + condition, [value]) {
            try AccountRow($0)
        }
    }
}

extension Accounts where View == Transaction {
    /// Makes an account, with the usual folders unless a server has its own.
    @discardableResult
    package func create(_ new: NewAccount) throws -> AccountRow {
        try checkFree(address: new.address, alias: new.alias, but: nil)
        let id = new.id
        let now = view.now.milliseconds
        try connection.run(
            """
            INSERT INTO accounts (id, kind, address, address_key, alias, display_name, verifier, is_suspended, quota,
                created, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?9)
            """,
            id,
            new.kind.rawValue,
            new.address.description,
            new.address.accountKey,
            new.alias,
            new.displayName,
            new.verifier,
            new.quota,
            now
        )
        let key = AccountKey(connection.lastInsertRowID)
        let account = try current(key)
        try view.events.append(.accountCreated, to: key) { $0.account(account) }
        // Those of an IMAP account are its server's.
        if new.kind != .imap {
            for (role, name) in FolderName.usual {
                try view.folders.insert(FolderName(verbatim: name), role: role, account: key)
            }
        }
        return try current(key)
    }

    /// Changes an account.
    ///
    /// With `ifVersion` only in that state.
    @discardableResult
    package func update(_ key: AccountKey, _ change: AccountChange, ifVersion: Int64? = nil) throws -> AccountRow {
        let old = try current(key)
        if let ifVersion, ifVersion != old.version { throw StoreError.preconditionFailed }
        let address = change.address ?? old.address
        let alias = change.alias ?? old.alias
        try checkFree(address: address, alias: alias, but: key)
        try connection.run(
            """
            UPDATE accounts SET address = ?2, address_key = ?3, alias = ?4, display_name = ?5, verifier = ?6, quota = ?7,
                is_suspended = ?8, version = version + 1, updated = ?9 WHERE pk = ?1
            """,
            key,
            address.description,
            address.accountKey,
            alias,
            change.displayName ?? old.displayName,
            change.verifier ?? old.verifier,
            change.quota ?? old.quota,
            change.isSuspended ?? old.isSuspended,
            view.now.milliseconds
        )
        let account = try current(key)
        try view.events.append(.accountUpdated, to: key) { $0.account(account) }
        return try current(key)
    }

    /// Makes the account invisible at once and for good: its address and alias are free again, its secrets gone.
    ///
    /// What it
    /// holds is removed in pieces by ``Store/sweep()``.
    package func delete(_ key: AccountKey) throws {
        let old = try current(key)
        try view.events.append(.accountDeleted, to: old.key) { _ in }
        try connection.run(
            """
            UPDATE accounts SET deleted = ?2, address_key = NULL, alias = NULL, display_name = NULL, verifier = NULL
            WHERE pk = ?1
            """,
            key,
            view.now.milliseconds
        )
        for service in RemoteService.allCases { try view.remoteServers.remove(service, of: key) }
        try view.oauthGrants.remove(key)
    }

    private func current(_ key: AccountKey) throws -> AccountRow {
        try view.flushCounters(of: key)
        guard let account = try get(key) else { throw StoreError.notFound(.account) }
        return account
    }

    private func checkFree(address: EmailAddress, alias: String?, but own: AccountKey?) throws {
        if let other = try find(address: address), other.key != own { throw StoreError.alreadyExists(.address) }
        guard let alias else { return }
        let isAlias =
            !alias.isEmpty && alias.utf8.count <= 64
            && alias.utf8.allSatisfy { ASCII.isLower($0) || ASCII.isDigit($0) || $0 == ASCII.hyphen }
        guard isAlias else { throw StoreError.invalidName("an alias is made of a-z, 0-9 and -") }
        if let other = try find(alias: alias), other.key != own { throw StoreError.alreadyExists(.alias) }
    }
}

extension EmailAddress {
    /// What an account's address is compared by.
    var accountKey: String { String(decoding: folded, as: UTF8.self) }
}

extension EventData {
    /// The account as everybody who may read its events may know it.
    fileprivate mutating func account(_ account: AccountRow) {
        text("kind", account.kind.rawValue)
        text("address", account.address.description)
        text("alias", account.alias)
        text("displayName", account.displayName)
    }
}
