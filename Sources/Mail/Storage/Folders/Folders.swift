// SPDX-License-Identifier: Apache-2.0

import Wire
package import MailTypes
import SQLite

/// The folders of accounts.
package struct Folders<View: StoreView> {
    let view: View
    var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var folders: Folders<Self> { Folders(view: self) }
}

extension Folders {
    package func get(_ id: FolderID, in account: AccountKey) throws -> FolderRow? {
        try first("id = ?2", id, in: account)
    }

    package func get(_ key: FolderKey, in account: AccountKey) throws -> FolderRow? {
        try first("pk = ?2", key, in: account)
    }

    package func find(_ role: FolderRole, in account: AccountKey) throws -> FolderRow? {
        try first("role = ?2", role.rawValue, in: account)
    }

    package func find(_ name: FolderName, in account: AccountKey) throws -> FolderRow? {
        try first("name = ?2", name.text, in: account)
    }

    /// The folder a path names: by id or role.
    package func find(_ reference: String, in account: AccountKey) throws -> FolderRow? {
        if let id = FolderID(reference) { return try get(id, in: account) }
        guard let role = FolderRole(rawValue: reference) else { return nil }
        return try find(role, in: account)
    }

    /// As ``find(_:in:)``, and nothing of it but its key.
    package func identify(_ reference: String, in account: AccountKey) throws -> FolderKey? {
        if let id = FolderID(reference) {
            return try connection.first("SELECT pk FROM folders WHERE account = ?1 AND id = ?2", account, id) {
                $0.key(0)
            }
        }
        guard let role = FolderRole(rawValue: reference) else { return nil }
        return try connection.first(
            "SELECT pk FROM folders WHERE account = ?1 AND role = ?2",
            account,
            role.rawValue
        ) { $0.key(0) }
    }

    /// All folders of the account, by name.
    package func list(of account: AccountKey) throws -> [FolderRow] {
        try connection.all(built: FolderRow.select + " WHERE account = ?1 ORDER BY name", [account]) {
            try FolderRow($0)
        }
    }

    /// The folders below this one, at every depth, by name.
    package func below(_ folder: FolderRow) throws -> [FolderRow] {
        try connection.all(
            built: FolderRow.select + " WHERE account = ?1 AND name > ?2 AND name < ?3 ORDER BY name",
            [folder.account, folder.name.prefixOfChildren, folder.name.endOfChildren]
        ) { try FolderRow($0) }
    }

    private func first(
        _ condition: String,
        _ value: any SQLiteBindable,
        in account: AccountKey
    ) throws -> FolderRow? {
        try connection.first(built: FolderRow.select + " WHERE account = ?1 AND " + condition, [account, value]) {
            try FolderRow($0)
        }
    }
}

extension Folders {
    /// Throws where a folder cannot have another name: with a role, or one below it with a role; or not that one.
    package func checkRename(_ folder: FolderRow, to name: FolderName) throws {
        guard folder.role == nil else { throw StoreError.protected }
        if let other = try find(name, in: folder.account), other.key != folder.key {
            throw StoreError.alreadyExists(.folder)
        }
        guard !name.text.utf8.starts(with: folder.name.prefixOfChildren.utf8) else {
            throw StoreError.invalidName("a folder cannot be moved into itself")
        }
        guard try !below(folder).contains(where: { $0.role != nil }) else { throw StoreError.protected }
    }
}

extension Folders where View == Transaction {
    /// Makes a folder, and those above it that are missing.
    @discardableResult
    package func create(_ name: FolderName, role: FolderRole? = nil, in account: AccountKey) throws -> FolderRow {
        if try find(name, in: account) != nil { throw StoreError.alreadyExists(.folder) }
        if let role, try find(role, in: account) != nil { throw StoreError.alreadyExists(.folder) }
        try createParents(of: name, in: account)
        return try insert(name, role: role, account: account)
    }

    /// Gives a folder another name; those below it go with it.
    ///
    /// Folders with a role keep their name.
    @discardableResult
    package func rename(_ folder: FolderRow, to name: FolderName) throws -> FolderRow {
        let current = try existing(folder)
        if name == current.name { return current }
        try checkRename(current, to: name)
        let children = try below(current)
        try createParents(of: name, in: current.account)
        try setName(name, of: current)
        for child in children {
            let rest = child.name.text.utf8.dropFirst(current.name.text.utf8.count)
            try setName(FolderName(name.text + (String(rest) ?? "")), of: child)
        }
        return try existing(current)
    }

    /// Deletes a folder.
    ///
    /// One that holds messages only with `withMessages`, which deletes them; one that has folders below
    /// it, or a role, never.
    package func delete(_ folder: FolderRow, withMessages: Bool = false) throws {
        let current = try existing(folder)
        guard current.role == nil else { throw StoreError.protected }
        guard try below(current).isEmpty, withMessages || current.total == 0 else { throw StoreError.notEmpty }
        try remove(current)
    }

    /// Deletes a folder with its messages, whatever it is.
    func remove(_ current: FolderRow) throws {
        let modseq = try view.modseq(of: current.account)
        try view.messages.expungeAll(of: current, modseq: modseq)
        try connection.run("DELETE FROM folders WHERE account = ?1 AND pk = ?2", current.account, current.key)
        try view.touch(current.key, of: current.account)
        try view.events.append(.folderDeleted, to: current.account) {
            $0.id("folderId", current.id)
            $0.text("path", current.name.text)
            $0.number("messages", Int64(current.total))
            $0.number("modseq", modseq)
        }
    }

    private func existing(_ folder: FolderRow) throws -> FolderRow {
        guard let current = try get(folder.key, in: folder.account) else { throw StoreError.notFound(.folder) }
        return current
    }

    func createParents(of name: FolderName, in account: AccountKey) throws {
        var missing: [FolderName] = []
        var level = name.parent
        while let parent = level, try find(parent, in: account) == nil {
            missing.append(parent)
            level = parent.parent
        }
        for parent in missing.reversed() { try insert(parent, role: nil, account: account) }
    }

    func setName(_ name: FolderName, of folder: FolderRow) throws {
        let modseq = try view.modseq(of: folder.account)
        try connection.run(
            "UPDATE folders SET name = ?3, highest_modseq = ?4 WHERE account = ?1 AND pk = ?2",
            folder.account,
            folder.key,
            name.text,
            modseq
        )
        try renameSubscription(folder.name, to: name, in: folder.account)
        try view.touch(folder.key, of: folder.account)
        try view.events.append(.folderRenamed, to: folder.account) {
            $0.id("folderId", folder.id)
            $0.text("path", name.text)
            $0.text("oldPath", folder.name.text)
            $0.number("modseq", modseq)
        }
    }

    @discardableResult
    func insert(_ name: FolderName, role: FolderRole?, account: AccountKey) throws -> FolderRow {
        let id = FolderID.random()
        let (validity, modseq) = (try nextUIDValidity(of: account), try view.modseq(of: account))
        try connection.run(
            """
            INSERT INTO folders (id, account, name, role, uid_validity, highest_modseq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            """,
            id,
            account,
            name.text,
            role?.rawValue,
            validity,
            modseq
        )
        let key = FolderKey(connection.lastInsertRowID)
        if role != nil { try subscribe(name, in: account) }
        try view.touch(key, of: account)
        try view.events.append(.folderCreated, to: account) {
            $0.id("folderId", id)
            $0.text("path", name.text)
            $0.text("role", role?.rawValue)
            $0.number("uidValidity", validity)
            $0.number("modseq", modseq)
        }
        guard let folder = try get(key, in: account) else { throw StoreError.corrupt("a new folder is not there") }
        return folder
    }

    /// Seconds since 1970, or one more than the last one of the account: a name deleted and made again never sees its old
    /// UIDVALIDITY (RFC 9051 §2.3.1.1).
    private func nextUIDValidity(of account: AccountKey) throws -> Int64 {
        let last = try connection.first("SELECT last_uid_validity FROM accounts WHERE pk = ?1", account) { $0.int64(0) }
        let validity = max(view.now.seconds, (last ?? 0) + 1, 1)
        guard validity <= Int64(UInt32.max) else { throw StoreError.exhausted }
        try connection.run("UPDATE accounts SET last_uid_validity = ?2 WHERE pk = ?1", account, validity)
        return validity
    }
}
