// SPDX-License-Identifier: Apache-2.0

import IMAP
package import Intake
package import MailTypes
import Runtime
package import Storage
package import Wire

/// Changes go to the server first, then into the mirror with their event: where the server says no, nothing is different.
extension RemoteMailbox {
    /// Changes that wait for others to be done.
    private static let mostWaiting = 256

    /// A message, and where it is at the server.
    struct Place: Sendable {
        let message: MessageRow
        let uid: UInt32
    }

    /// Messages of one folder, and what that is at the server.
    struct Group: Sendable {
        let remote: RemoteFolder
        let folder: FolderRow
        let places: [Place]
        var uids: IMAPNumberSet { IMAPNumberSet(places.lazy.map(\.uid)) }

        /// Those that are still where they were when the server was asked: what went elsewhere meanwhile, it did not change.
        func present(in tx: Transaction) throws -> [MessageRow] {
            try places.compactMap { place in
                guard let row = try tx.messages.find(place.message.key, in: place.message.account),
                    row.folder == folder.key, try tx.mirror.remoteUID(of: row) == place.uid
                else { return nil }
                return row
            }
        }
    }

    // MARK: Flags

    /// Changes the flags of messages.
    package func setFlags(of messages: [MessageRow], _ change: FlagChange) async throws {
        for group in try await groups(messages) {
            let told = try await quick.perform(isRepeatable: true) { session in
                try await session.store(group.uids, change, in: group.remote)
            }
            try await parts.store.write { tx in
                for row in try group.present(in: tx) {
                    // What the server keeps of it: it need not know each flag (RFC 9051 §7.1, PERMANENTFLAGS).
                    let kept = try tx.mirror.remoteUID(of: row).flatMap { told[$0] }
                    try tx.messages.setFlags(of: row, kept.map { .set($0) } ?? change)
                }
            }
        }
    }

    // MARK: Moving, copying, deleting

    /// Moves messages into a folder; they keep their ids.
    package func move(_ messages: [MessageRow], to folder: FolderRow) async throws {
        let target = try await remote(folder)
        try await turns.take(behind: Self.mostWaiting) {
            for group in try await groups(messages.filter { $0.folder != folder.key }) {
                let copied = try await quick.perform(isRepeatable: false) { session in
                    try await session.move(group.uids, from: group.remote, to: target)
                }
                try await parts.store.write { tx in
                    for row in try group.present(in: tx) {
                        guard let old = try tx.mirror.remoteUID(of: row) else { continue }
                        let uid = copied.destination(of: old, validity: target.uidValidity)
                        // One that somebody else took away before us is looked for.
                        if uid == nil, copied.isExact { continue }
                        try tx.mirror.move(row, to: folder, remoteUID: uid)
                    }
                }
            }
        }
        wake()
    }

    /// Puts another placement of the message into a folder.
    package func copy(_ message: MessageRow, to folder: FolderRow) async throws -> MessageRow {
        let target = try await remote(folder)
        let row = try await turns.take(behind: Self.mostWaiting) {
            guard let group = try await groups([message]).first, let place = group.places.first else {
                throw RemoteError.gone
            }
            let copied = try await quick.perform(isRepeatable: false) { session in
                try await session.copy(group.uids, from: group.remote, to: target)
            }
            let uid = copied.destination(of: place.uid, validity: target.uidValidity)
            if copied.isExact, !copied.hasCopied(place.uid) { throw RemoteError.gone }
            return try await parts.store.write { tx in
                let copy = try tx.messages.copy(message, to: folder)
                if let uid { try tx.mirror.set(uid, of: copy) }
                return copy
            }
        }
        wake()
        return row
    }

    /// Deletes messages for good.
    package func expunge(_ messages: [MessageRow]) async throws {
        try await turns.take(behind: Self.mostWaiting) {
            for group in try await groups(messages) {
                try await quick.perform(isRepeatable: true) { session in
                    try await session.expunge(group.uids, in: group.remote)
                }
                try await parts.store.write { tx in
                    for row in try group.present(in: tx) { try tx.messages.expunge(row) }
                }
            }
        }
    }

    // MARK: Adding

    /// Puts a message into a folder; `also` is done in the same transaction.
    package func append(
        _ taken: TakenMessage,
        to folder: FolderRow,
        flags: MessageFlags,
        internalDate: Timestamp?,
        also: @escaping @Sendable (Transaction, MessageRow) throws -> Void = { _, _ in }
    ) async throws -> MessageRow {
        let target = try await remote(folder)
        let date = internalDate ?? Timestamp(milliseconds: parts.clock.now())
        let identity = try MirroredReading.identity(of: taken.content, taken.body)
        let blocking = parts.store.blocking
        let row = try await turns.take(behind: Self.mostWaiting) {
            let appended = try await bulk.perform(isRepeatable: false) { session in
                try await session.append(
                    try taken.body.reader(),
                    to: target,
                    flags: flags,
                    internalDate: date,
                    on: blocking
                )
            }
            return try await parts.store.write { tx in
                let uid = appended.flatMap { $0.validity == target.uidValidity ? $0.uid : nil }
                if let uid, let met = try tx.mirror.message(remoteUID: uid, in: folder) {
                    try also(tx, met)
                    return met
                }
                var content = taken.content
                content.identity = identity
                let row = try tx.messages.append(
                    to: folder,
                    content,
                    flags: flags,
                    internalDate: date,
                    arrival: .added
                )
                try tx.mirror.uploaded(row, remoteUID: uid)
                try also(tx, row)
                return row
            }
        }
        wake()
        return row
    }

    /// Puts a message that is here where its folder is at the server.
    func upload(_ message: MessageRow) async throws {
        let found = try await parts.store.read { snapshot -> (folder: FolderRow, body: Int64)? in
            guard let folder = try snapshot.folders.get(message.folder, in: message.account),
                let body = try snapshot.messages.get(message.id, in: message.account, { $0.body }) ?? nil
            else { return nil }
            return (folder, body)
        }
        guard let found else { return }
        let target = try await remote(found.folder)
        let reader = try await parts.store.openBody(found.body)
        let blocking = parts.store.blocking
        try await turns.take(behind: Self.mostWaiting) {
            // The server may have filed one by itself, which was met meanwhile.
            guard try await parts.store.read({ try $0.mirror.isPending(message) }) else { return }
            let appended = try await bulk.perform(isRepeatable: false) { session in
                try await session.append(
                    reader,
                    to: target,
                    flags: message.flags,
                    internalDate: message.internalDate,
                    on: blocking
                )
            }
            try await parts.store.write { tx in
                let uid = appended.flatMap { $0.validity == target.uidValidity ? $0.uid : nil }
                guard let row = try tx.messages.find(message.key, in: message.account) else { return }
                try tx.mirror.uploaded(row, remoteUID: uid)
            }
        }
    }

    // MARK: Folders

    package func createFolder(_ name: FolderName) async throws -> FolderRow {
        try await turns.take(behind: Self.mostWaiting) {
            let added = try await quick.perform(isRepeatable: false) { session in try await session.create(name) }
            return try await parts.store.write { [key] tx in
                guard try tx.folders.find(name, in: key).map({ try tx.mirror.remote($0) == nil }) ?? true else {
                    throw StoreError.alreadyExists(.folder)
                }
                return try tx.mirror.add(name, role: nil, added, to: key)
            }
        }
    }

    package func renameFolder(_ folder: FolderRow, to name: FolderName) async throws -> FolderRow {
        let remote = try await remote(folder)
        return try await turns.take(behind: Self.mostWaiting) {
            let names = try await quick.perform(isRepeatable: false) { session in
                try await session.rename(remote, to: name)
                return session.names
            }
            return try await parts.store.write { tx in
                try tx.mirror.renameTree(folder, to: name) { names.mailbox($0)?.octets }
                guard let renamed = try tx.folders.get(folder.key, in: folder.account) else { throw RemoteError.gone }
                return renamed
            }
        }
    }

    /// Without `withMessages` only where there are none at the server, whatever is mirrored.
    package func deleteFolder(_ folder: FolderRow, withMessages: Bool) async throws {
        let remote = try await remote(folder)
        try await turns.take(behind: Self.mostWaiting) {
            try await quick.perform(isRepeatable: false) { session in
                if !withMessages, try await session.hasMessages(remote) { throw StoreError.notEmpty }
                try await session.delete(remote)
            }
            try await parts.store.write { tx in
                guard let folder = try tx.folders.get(folder.key, in: folder.account) else { return }
                try tx.mirror.remove(folder)
            }
        }
    }

    // MARK: Steps

    func remote(_ folder: FolderRow) async throws -> RemoteFolder {
        guard let remote = try await parts.store.read({ try $0.mirror.remote(folder) }) else {
            throw RemoteError.unsupported("The server has no such folder, only folders below it.")
        }
        return remote
    }

    /// Where one message is.
    func place(of message: MessageRow) async throws -> (group: Group, uid: UInt32) {
        guard let group = try await groups([message]).first, let place = group.places.first else {
            throw RemoteError.gone
        }
        return (group, place.uid)
    }

    /// The messages by folder; those that are not at the server any more are left out.
    private func groups(_ messages: [MessageRow]) async throws -> [Group] {
        try await parts.store.read { snapshot in
            var groups: [Group] = []
            let current = try messages.compactMap { try snapshot.messages.find($0.key, in: $0.account) }
            for (folder, rows) in Dictionary(grouping: current, by: \.folder) {
                guard let account = rows.first?.account, let row = try snapshot.folders.get(folder, in: account),
                    let remote = try snapshot.mirror.remote(row)
                else { throw RemoteError.gone }
                let places = try rows.map { message in
                    guard let uid = try snapshot.mirror.remoteUID(of: message) else {
                        throw RemoteError.unavailable("Where the message is at the server is not known yet.")
                    }
                    return Place(message: message, uid: uid)
                }
                groups.append(Group(remote: remote, folder: row, places: places))
            }
            return groups
        }
    }
}
