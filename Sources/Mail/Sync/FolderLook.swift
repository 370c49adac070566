// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Storage
import Wire

/// A folder, and what STATUS last said of it.
struct FolderLook: Sendable {
    let folder: FolderRow
    var remote: RemoteFolder
    let status: IMAPMailboxStatus?

    /// Whether STATUS says that something is not as it is mirrored; true where it does not say enough.
    var isDue: Bool {
        guard let status, let next = status.uidNext, let messages = status.messages else { return true }
        guard remote.uidValidity == status.uidValidity, remote.uidNext == next else { return true }
        if remote.low == 1, Int(messages) != folder.total { return true }
        if let modseq = status.highestModSeq, modseq > 0 { return remote.modseq != modseq }
        return status.unseen.map { Int($0) != folder.unread } ?? true
    }

    /// Which folders are to be looked into, and which of the others STATUS proves to be as they are mirrored.
    ///
    /// Where the server counts no changes it proves nothing of flags: such a folder is looked into when that is so long ago, the
    /// one first that waited longest, and of several so many messages at a time.
    static func plan(
        _ looks: [FolderLook],
        at now: Timestamp,
        flagsAfter milliseconds: Int,
        messages limit: Int
    ) -> (due: [FolderLook], proven: [FolderLook]) {
        var due = looks.filter(\.isDue)
        let others = looks.filter { !$0.isDue }
        let uncertain = others.filter { !$0.isProven && $0.isOld(at: now, after: milliseconds) }
        var messages = 0
        for look in uncertain.sorted(by: { $0.verifiedAt < $1.verifiedAt }) {
            guard messages == 0 || messages + look.folder.total <= limit else { break }
            messages += look.folder.total
            due.append(look)
        }
        return (due, others.filter(\.isProven))
    }

    /// Whether STATUS, saying the same as the mirror, says it of flags too.
    private var isProven: Bool { status?.highestModSeq.map { $0 > 0 && $0 == remote.modseq } ?? false }

    private var verifiedAt: Int64 { remote.verified?.milliseconds ?? 0 }

    /// Whether it was last compared so long ago, or longer where there are many messages.
    private func isOld(at now: Timestamp, after milliseconds: Int) -> Bool {
        let pause = Int64(milliseconds) * Int64(1 + folder.total / 10_000)
        return now.milliseconds - verifiedAt >= pause
    }
}
