// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import Storage
import Wire

// CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE and STATUS, and the quota.
extension IMAPMailbox {
    // MARK: Names

    /// The folder's name that a mailbox's stands for.
    func folderName(_ name: IMAPMailboxName, _ session: IMAPServerSession) throws -> FolderName {
        if !session.isUTF8, ModifiedUTF7.decode(name.octets.span) == nil, name.octets.span.utf8String() == nil {
            throw Refusal(.no, .cannot, "The name is neither modified UTF-7 nor UTF-8")
        }
        return try FolderName(name.text(isUTF8: session.isUTF8))
    }

    /// As ``folderName(_:_:)``, without the separator that may stand at the end of a name that is to have others below it.
    private func newFolderName(_ name: IMAPMailboxName, _ session: IMAPServerSession) throws -> FolderName {
        guard name.octets.last == ASCII.slash else { return try folderName(name, session) }
        return try folderName(IMAPMailboxName(octets: Array(name.octets.dropLast())), session)
    }

    /// The folder of that name.
    func folder(_ name: IMAPMailboxName, _ session: IMAPServerSession) async throws -> FolderRow {
        let key = try account.key
        let name = try folderName(name, session)
        guard let folder = try await store.read({ try $0.folders.find(name, in: key) }) else {
            throw StoreError.notFound(.folder)
        }
        return folder
    }

    /// The folder that messages are to go to; where there is none, the client may make it.
    func target(_ name: IMAPMailboxName, _ session: IMAPServerSession) async throws -> FolderRow {
        do {
            return try await folder(name, session)
        } catch StoreError.notFound(.folder) {
            throw Refusal(.no, .tryCreate, "There is no such mailbox")
        }
    }

    // MARK: Commands

    func create(
        _ name: IMAPMailboxName,
        _ use: IMAPListEntry.Attributes,
        _ session: IMAPServerSession
    ) async throws -> IMAPStatus {
        let key = try account.key
        let name = try newFolderName(name, session)
        var role: FolderRole?
        if !use.isEmpty {
            role = IMAPListEntry.uses.first { $0.attribute == use }?.role
            guard role != nil else { throw Refusal(.no, .useAttribute, "There are no mailboxes of that use") }
        }
        let wanted = role
        let folder = try await store.write { tx in
            if let wanted, try tx.folders.find(wanted, in: key) != nil {
                throw Refusal(.no, .useAttribute, "Another mailbox has that use")
            }
            return try tx.folders.create(name, role: wanted, in: key)
        }
        return IMAPStatus(.ok, .mailboxID(Array("\(folder.id)".utf8)), "Created")
    }

    func delete(_ name: IMAPMailboxName, _ session: IMAPServerSession) async throws -> IMAPStatus {
        let folder = try await folder(name, session)
        try await store.write { try $0.folders.delete(folder, withMessages: true) }
        return .done
    }

    func rename(
        _ name: IMAPMailboxName,
        to new: IMAPMailboxName,
        _ session: IMAPServerSession
    ) async throws -> IMAPStatus {
        let folder = try await folder(name, session)
        let name = try newFolderName(new, session)
        if folder.role == .inbox { return try await emptyInbox(folder, into: name) }
        try await store.write { _ = try $0.folders.rename(folder, to: name) }
        return .done
    }

    /// INBOX stays, and what is in it goes to a new mailbox (RFC 9051 §6.3.6).
    private func emptyInbox(_ inbox: FolderRow, into name: FolderName) async throws -> IMAPStatus {
        let folder = try await store.write { try $0.folders.create(name, in: inbox.account) }
        let uids = try await store.read { try $0.messages.uids(of: inbox) }
        for start in stride(from: 0, to: uids.count, by: Self.batch) {
            let some = uids[start..<min(start + Self.batch, uids.count)]
            try await store.write { tx in
                for uid in some {
                    guard let message = try tx.messages.find(uid: uid, in: inbox) else { continue }
                    try tx.messages.move(message, to: folder)
                }
            }
        }
        return .done
    }

    func subscribe(_ name: IMAPMailboxName, _ session: IMAPServerSession) async throws -> IMAPStatus {
        let key = try account.key
        let name = try newFolderName(name, session)
        try await store.write { tx in
            guard try tx.folders.find(name, in: key) != nil else { throw StoreError.notFound(.folder) }
            try tx.folders.subscribe(name, in: key)
        }
        return .done
    }

    func unsubscribe(_ name: IMAPMailboxName, _ session: IMAPServerSession) async throws -> IMAPStatus {
        let key = try account.key
        let name = try newFolderName(name, session)
        try await store.write { try $0.folders.unsubscribe(name, in: key) }
        return .done
    }

    // MARK: STATUS

    func status(
        _ name: IMAPMailboxName,
        _ items: [IMAPMailboxStatus.Item],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        let key = try account.key
        let folderName = try folderName(name, session)
        let context = context
        let status = try await store.read { snapshot in
            guard let folder = try snapshot.folders.find(folderName, in: key) else {
                throw StoreError.notFound(.folder)
            }
            return try Self.status(name, items, of: folder, context, snapshot)
        }
        responses.write(.mailboxStatus(status))
        return .done
    }

    static func status(
        _ name: IMAPMailboxName,
        _ items: [IMAPMailboxStatus.Item],
        of folder: FolderRow,
        _ context: IMAPServiceContext,
        _ snapshot: Snapshot
    ) throws -> IMAPMailboxStatus {
        var status = IMAPMailboxStatus(mailbox: name)
        let needsTotals = items.contains(.size) || items.contains(.deleted)
        let totals = needsTotals ? try snapshot.messages.totals(of: folder) : nil
        for item in items {
            switch item {
            case .messages: status.messages = UInt32(clamping: folder.total)
            case .recent:
                let first = context.recent.first(in: folder.key)
                status.recent = UInt32(clamping: try snapshot.messages.count(of: folder, from: first))
            case .unseen: status.unseen = UInt32(clamping: folder.unread)
            case .deleted: status.deleted = UInt32(clamping: totals?.deleted ?? 0)
            case .uidNext: status.uidNext = folder.uidNext
            case .uidValidity: status.uidValidity = folder.uidValidity
            case .highestModSeq: status.highestModSeq = folder.highestModseq
            case .size: status.size = UInt64(max(totals?.octets ?? 0, 0))
            case .mailboxID: status.mailboxID = Array("\(folder.id)".utf8)
            case .appendLimit:
                status.appendLimit = UInt64(max(context.store.configuration.maximumMessageOctets, 0))
            }
        }
        return status
    }

    // MARK: Quota

    /// An account has one quota, of the root `""` (RFC 9208).
    func quotaRoot(
        _ name: IMAPMailboxName,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        _ = try await folder(name, session)
        let quota = try await quota()
        responses.write(.quotaRoots(mailbox: name, roots: quota == nil ? [] : [[]]))
        if let quota { responses.write(.quota(quota)) }
        return .done
    }

    func quota(_ root: [UInt8], _ responses: IMAPServerResponses) async throws -> IMAPStatus {
        guard root.isEmpty, let quota = try await quota() else {
            throw Refusal(.no, .nonExistent, "There is no such quota root")
        }
        responses.write(.quota(quota))
        return .done
    }

    /// Nil where the account has none.
    private func quota() async throws -> IMAPQuota? {
        let key = try account.key
        guard let row = try await store.read({ try $0.accounts.get(key) }) else { throw StoreError.notFound(.account) }
        // In units of 1,024 octets.
        return row.quota.map { limit in
            let usage = UInt64(max(row.used, 0)).addingReportingOverflow(1023).partialValue / 1024
            let resource = IMAPQuota.Resource(
                name: Array("STORAGE".utf8),
                usage: usage,
                limit: UInt64(max(limit, 0)) / 1024
            )
            return IMAPQuota(root: [], resources: [resource])
        }
    }
}

extension IMAPListEntry {
    /// The special uses that folders here can have (RFC 6154).
    static let uses: [(attribute: Attributes, role: FolderRole)] = [
        (.sent, .sent), (.drafts, .drafts), (.trash, .trash), (.junk, .junk), (.archive, .archive),
    ]
}
