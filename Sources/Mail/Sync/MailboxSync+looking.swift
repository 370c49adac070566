// SPDX-License-Identifier: Apache-2.0

import IMAP
import Logging
import MailTypes
import Storage
import Wire

/// What is different in a folder from what is mirrored of it.
extension MailboxSync {
    /// What is different in the folder; nil where it has to be mirrored from the beginning.
    func changes(_ look: FolderLook) async throws -> FolderChanges? {
        var remote = look.remote
        let selected = try await session.select(remote)
        guard let validity = selected.uidValidity ?? look.status?.uidValidity ?? remote.uidValidity else {
            throw RemoteError.unsupported("The server tells no UIDVALIDITY.")
        }
        let next = try await uidNext(selected, remote)
        guard let knownNext = remote.uidNext, let low = remote.low, remote.uidValidity == validity else {
            // A small folder takes part in the round at once: what is in it may have come from another.
            if remote.uidValidity == nil, selected.exists <= limits.chunk {
                return try await first(remote, validity: validity, next: next, selected)
            }
            if remote.uidValidity != nil, remote.uidValidity != validity { try session.noteOtherUIDs(of: remote) }
            try await begin(look, validity: validity, next: next, modseq: selected.highestModSeq)
            return nil
        }
        var changes = FolderChanges(remote: remote)
        // A falling UIDNEXT is a server's mistake, and never undoes what is known (RFC 9051 §2.3.1.1).
        remote.uidNext = max(next, knownNext)
        if next > knownNext { changes.arrived = try await session.search(knownNext...(next - 1)) }
        if low < knownNext { try await compare(look, selected, low...(knownNext - 1), into: &changes) }
        // What we put there ourselves has a UID that was not looked at yet. One from UIDNEXT on the server has not counted yet:
        // whoever answers here may be behind whoever took the message.
        let (folder, arrived) = (look.folder, changes.arrived)
        let end = selected.uidNext == nil ? UInt32.max : max(next, knownNext, 1) - 1
        if knownNext <= end {
            changes.departed += try await store.read { snapshot in
                let ours = try snapshot.mirror.messages(in: folder, uids: knownNext...end)
                return UIDComparison.departed(mirrored: ours.map(\.remoteUID), present: arrived)
            }
        }
        remote.modseq = selected.highestModSeq
        changes.remote = remote
        return changes
    }

    /// All of a folder that was never looked into.
    private func first(
        _ known: RemoteFolder,
        validity: UInt32,
        next: UInt32,
        _ selected: SelectedMailbox
    ) async throws -> FolderChanges {
        var remote = known
        (remote.uidValidity, remote.uidNext, remote.low, remote.modseq) = (validity, next, 1, selected.highestModSeq)
        var changes = FolderChanges(remote: remote)
        changes.isFirst = true
        if next > 1, selected.exists > 0 { changes.arrived = try await session.search(1...(next - 1)) }
        return changes
    }

    private func uidNext(_ selected: SelectedMailbox, _ remote: RemoteFolder) async throws -> UInt32 {
        if let next = selected.uidNext, next > 0 { return next }
        // RFC 3501 lets a server leave it out: the last message tells.
        guard selected.exists > 0 else { return remote.uidNext ?? 1 }
        let last = try await session.lastUID()
        return last == UInt32.max ? last : last + 1
    }

    /// Flags and absences among the UIDs that are mirrored, by the cheapest way that the server has.
    private func compare(
        _ look: FolderLook,
        _ selected: SelectedMailbox,
        _ known: ClosedRange<UInt32>,
        into changes: inout FolderChanges
    ) async throws {
        let folder = look.folder
        let mirrored = try await store.read { try $0.mirror.messages(in: folder, uids: known) }
        let uids = mirrored.map(\.remoteUID)
        if selected.wasResynchronised {
            changes.flags = selected.changed.filter { known.contains($0.key) }
            changes.departed = UIDComparison.departed(among: uids, gone: selected.vanished)
            // Servers have been seen to forget what they expunged: the number of messages tells.
            let isWhole = known.lowerBound == 1
            let expected = uids.count - changes.departed.count + Int(clamping: changes.arrived.count)
            guard isWhole, expected != Int(selected.exists) else { return }
        } else if let modseq = look.remote.modseq, selected.highestModSeq != nil {
            if selected.highestModSeq != modseq {
                changes.flags = try await session.flags(known, of: Set(uids), changedSince: modseq)
            }
            let expected = uids.count + Int(clamping: changes.arrived.count)
            if known.lowerBound == 1, expected == Int(selected.exists) { return }
        } else {
            let all = try await session.flags(known, of: Set(uids), changedSince: nil)
            let before = Dictionary(mirrored.map { ($0.remoteUID, $0.flags) }, uniquingKeysWith: { first, _ in first })
            changes.flags = all.filter { before[$0.key] != $0.value }
            changes.departed = uids.filter { all[$0] == nil }
            // What one command does not tell of, another shall not tell of either.
            let expected = uids.count - changes.departed.count + Int(clamping: changes.arrived.count)
            if known.lowerBound == 1 ? expected == Int(selected.exists) : changes.departed.isEmpty { return }
            let present = try await session.search(known)
            changes.departed = changes.departed.filter { !present.contains($0) }
            return addMissing(from: uids, present, in: look, to: &changes)
        }
        let present = try await session.search(known)
        changes.departed = UIDComparison.departed(mirrored: uids, present: present)
        if isDoubtful(changes, uids, selected, known) {
            let told = try await session.present(among: IMAPNumberSet(changes.departed))
            changes.departed = changes.departed.filter { !told.contains($0) }
        }
        addMissing(from: uids, present, in: look, to: &changes)
    }

    /// What is there and was never told of is mirrored now.
    private func addMissing(
        from uids: [UInt32],
        _ present: IMAPNumberSet,
        in look: FolderLook,
        to changes: inout FolderChanges
    ) {
        let missing = UIDComparison.missing(from: uids, present: present, limit: Self.mostRepaired)
        guard !missing.isEmpty else { return }
        parts.logger.notice(
            "messages that were missed are mirrored now",
            metadata: ["folder": "\(look.folder.id)", "count": "\(missing.count)"]
        )
        changes.arrived = IMAPNumberSet(ranges: changes.arrived.ranges + missing.map { $0...$0 }).normalized
    }

    /// Whether what is said to be gone does not agree with how many messages the folder has.
    private func isDoubtful(
        _ changes: FolderChanges,
        _ uids: [UInt32],
        _ selected: SelectedMailbox,
        _ known: ClosedRange<UInt32>
    ) -> Bool {
        guard !changes.departed.isEmpty else { return false }
        let left = uids.count - changes.departed.count + Int(clamping: changes.arrived.count)
        return known.lowerBound == 1 ? left != Int(selected.exists) : left < Int(selected.exists)
    }

    /// Messages found missing in one round.
    private static let mostRepaired = 10_000

    /// Notes a folder that was never looked into, or whose UIDs mean other messages now.
    private func begin(_ look: FolderLook, validity: UInt32, next: UInt32, modseq: UInt64?) async throws {
        try await store.write { [account] tx in
            guard let folder = try tx.folders.get(look.folder.key, in: account) else { return }
            var remote = look.remote
            if remote.uidValidity != nil { try tx.mirror.forgetUIDs(of: folder) }
            (remote.uidValidity, remote.uidNext, remote.low, remote.modseq) = (validity, next, next, modseq)
            remote.problem = nil
            try tx.mirror.set(remote, of: folder)
        }
    }
}
