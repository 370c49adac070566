// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import Logging
import MailTypes
import Storage
import Wire

/// Brings the mirror of one mailbox up to what its server has, on a session of its own.
///
/// A round looks at folders first (what came, what went, which flags are others), then mirrors what came, and only then takes
/// away what went: so that a message that left one folder and is met in another is moved, and keeps its id. What is noted of
/// a folder never runs ahead of what is stored.
struct MailboxSync {
    let account: AccountKey
    let parts: RemoteParts
    let session: MailboxSession
    var limits: RemoteLimits { parts.limits }
    var store: Store { parts.store }

    // MARK: Folders

    /// What is to be looked at, and the folders that are gone.
    struct Folders: Sendable {
        let looks: [FolderLook]
        let leaving: [FolderRow]
    }

    /// The folders as the server lists them, with their STATUS where it was told; the mirror then has the same, but for the
    /// folders that are gone: their messages may be in others now, so that ``round(_:leaving:expunges:)`` removes them.
    func syncFolders() async throws -> Folders {
        let listed = try await session.listFolders(limit: limits.folders)
        // There is always an INBOX (RFC 9051 §5.1): a list without it says nothing of what is not on it.
        guard listed.contains(where: \.entry.mailbox.isInbox) else {
            throw RemoteError.unavailable("The server lists no INBOX.")
        }
        let mirrored = try await store.read { [account] in try $0.mirror.folders(of: account) }
        var plan = FolderPlan(listed: listed, mirrored: mirrored, names: session.names)
        let missing = Set(plan.removed.map(\.key))
        let paths = mirrored.filter { missing.contains($0.folder.key) }.compactMap(\.remote)
        let leaving = plan.keep(try await session.stillThere(paths), mirrored)
        try await remove(plan.removed)
        if !plan.isEmpty { try await apply(plan) }
        for mailbox in plan.unnamed {
            parts.logger.debug(
                "a folder has a name that none here can stand for",
                metadata: ["name": "\(mailbox.text(isUTF8: session.names.isUTF8))"]
            )
        }
        let gone = Set(leaving.map(\.key))
        let now = try await store.read { [account] in
            try $0.mirror.folders(of: account).filter { !gone.contains($0.folder.key) }
        }
        let statuses = Dictionary(
            listed.map { ($0.entry.mailbox.octets, $0.status) },
            uniquingKeysWith: { first, _ in first }
        )
        let looks = now.compactMap { folder -> FolderLook? in
            guard let remote = folder.remote, let status = statuses[remote.path] else { return nil }
            return FolderLook(folder: folder.folder, remote: remote, status: status)
        }
        return Folders(looks: Self.inboxFirst(looks), leaving: leaving)
    }

    private func apply(_ plan: FolderPlan) async throws {
        try await store.write { [account] tx in
            for rename in plan.renamed {
                guard let folder = try tx.folders.get(rename.folder.key, in: account) else { continue }
                try tx.mirror.rename(folder, to: rename.name, rename.remote)
            }
            for added in plan.added { try tx.mirror.add(added.name, role: added.role, added.remote, to: account) }
        }
    }

    // MARK: A round

    /// Mirrors what is new, changed or gone in these folders; whether something left one and was met in none.
    ///
    /// Without `expunges` such a message stays, because it may have gone to a folder that was not looked at.
    ///
    /// - Parameter leaving: folders that are gone; they are removed with those of their messages that are met nowhere.
    @discardableResult
    func round(_ looks: [FolderLook], leaving: [FolderRow] = [], expunges: Bool = true) async throws -> Bool {
        var round = Round()
        for folder in leaving {
            round.folders.insert(folder.key)
            let messages = try await store.read { try $0.mirror.messages(in: folder, uids: 1...UInt32.max) }
            round.departures.formUnion(messages.map(\.key))
        }
        for look in looks { try await take(look, into: &round) }
        var next = 0
        // Looking for what a message was before may add folders.
        while next < round.looked.count {
            let (look, changes) = round.looked[next]
            next += 1
            guard !changes.arrived.isEmpty else { continue }
            do {
                let arrival = changes.isFirst ? nil : Self.arrival(in: look.folder)
                try await mirror(changes.arrived, of: look, &round, arrival: arrival)
            } catch let error as RemoteError {
                try await note(error, of: look)
                round.failed.insert(look.folder.key)
            }
        }
        if !expunges, !round.departures.isEmpty { return true }
        try await expunge(Array(round.departures))
        try await remove(leaving)
        let unshown = round.unshown
        let looked = round.looked.filter { !round.failed.contains($0.look.folder.key) }
        try await store.write { [account] tx in
            for (look, changes) in looked {
                guard let folder = try tx.folders.get(look.folder.key, in: account) else { continue }
                var remote = changes.remote
                remote.verified = tx.now
                remote.problem = unshown[folder.key].map { "The server does not show \($0) of its messages." }
                try tx.mirror.set(remote, of: folder)
                if changes.isFirst { try tx.mirror.announceResync(of: folder) }
            }
        }
        return false
    }

    /// What a round has found so far.
    private struct Round {
        var looked: [(look: FolderLook, changes: FolderChanges)] = []
        var folders: Set<FolderKey> = []
        /// Folders of which not all could be mirrored.
        var failed: Set<FolderKey> = []
        /// How many messages of a folder the server has and does not show.
        var unshown: [FolderKey: Int] = [:]
        /// Messages that are where they were no more, and were not met elsewhere yet.
        var departures: Set<MessageKey> = []
    }

    /// Looks at a folder.
    private func take(_ look: FolderLook, into round: inout Round) async throws {
        guard round.folders.insert(look.folder.key).inserted else { return }
        do {
            guard let changes = try await changes(look) else { return }
            try await commit(changes.flags, of: look.folder)
            round.departures.formUnion(try await keys(changes.departed, in: look.folder))
            // What we put here and was not met by the end of the round is not here.
            if changes.remote.low == 1 {
                let unmet = try await store.read { try $0.mirror.withoutUID(in: look.folder, limit: 1_000) }
                round.departures.formUnion(unmet.map(\.key))
            }
            round.looked.append((look, changes))
        } catch let error as RemoteError {
            try await note(error, of: look)
        }
    }

    /// Mail that comes into these folders was put there by the account's owner.
    private static func arrival(in folder: FolderRow) -> Messages<Transaction>.Arrival {
        switch folder.role {
        case .sent, .drafts, .trash, .archive: .added
        default: .received
        }
    }

    /// One folder that cannot be looked into does not keep the others from it.
    private func note(_ error: RemoteError, of look: FolderLook) async throws {
        guard session.isUsable else { throw error }
        try await store.write { [account] tx in
            guard let folder = try tx.folders.get(look.folder.key, in: account),
                var remote = try tx.mirror.remote(folder)
            else { return }
            remote.problem = error.reason
            try tx.mirror.set(remote, of: folder)
        }
    }

    // MARK: Looking at a folder

    /// What is different in the folder; nil where it has to be mirrored from the beginning.
    private func changes(_ look: FolderLook) async throws -> FolderChanges? {
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
        // What we put there ourselves has a UID that was not looked at yet.
        let (folder, arrived) = (look.folder, changes.arrived)
        changes.departed += try await store.read { snapshot in
            let ours = try snapshot.mirror.messages(in: folder, uids: knownNext...UInt32.max)
            return UIDComparison.departed(mirrored: ours.map(\.remoteUID), present: arrived)
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

    private func commit(_ flags: [UInt32: MessageFlags], of folder: FolderRow) async throws {
        try await inPieces(flags.sorted { $0.key < $1.key }) { some in
            try await store.write { tx in
                for (uid, flags) in some {
                    guard let message = try tx.mirror.message(remoteUID: uid, in: folder) else { continue }
                    try tx.messages.setFlags(of: message, .set(flags))
                }
            }
        }
    }

    /// Has `body` do its work on some elements at a time, so that no transaction is long.
    private func inPieces<Element>(
        _ elements: [Element],
        _ body: ([Element]) async throws -> Void
    ) async throws {
        for start in stride(from: 0, to: elements.count, by: Self.perTransaction) {
            try await body(Array(elements[start..<min(start + Self.perTransaction, elements.count)]))
        }
    }

    private static let perTransaction = 500

    /// Removes folders that are gone, the innermost first.
    private func remove(_ folders: [FolderRow]) async throws {
        guard !folders.isEmpty else { return }
        try await store.write { [account] tx in
            for folder in folders.sorted(by: { $0.name.text.utf8.count > $1.name.text.utf8.count }) {
                guard let folder = try tx.folders.get(folder.key, in: account) else { continue }
                try tx.mirror.remove(folder)
            }
        }
    }

    private func expunge(_ keys: [MessageKey]) async throws {
        try await inPieces(keys) { some in
            try await store.write { [account] tx in
                for key in some {
                    guard let row = try tx.messages.find(key, in: account) else { continue }
                    try tx.messages.expunge(row)
                }
            }
        }
    }

    private func keys(_ uids: [UInt32], in folder: FolderRow) async throws -> [MessageKey] {
        guard !uids.isEmpty else { return [] }
        return try await store.read { snapshot in
            try uids.compactMap { try snapshot.mirror.message(remoteUID: $0, in: folder)?.key }
        }
    }

    // MARK: Mirroring messages

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

    /// Mirrors messages by UID, newest first; those that departed elsewhere are moved, and taken out of the departures.
    private func mirror(
        _ uids: IMAPNumberSet,
        of look: FolderLook,
        _ round: inout Round,
        arrival: Messages<Transaction>.Arrival?
    ) async throws {
        var limit = UInt32.max
        while true {
            guard !Task.isCancelled else { throw RemoteError.unavailable("The server is stopping.") }
            let (some, hasMore) = UIDComparison.highest(limits.chunk, of: uids, below: limit)
            guard let lowest = some.last else { return }
            if session.selected != look.remote.path { _ = try await session.select(look.remote) }
            var messages = try await fetch(some)
            let untold = try await untold(of: some, messages)
            if untold > 0 { round.unshown[look.folder.key, default: 0] += untold }
            // What is announced has its first words with it.
            if arrival != nil { messages = try await previewed(messages) }
            // What is known from another folder may have left that one.
            for folder in try await formerFolders(messages, round) { try await take(folder, into: &round) }
            let used = try await commit(messages, to: look.folder, round.departures, arrival: arrival)
            round.departures.subtract(used)
            guard hasMore else { return }
            limit = lowest
        }
    }

    /// A message that was fetched, as it is stored.
    private struct Fetched: Sendable {
        let message: FetchedMessage
        var content: NewContent
        var isPreviewed = false
    }

    private func previewed(_ messages: [Fetched]) async throws -> [Fetched] {
        let words: [UInt32: String]
        do {
            words = try await self.words(
                messages.map { Unpreviewed(uid: $0.message.uid, layout: $0.content.layout) }
            )
        } catch let error as RemoteError {
            guard session.isUsable else { throw error }
            return messages
        }
        return messages.map { fetched in
            var fetched = fetched
            fetched.isPreviewed = true
            if let words = words[fetched.message.uid], !words.isEmpty {
                fetched.content.summary = NewContent.summary(fetched.content.summary, with: words)
            }
            return fetched
        }
    }

    private func fetch(_ uids: [UInt32]) async throws -> [Fetched] {
        let messages = try await session.fetch(IMAPNumberSet(uids), headerOctets: limits.headerOctets)
        return try messages.map { Fetched(message: $0, content: try $0.content(store.quarantine)) }
    }

    /// How many of these messages are there and were not told of.
    private func untold(of uids: [UInt32], _ messages: [Fetched]) async throws -> Int {
        let missing = Set(uids).subtracting(messages.map(\.message.uid))
        guard let lowest = missing.min(), let highest = missing.max() else { return 0 }
        let present = try await session.search(lowest...highest)
        return missing.count { present.contains($0) }
    }

    /// Folders that were not looked at, of messages that may be these.
    private func formerFolders(_ messages: [Fetched], _ round: Round) async throws -> [FolderLook] {
        let known = messages.map { ($0.content.identity, $0.content.size) }
        return try await store.read { [account] snapshot in
            var keys: Set<FolderKey> = []
            for (identity, size) in known {
                guard let identity else { continue }
                for row in try snapshot.mirror.messages(known: identity, size: size, in: account) {
                    keys.insert(row.folder)
                }
            }
            return try keys.subtracting(round.folders).compactMap { key in
                guard let folder = try snapshot.folders.get(key, in: account),
                    let remote = try snapshot.mirror.remote(folder)
                else { return nil }
                return FolderLook(folder: folder, remote: remote, status: nil)
            }
        }
    }

    /// Stores what was fetched; the departures that were met again.
    private func commit(
        _ messages: [Fetched],
        to folder: FolderRow,
        _ departures: Set<MessageKey>,
        arrival: Messages<Transaction>.Arrival?
    ) async throws -> Set<MessageKey> {
        try await store.write { [account] tx in
            guard let folder = try tx.folders.get(folder.key, in: account) else { return [] }
            var used: Set<MessageKey> = []
            // Oldest first, so that our own UIDs ascend as the server's do.
            for fetched in messages.sorted(by: { $0.message.uid < $1.message.uid }) {
                let (message, content) = (fetched.message, fetched.content)
                if let known = try tx.mirror.message(remoteUID: message.uid, in: folder) {
                    try tx.messages.setFlags(of: known, .set(message.flags))
                    continue
                }
                if let old = try Self.former(fetched, in: folder, departures.subtracting(used), tx) {
                    used.insert(old.key)
                    let moved = try tx.mirror.move(old, to: folder, remoteUID: message.uid)
                    try tx.messages.setFlags(of: moved, .set(message.flags))
                    continue
                }
                let row = try tx.mirror.append(
                    to: folder,
                    content,
                    remoteUID: message.uid,
                    flags: message.flags,
                    internalDate: message.internalDate ?? tx.now,
                    arrival: arrival
                )
                if fetched.isPreviewed { try tx.mirror.notePreview(of: row) }
            }
            return used
        }
    }

    /// The message that this one was: one that departed from another folder, or one of this folder whose UID is not known.
    ///
    /// In its own folder it must have its date too: a draft that is saved again may have the same header and size.
    private static func former(
        _ fetched: Fetched,
        in folder: FolderRow,
        _ departures: Set<MessageKey>,
        _ tx: Transaction
    ) throws -> MessageRow? {
        guard let identity = fetched.content.identity else { return nil }
        let known = try tx.mirror.messages(known: identity, size: fetched.content.size, in: folder.account)
        return try known.first { row in
            guard row.folder == folder.key else { return departures.contains(row.key) }
            let isFree = try departures.contains(row.key) || tx.mirror.remoteUID(of: row) == nil
            return isFree
                && (identity.emailID != nil || row.internalDate.seconds == fetched.message.internalDate?.seconds)
        }
    }

    // MARK: What is older

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
        if session.selected != remote.path { _ = try await session.select(remote) }
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
            let (uids, hasMore) = UIDComparison.highest(count, of: present, below: low)
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

extension MailboxSync {
    /// Looks at the inbox alone; whether something left it and was met nowhere.
    func roundOfInbox() async throws -> Bool {
        let look = try await store.read { [account] snapshot -> FolderLook? in
            guard let folder = try snapshot.folders.find(.inbox, in: account),
                let remote = try snapshot.mirror.remote(folder)
            else { return nil }
            return FolderLook(folder: folder, remote: remote, status: nil)
        }
        guard let look else { return false }
        return try await round([look], expunges: false)
    }

    /// Folders of which something older is not mirrored yet, the inbox first.
    func unfilled() async throws -> [FolderLook] {
        let folders = try await store.read { [account] in try $0.mirror.folders(of: account) }
        let looks = folders.compactMap { folder -> FolderLook? in
            guard let remote = folder.remote, let low = remote.low, low > 1, remote.problem == nil else { return nil }
            return FolderLook(folder: folder.folder, remote: remote, status: nil)
        }
        return Self.inboxFirst(looks)
    }

    private static func inboxFirst(_ looks: [FolderLook]) -> [FolderLook] {
        looks.filter { $0.folder.role == .inbox } + looks.filter { $0.folder.role != .inbox }
    }

    /// Notes that these folders were seen to be as they are mirrored.
    func verify(_ looks: [FolderLook]) async throws {
        guard !looks.isEmpty else { return }
        try await store.write { [account] tx in
            for look in looks { try tx.mirror.verify(look.folder.key, of: account) }
        }
    }
}
