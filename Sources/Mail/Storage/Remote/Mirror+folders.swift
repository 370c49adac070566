// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

extension Mirror where View == Transaction {
    /// Adds a folder that the server has, and those above it that are missing.
    ///
    /// A folder of that name which stood for nothing at the server becomes the one. A role that another folder has is left out.
    @discardableResult
    package func add(
        _ name: FolderName,
        role: FolderRole?,
        _ remote: RemoteFolder,
        to account: AccountKey
    ) throws -> FolderRow {
        let role = try role.flatMap { try view.folders.find($0, in: account) == nil ? $0 : nil }
        let folder = try view.folders.find(name, in: account) ?? view.folders.create(name, role: role, in: account)
        try set(remote, of: folder)
        return folder
    }

    /// Notes what the folder is at its server.
    package func set(_ remote: RemoteFolder, of folder: FolderRow) throws {
        try connection.run(
            """
            UPDATE folders SET remote_path = ?3, remote_separator = ?4, remote_uid_validity = ?5, remote_uid_next = ?6,
                remote_low = ?7, remote_modseq = ?8, remote_id = ?9, verified = ?10, remote_problem = ?11
            WHERE account = ?1 AND pk = ?2
            """,
            folder.account,
            folder.key,
            remote.path,
            remote.separator.map(Int64.init),
            remote.uidValidity.map(Int64.init),
            remote.uidNext.map(Int64.init),
            remote.low.map(Int64.init),
            remote.modseq.map { Int64(clamping: $0) },
            remote.id,
            remote.verified?.milliseconds,
            remote.problem
        )
    }

    /// Notes the folder's new name at its server.
    package func rename(_ folder: FolderRow, to name: FolderName, _ remote: RemoteFolder) throws {
        if name != folder.name {
            if let other = try view.folders.find(name, in: folder.account), other.key != folder.key {
                throw StoreError.alreadyExists(.folder)
            }
            try view.folders.createParents(of: name, in: folder.account)
            try view.folders.setName(name, of: folder)
        }
        try set(remote, of: folder)
    }

    /// Notes a folder's new name at its server, which those below go with, be they there or only names.
    ///
    /// - Parameter path: what a name is at the server.
    package func renameTree(
        _ folder: FolderRow,
        to name: FolderName,
        path: (FolderName) -> [UInt8]?
    ) throws {
        let children = try view.folders.below(folder)
        guard var remote = try remote(folder) else { throw StoreError.notFound(.folder) }
        remote.path = path(name) ?? remote.path
        try rename(folder, to: name, remote)
        for child in children {
            let rest = child.name.text.utf8.dropFirst(folder.name.text.utf8.count)
            let moved = FolderName(stored: name.text + String(decoding: Array(rest), as: UTF8.self))
            try view.folders.setName(moved, of: child)
            guard var below = try self.remote(child), let path = path(moved) else { continue }
            below.path = path
            try set(below, of: child)
        }
    }

    /// Forgets what the folders' UIDs mean: the account's server is another.
    package func startAnew(_ account: AccountKey) throws {
        for mirrored in try folders(of: account) where mirrored.remote != nil {
            try forgetUIDs(of: mirrored.folder)
            try connection.run(
                """
                UPDATE folders SET remote_uid_validity = NULL, remote_uid_next = NULL, remote_low = NULL,
                    remote_modseq = NULL, remote_id = NULL, verified = NULL, remote_problem = NULL
                WHERE account = ?1 AND pk = ?2
                """,
                account,
                mirrored.folder.key
            )
        }
    }

    /// Removes a folder that the server has no more, with its messages; a folder that others are below stays as a name.
    package func remove(_ folder: FolderRow) throws {
        guard try view.folders.below(folder).isEmpty else {
            let modseq = try view.modseq(of: folder.account)
            try view.messages.expungeAll(of: folder, modseq: modseq)
            try connection.run(
                """
                UPDATE folders SET remote_path = NULL, remote_uid_validity = NULL, remote_uid_next = NULL, remote_low = NULL,
                    remote_modseq = NULL, remote_id = NULL, verified = NULL, remote_problem = NULL, total = 0, unread = 0,
                    highest_modseq = ?3
                WHERE account = ?1 AND pk = ?2
                """,
                folder.account,
                folder.key,
                modseq
            )
            return
        }
        try view.folders.remove(folder)
    }
}

extension Mirror where View == Transaction {
    /// Notes that the folder was seen to be as it is mirrored.
    package func verify(_ folder: FolderKey, of account: AccountKey) throws {
        try connection.run(
            "UPDATE folders SET verified = ?3 WHERE account = ?1 AND pk = ?2 AND remote_low = 1",
            account,
            folder,
            view.now.milliseconds
        )
    }
}
