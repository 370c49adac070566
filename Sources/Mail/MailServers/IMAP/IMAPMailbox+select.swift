// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import Storage
import Wire

// SELECT, EXAMINE and CLOSE (RFC 9051 §6.3.2 and §6.4.1, RFC 7162 §3.2.5).
extension IMAPMailbox {
    private static let keywordLimit = 256

    /// What is read of a folder when it is selected.
    private struct Opened: Sendable {
        var folder: FolderRow
        var uids: [UInt32]
        var keywords: [String]
        var firstUnseen: UInt32?
        /// For QRESYNC: what changed and what is gone since the client knew.
        var changed: [MailboxRow] = []
        var gone: [UInt32] = []
    }

    func select(
        _ selection: IMAPSelection,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        selected = nil
        saved = []
        let key = try account.key
        let name = try folderName(selection.mailbox, session)
        let known = session.usesQResync ? selection.known : nil
        let opened = try await store.read { snapshot in
            guard let folder = try snapshot.folders.find(name, in: key) else { throw StoreError.notFound(.folder) }
            return try Self.open(folder, known: known, snapshot)
        }
        let mailbox = SelectedMailbox(
            opened.folder,
            isReadOnly: selection.isReadOnly,
            uids: opened.uids,
            keywords: opened.keywords
        )
        selected = mailbox
        tell(opened, session, responses)
        try await tellDifference(opened, known, responses)
        return IMAPStatus(.ok, selection.isReadOnly ? .readOnly : .readWrite, "Selected")
    }

    private static func open(
        _ folder: FolderRow,
        known: IMAPSelection.Known?,
        _ snapshot: Snapshot
    ) throws -> Opened {
        var opened = Opened(
            folder: folder,
            uids: try snapshot.messages.uids(of: folder),
            keywords: try snapshot.messages.keywords(in: folder, limit: keywordLimit),
            firstUnseen: try snapshot.messages.firstUnseen(in: folder)
        )
        if let known, known.uidValidity == folder.uidValidity, known.modSeq < folder.highestModseq {
            opened.changed = try snapshot.messages.mailboxRows(of: folder, changedSince: known.modSeq)
            opened.gone = try snapshot.messages.expunged(from: folder, since: known.modSeq)
        }
        return opened
    }

    private func tell(_ opened: Opened, _ session: IMAPServerSession, _ responses: IMAPServerResponses) {
        guard let mailbox = selected else { return }
        tellFlags(responses)
        responses.write(.exists(mailbox.count))
        claimRecent()
        if !session.isRev2 {
            responses.write(.recent(selected?.recentCount ?? 0))
            if let uid = opened.firstUnseen, let place = mailbox.place(of: uid) {
                responses.write(.status(IMAPStatus(.ok, .unseen(UInt32(place) + 1), "The first not seen")))
            }
        } else {
            let entry = IMAPListEntry(
                IMAPMailboxName(opened.folder.name.text, isUTF8: session.isUTF8),
                attributes: IMAPListEntry.uses.first { $0.role == opened.folder.role }?.attribute ?? [],
                separator: ASCII.slash
            )
            responses.write(.list(entry))
        }
        let codes: [(IMAPResponseCode, String)] = [
            (.uidValidity(opened.folder.uidValidity), "UIDs are valid"),
            (.uidNext(opened.folder.uidNext), "The next UID"),
            (.highestModSeq(opened.folder.highestModseq), "The highest modification sequence"),
            (.mailboxID(Array("\(opened.folder.id)".utf8)), "The mailbox"),
        ]
        for (code, text) in codes { responses.write(.status(IMAPStatus(.ok, code, text))) }
    }

    /// What changed since the client knew the mailbox: exactly that.
    private func tellDifference(
        _ opened: Opened,
        _ known: IMAPSelection.Known?,
        _ responses: IMAPServerResponses
    ) async throws {
        guard let known, let mailbox = selected else { return }
        let wanted = known.uids.map { SortedNumbers($0) }
        let gone = opened.gone.filter { wanted?.contains($0) ?? true }
        if !gone.isEmpty { responses.write(.vanished(IMAPNumberSet(gone), isEarlier: true)) }
        for row in opened.changed where wanted?.contains(row.uid) ?? true {
            guard let place = mailbox.place(of: row.uid) else { continue }
            responses.encoder.beginFetch(UInt32(place) + 1)
            responses.encoder.item(.uid(row.uid))
            responses.encoder.item(.flags(selected?.flags(of: row) ?? IMAPFlags(row.flags)))
            responses.encoder.item(.modSeq(row.modseq))
            responses.encoder.endFetch()
            try await responses.relieve()
        }
    }

    /// What is flagged `\Deleted` goes, and nobody is told of it.
    func close(_ session: IMAPServerSession) async throws -> IMAPStatus {
        guard let mailbox = selected else { return .done }
        if !mailbox.isReadOnly, !mailbox.isDeleted { _ = try await remove(nil, from: mailbox.folder) }
        selected = nil
        return .done
    }
}

/// A set of numbers that is asked often: sorted once.
struct SortedNumbers: Sendable {
    private let ranges: [ClosedRange<UInt32>]

    init(_ set: IMAPNumberSet) { ranges = set.normalized.ranges }

    func contains(_ number: UInt32) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(number)
    }
}
