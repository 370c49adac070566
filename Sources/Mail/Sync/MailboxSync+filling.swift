// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Storage
import Wire

/// What is older than what a folder's mirror begins with.
extension MailboxSync {
    /// Folders of which something older is not mirrored yet, the inbox first.
    func unfilled() async throws -> [FolderLook] {
        let folders = try await store.read { [account] in try $0.mirror.folders(of: account) }
        let looks = folders.compactMap { folder -> FolderLook? in
            guard let remote = folder.remote, let low = remote.low, low > 1, remote.problem == nil else { return nil }
            return FolderLook(folder: folder.folder, remote: remote, status: nil)
        }
        return Self.inboxFirst(looks)
    }

    /// Mirrors the next older messages of a folder, at most so many; whether there are more.
    func fill(_ look: FolderLook, count: Int) async throws -> Bool {
        do {
            return try await fillNext(look, count: count)
        } catch let error as RemoteError {
            try await note(error, of: look)
            return false
        }
    }

    private func fillNext(_ look: FolderLook, count: Int) async throws -> Bool {
        // It may have been renamed, or be gone, since it was looked up.
        let folder = look.folder
        guard let remote = try await store.read({ try $0.mirror.remote(folder) }), let low = remote.low, low > 1 else {
            return false
        }
        guard try await enter(remote) else { throw RemoteError.renumbered }
        let (uids, hasMore) = try await next(count, below: low)
        if !uids.isEmpty { _ = try await commit(try await fetch(uids), to: look.folder, [], arrival: nil) }
        guard !hasMore else {
            try await note(low: uids.last ?? 1, of: look)
            return true
        }
        // What was there before the UIDs were others, and is not among them, goes with the next round.
        try await note(low: 1, of: look)
        return false
    }

    /// The highest UIDs below one, at most so many, and whether there are more: looked for in steps that grow, so that what
    /// the server tells is of the size of what is wanted, however many messages it has.
    private func next(_ count: Int, below low: UInt32) async throws -> (uids: [UInt32], hasMore: Bool) {
        var width = UInt32(clamping: count) * 4
        while true {
            let first = low > width ? low - width : 1
            let present = try await session.search(first...(low - 1))
            let (uids, hasMore) = UIDComparison.highest(count, of: present.normalized.ranges, below: low)
            if first == 1 { return (uids, hasMore) }
            if uids.count == count { return (uids, true) }
            width = width.multipliedReportingOverflow(by: 8).overflow ? .max : width * 8
        }
    }

    private func note(low: UInt32, of look: FolderLook) async throws {
        try await store.write { [account] tx in
            guard let folder = try tx.folders.get(look.folder.key, in: account),
                var remote = try tx.mirror.remote(folder)
            else { return }
            remote.low = low
            if low == 1 {
                remote.verified = tx.now
                try tx.mirror.announceResync(of: folder)
            }
            try tx.mirror.set(remote, of: folder)
        }
    }
}
