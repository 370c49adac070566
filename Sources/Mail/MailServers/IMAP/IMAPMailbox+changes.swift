// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import Storage
import Wire

// STORE, COPY, MOVE and EXPUNGE (RFC 9051 §6.4.3 and §6.4.6 to 6.4.8, RFC 7162 §3.1.3).
extension IMAPMailbox {
    // MARK: Which messages

    /// The UIDs of the messages told that a command names, ascending.
    func uids(of messages: IMAPMessages) throws -> [UInt32] {
        guard let mailbox = selected else { return [] }
        switch messages {
        case .saved: return saved
        case .uids(let set): return (mailbox.places(of: set, isUID: true) ?? []).flatMap { mailbox.uids[$0] }
        case .sequence(let set):
            guard let places = mailbox.places(of: set, isUID: false) else {
                throw Refusal(.bad, nil, "There is no message of such a number")
            }
            return places.flatMap { mailbox.uids[$0] }
        }
    }

    /// The folder that is selected, unless it was opened to be read only.
    private func writable() throws -> FolderRow {
        guard let mailbox = selected, !mailbox.isDeleted else { throw StoreError.notFound(.folder) }
        guard !mailbox.isReadOnly else { throw Refusal(.no, .cannot, "The mailbox was opened to be read only") }
        return mailbox.folder
    }

    // MARK: STORE

    /// What came of a STORE on some messages.
    private struct Stored: Sendable {
        var rows: [MailboxRow] = []
        /// The MODSEQs that they had before.
        var before: [UInt32: UInt64] = [:]
        /// Changed since the client knew them, and left alone.
        var modified: [UInt32] = []
        var missing = 0
    }

    func store(
        _ request: IMAPStoreRequest,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        let folder = try writable()
        let uids = try uids(of: request.messages)
        guard request.flags.others.isEmpty else { throw Refusal(.no, .cannot, "Such a flag cannot be kept") }
        let change: FlagChange =
            switch request.operation {
            case .replace: .set(request.flags.flags)
            case .add: .change(add: request.flags.flags, remove: MessageFlags())
            case .remove: .change(add: MessageFlags(), remove: request.flags.flags)
            }
        var modified: [UInt32] = []
        var missing = 0
        for start in stride(from: 0, to: uids.count, by: Self.batch) {
            let some = Array(uids[start..<min(start + Self.batch, uids.count)])
            let unchangedSince = request.unchangedSince
            let stored = try await store.write { tx in
                try Self.change(some, of: folder, change, unchangedSince: unchangedSince, tx)
            }
            modified += stored.modified
            missing += stored.missing
            try await tell(stored, request, session, responses)
        }
        try await tellNewsBehindChange(session, responses, expunged: request.messages.isUID)
        if !modified.isEmpty {
            let numbers = request.messages.isUID ? modified : modified.compactMap(number)
            return IMAPStatus(.ok, .modified(IMAPNumberSet(numbers)), "Some were changed meanwhile")
        }
        if missing > 0, !request.messages.isUID { return IMAPStatus(.ok, .expungeIssued, "Some are gone") }
        return .done
    }

    private func number(of uid: UInt32) -> UInt32? { selected?.place(of: uid).map { UInt32($0) + 1 } }

    private static func change(
        _ uids: [UInt32],
        of folder: FolderRow,
        _ change: FlagChange,
        unchangedSince: UInt64?,
        _ tx: Transaction
    ) throws -> Stored {
        var stored = Stored()
        for uid in uids {
            guard let message = try tx.messages.find(uid: uid, in: folder) else {
                stored.missing += 1
                continue
            }
            if let unchangedSince, message.modseq > unchangedSince {
                stored.modified.append(uid)
                continue
            }
            stored.before[uid] = message.modseq
            _ = try tx.messages.setFlags(of: message, change)
            stored.rows += try tx.messages.mailboxRows(of: folder, uids: uid...uid)
        }
        return stored
    }

    private func tell(
        _ stored: Stored,
        _ request: IMAPStoreRequest,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws {
        let rows = stored.rows
        var hasNewKeywords = false
        for row in rows {
            // Without an answer the client learns of what others did meanwhile only as news.
            if !request.isSilent || selected?.isNews(row.uid, modSeq: stored.before[row.uid] ?? 0) == false {
                selected?.noteOwn(row.uid, modSeq: row.modseq)
            }
            if selected?.learn(row.flags) == true { hasNewKeywords = true }
        }
        if hasNewKeywords { tellFlags(responses) }
        for row in rows where !request.isSilent || session.usesModSeq {
            let isUID = request.messages.isUID || session.usesQResync
            tellFlags(of: row, isUID: isUID, withFlags: !request.isSilent, session, responses)
            try await responses.relieve()
        }
    }

    // MARK: COPY and MOVE

    /// Pairs of UIDs: what was copied or moved, and what it is there.
    private struct Copied: Sendable {
        var source: [UInt32] = []
        var destination: [UInt32] = []

        func code(_ folder: FolderRow) -> IMAPResponseCode? {
            IMAPCopiedUIDs(
                validity: folder.uidValidity,
                source: Self.runs(source),
                destination: Self.runs(destination)
            ).map { .copyUID($0) }
        }

        /// In their order, which pairs them.
        private static func runs(_ numbers: [UInt32]) -> IMAPNumberSet {
            var ranges: [ClosedRange<UInt32>] = []
            for number in numbers {
                if let last = ranges.last, last.upperBound < .max, last.upperBound + 1 == number {
                    ranges[ranges.count - 1] = last.lowerBound...number
                } else {
                    ranges.append(number...number)
                }
            }
            return IMAPNumberSet(ranges: ranges)
        }
    }

    /// All messages or none: in one transaction.
    func copy(
        _ messages: IMAPMessages,
        to name: IMAPMailboxName,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        guard let folder = selected?.folder else { return .done }
        let target = try await target(name, session)
        let uids = try uids(of: messages)
        let copied = try await store.write { tx in
            var copied = Copied()
            for uid in uids {
                guard let message = try tx.messages.find(uid: uid, in: folder) else { continue }
                copied.source.append(uid)
                copied.destination.append(try tx.messages.copy(message, to: target).uid)
            }
            return copied
        }
        try await tellNewsBehindChange(session, responses)
        return end(copied, uids, target)
    }

    private func end(_ copied: Copied, _ uids: [UInt32], _ target: FolderRow) -> IMAPStatus {
        if copied.source.isEmpty {
            return uids.isEmpty ? .done : IMAPStatus(.no, .expungeIssued, "The messages are gone")
        }
        return IMAPStatus(.ok, copied.code(target), "Done")
    }

    /// A message is here or there; each batch is one transaction (RFC 6851 §3.3).
    func move(
        _ messages: IMAPMessages,
        to name: IMAPMailboxName,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        let folder = try writable()
        let target = try await target(name, session)
        guard target.key != folder.key else { throw Refusal(.no, .cannot, "They are in that mailbox already") }
        let uids = try uids(of: messages)
        var moved = Copied()
        for start in stride(from: 0, to: uids.count, by: Self.batch) {
            let some = Array(uids[start..<min(start + Self.batch, uids.count)])
            let part = try await store.write { tx in
                var part = Copied()
                for uid in some {
                    guard let message = try tx.messages.find(uid: uid, in: folder) else { continue }
                    part.source.append(uid)
                    part.destination.append(try tx.messages.move(message, to: target).uid)
                }
                return part
            }
            moved.source += part.source
            moved.destination += part.destination
        }
        if !moved.source.isEmpty {
            // Before the EXPUNGEs, so that they are understood (RFC 6851 §4.3).
            responses.write(.status(IMAPStatus(.ok, moved.code(target), "Moved")))
        }
        try await tellNewsBehindChange(session, responses)
        if moved.source.isEmpty, !uids.isEmpty { return IMAPStatus(.no, .expungeIssued, "The messages are gone") }
        return .done
    }

    // MARK: EXPUNGE

    func expunge(
        _ uids: IMAPNumberSet?,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        let folder = try writable()
        let among = try uids.map { try self.uids(of: .uids($0)) }
        let highest = try await remove(among, from: folder)
        try await tellNewsBehindChange(session, responses)
        guard session.usesModSeq, let highest else { return .done }
        return IMAPStatus(.ok, .highestModSeq(highest), "Done")
    }

    /// Removes what is flagged `\Deleted`, of these UIDs if any are given; the folder's highest MODSEQ then.
    func remove(_ among: [UInt32]?, from folder: FolderRow) async throws -> UInt64? {
        let wanted = among.map { Set($0) }
        let doomed = try await store.read { try $0.messages.deletedUIDs(of: folder) }.filter {
            wanted?.contains($0) ?? true
        }
        var highest: UInt64?
        for start in stride(from: 0, to: doomed.count, by: Self.batch) {
            let some = Array(doomed[start..<min(start + Self.batch, doomed.count)])
            let (count, modSeq) = try await store.write { tx in
                var count = 0
                for uid in some {
                    guard let message = try tx.messages.find(uid: uid, in: folder),
                        message.flags.system.contains(.deleted)
                    else { continue }
                    try tx.messages.expunge(message)
                    count += 1
                }
                return (count, try tx.folders.get(folder.key, in: folder.account)?.highestModseq)
            }
            highest = modSeq
            context.observer?.messagesExpunged(count)
        }
        return highest
    }
}
