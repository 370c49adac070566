// SPDX-License-Identifier: Apache-2.0

import IMAP
import IMAPSessions
import MailTypes
import Runtime
import Sockets
import Storage
import Wire

/// How a mailbox was when it was selected, and what changed in it since the mirror was last made to be the same.
struct SelectedMailbox: Sendable {
    var exists: UInt32
    var uidValidity: UInt32?
    var uidNext: UInt32?
    var highestModSeq: UInt64?
    /// The server told what changed and what is gone (RFC 7162 §3.2.5).
    var wasResynchronised = false
    var vanished = IMAPNumberSet()
    var changed: [UInt32: MessageFlags] = [:]
}

/// A piece of a section: octets from a place on.
struct SectionPiece: Hashable, Sendable {
    let origin: UInt64
    let length: UInt32
}

/// What is new at the server.
enum MailboxNews: Sendable {
    /// Something in the inbox.
    case inbox
    /// It is time to look at everything.
    case anything
}

/// One session at an account's server in the words of the mirror.
///
/// It belongs to the one task that uses it. What it throws is a ``RemoteError``.
final class MailboxSession {
    private let imap: IMAPClientSession
    private var whenOver: (() -> Void)?
    private(set) var names: RemoteFolderNames
    /// The mailbox that is selected, by its name there.
    private(set) var selected: [UInt8]?
    private(set) var selectedValidity: UInt32?
    /// How often a folder's messages got other UIDs.
    private var flips: [[UInt8]: Int] = [:]
    /// Something was told of the mailbox that is selected which nobody has looked at.
    private var hasNews = false
    /// The same of others.
    private var hasOtherNews = false
    /// The server tells of all folders by itself (RFC 5465).
    private(set) var tellsOfAll = false

    init(_ imap: IMAPClientSession, whenOver: @escaping () -> Void) {
        self.imap = imap
        self.whenOver = whenOver
        let own = imap.namespaces?.personal.first
        names = RemoteFolderNames(isUTF8: imap.isUTF8, prefix: own?.prefix ?? [], separator: own?.separator)
        imap.onUpdate = { [weak self] in self?.take($0) }
    }

    /// Whether another command can be given.
    var isUsable: Bool { whenOver != nil && imap.isUsable }

    /// Ends the ``wait(milliseconds:inbox:)`` under way.
    var interruption: IMAPInterruption { imap.idleInterruption }

    /// Says goodbye and closes.
    func end() async {
        await imap.logout()
        if let whenOver = whenOver.take() { whenOver() }
    }

    private func take(_ update: IMAPUpdate) {
        switch update {
        case .exists, .expunge, .vanished, .message: hasNews = true
        case .mailboxStatus, .list: hasOtherNews = hasOtherNews || tellsOfAll
        case .status(let status) where status.code == .notificationOverflow:
            // From now on it tells nothing more (RFC 5465 §5.8).
            tellsOfAll = false
            hasOtherNews = true
        case .status, .other: break
        }
    }

    private func asking<R>(_ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as IMAPSessionError {
            throw RemoteError(opening: error)
        }
    }

    // MARK: Folders

    private static let statusItems: [IMAPMailboxStatus.Item] = [
        .messages, .uidNext, .uidValidity, .unseen, .highestModSeq, .mailboxID,
    ]

    /// All folders, at most `limit`, with their status.
    func listFolders(limit: Int) async throws -> [ListedFolder] {
        hasOtherNews = false
        imap.maximumFolders = limit < 10_000_000 ? limit * 10 : limit
        return try await asking {
            // One whose name no command can carry does not keep the others from being looked at.
            var listed = try await imap.folders(status: Self.statusItems).filter(\.mailbox.isSendable).prefix(limit).map
            {
                ListedFolder(entry: $0.entry, status: $0.status)
            }
            let untold = listed.indices.filter { listed[$0].entry.isSelectable && listed[$0].status == nil }
            let statuses = try await imap.status(of: untold.map { listed[$0].entry.mailbox }, Self.statusItems)
            for (index, status) in zip(untold, statuses) { listed[index].status = status }
            learnNames(listed.map(\.entry))
            return listed
        }
    }

    /// Learns how mailboxes are named there, where the server does not say.
    private func learnNames(_ entries: [IMAPListEntry]) {
        guard imap.namespaces?.personal.first == nil else { return }
        names = RemoteFolderNames(isUTF8: names.isUTF8, of: entries.map { ($0.mailbox, $0.separator) })
    }

    /// The mailbox that a name of ours is there.
    private func mailbox(_ name: FolderName) async throws -> IMAPMailboxName {
        if names.separator == nil { try await asking { learnNames(try await imap.folders().map(\.entry)) } }
        guard let mailbox = names.mailbox(name) else {
            throw RemoteError.unsupported("The server cannot have a folder of that name.")
        }
        return mailbox
    }

    func create(_ name: FolderName) async throws -> RemoteFolder {
        let mailbox = try await mailbox(name)
        return try await asking {
            try await imap.createFolder(mailbox)
            do {
                try await imap.subscribe(mailbox)
            } catch IMAPSessionError.refused {
                // A folder is there all the same.
            }
            var remote = RemoteFolder(path: mailbox.octets, separator: names.separator)
            guard let status = try await imap.status(of: [mailbox], Self.statusItems).first ?? nil, status.messages == 0
            else { return remote }
            // Nothing is in it yet: it is mirrored as a whole.
            (remote.uidValidity, remote.uidNext, remote.id) = (status.uidValidity, status.uidNext, status.mailboxID)
            remote.low = status.uidNext == nil ? nil : 1
            remote.modseq = status.highestModSeq
            return remote
        }
    }

    /// Those of the folders that the server knows after all, whatever it listed.
    func stillThere(_ folders: [RemoteFolder]) async throws -> Set<[UInt8]> {
        guard !folders.isEmpty else { return [] }
        return try await asking {
            let statuses = try await imap.status(of: folders.map { IMAPMailboxName(octets: $0.path) }, [.messages])
            return Set(zip(folders, statuses).compactMap { $1 == nil ? nil : $0.path })
        }
    }

    func hasMessages(_ remote: RemoteFolder) async throws -> Bool {
        try await statuses(of: [remote]).first??.messages != 0
    }

    /// What each folder has just now.
    func statuses(of folders: [RemoteFolder]) async throws -> [IMAPMailboxStatus?] {
        // STATUS of the selected mailbox may tell what the session saw last (RFC 9051 §6.3.11).
        try await leave()
        return try await asking {
            if selected != nil { try await imap.noop() }
            return try await imap.status(
                of: folders.map { IMAPMailboxName(octets: $0.path) },
                [.messages, .uidNext, .uidValidity]
            )
        }
    }

    func rename(_ remote: RemoteFolder, to name: FolderName) async throws {
        let mailbox = try await mailbox(name)
        try await leave()
        try await asking { try await imap.renameFolder(IMAPMailboxName(octets: remote.path), to: mailbox) }
    }

    func delete(_ remote: RemoteFolder) async throws {
        try await leave()
        try await asking { try await imap.deleteFolder(IMAPMailboxName(octets: remote.path)) }
    }

    /// Has no mailbox selected: some servers do not delete or rename the one that is.
    private func leave() async throws {
        guard selected != nil, imap.capabilities.contains(.unselect) else { return }
        selected = nil
        try await asking { try await imap.unselect() }
    }

    // MARK: Selecting

    /// Notes that the folder's messages have other UIDs now; throws where they have again and again, so that a server which
    /// cannot make up its mind is not asked for everything for ever.
    func noteOtherUIDs(of remote: RemoteFolder) throws {
        flips[remote.path, default: 0] += 1
        guard flips[remote.path, default: 0] <= 3 else {
            throw RemoteError.unsupported("The server gives the folder's messages other UIDs again and again.")
        }
    }

    /// Selects the folder, and has the server tell what changed since it was mirrored, where it can.
    func select(_ remote: RemoteFolder) async throws -> SelectedMailbox {
        var known: IMAPSelection.Known?
        if let validity = remote.uidValidity, let modseq = remote.modseq, modseq > 0, let low = remote.low,
            let next = remote.uidNext, low < next
        {
            known = IMAPSelection.Known(uidValidity: validity, modSeq: modseq, uids: IMAPNumberSet(low...(next - 1)))
        }
        selected = nil
        hasNews = false
        return try await asking {
            var changed: [UInt32: MessageFlags] = [:]
            var count = 0
            let found = try await imap.select(IMAPMailboxName(octets: remote.path), isReadOnly: false, known: known) {
                count += 1
                guard count <= Self.mostChanges else { throw IMAPSessionError.tooMuch }
                guard let uid = $0.uid, let flags = $0.flags, known?.uids?.contains(uid) == true else { return }
                changed[uid] = flags.flags
            }
            selected = remote.path
            selectedValidity = found.uidValidity
            hasNews = false
            var mailbox = SelectedMailbox(
                exists: found.exists,
                uidValidity: found.uidValidity,
                uidNext: found.uidNext,
                highestModSeq: found.highestModSeq
            )
            mailbox.wasResynchronised =
                known != nil && imap.enabled.contains(.qresync) && found.highestModSeq != nil
                && found.uidValidity == remote.uidValidity
            mailbox.vanished = IMAPNumberSet(ranges: found.vanished)
            mailbox.changed = changed
            return mailbox
        }
    }

    /// Has the folder selected for a command on messages that are known by their UIDs.
    private func enter(_ remote: RemoteFolder) async throws {
        if selected != remote.path {
            selected = nil
            let found = try await asking { try await imap.select(IMAPMailboxName(octets: remote.path)) }
            selected = remote.path
            selectedValidity = found.uidValidity
        }
        guard selectedValidity == remote.uidValidity else {
            selected = nil
            throw RemoteError.renumbered
        }
    }

    // MARK: Messages

    /// UIDs of the range that are there.
    func search(_ uids: ClosedRange<UInt32>) async throws -> IMAPNumberSet {
        // No server has more of them than there are numbers.
        let most = imap.maximumHits
        imap.maximumHits = min(most, (uids.count < most ? uids.count * 2 : most) + 1_000)
        defer { imap.maximumHits = most }
        return try await asking {
            let found = try await imap.search(.uids(IMAPNumberSet(uids)))
            return IMAPNumberSet(ranges: found.ranges.filter { $0.overlaps(uids) }.map { $0.clamped(to: uids) })
        }
    }

    /// UIDs of the messages whose texts have this in them, as the server sees it.
    func search(_ remote: RemoteFolder, text: [UInt8]) async throws -> IMAPNumberSet {
        try await enter(remote)
        return try await asking {
            do {
                return try await imap.search(.body(text))
            } catch IMAPSessionError.refused(let status) {
                guard case .badCharset(let known) = status.code else { throw IMAPSessionError.refused(status) }
                guard let latin = SearchCharset.latin1(text, known: known) else {
                    throw RemoteError.unsupported("The server cannot look for these letters.")
                }
                return try await imap.search(.body(latin), charset: SearchCharset.latin1Name)
            }
        }
    }

    /// Which of these messages are there, as FETCH tells.
    func present(among uids: IMAPNumberSet) async throws -> Set<UInt32> {
        try await asking {
            var told: Set<UInt32> = []
            try await imap.fetch(uids, [.uid]) {
                if let uid = $0.uid, uids.contains(uid) { told.insert(uid) }
            }
            return told
        }
    }

    /// The UID of the last message.
    func lastUID() async throws -> UInt32 {
        try await asking {
            // What FETCH tells of `*` is told of a UID that nobody asked for, and would be news.
            let last = IMAPNumberSet(IMAPNumberSet.largest...IMAPNumberSet.largest)
            if let uid = try await imap.search(.uids(last)).ranges.map(\.upperBound).max() { return uid }
            return try await imap.search(.all).ranges.map(\.upperBound).max() ?? 0
        }
    }

    /// Messages whose change one SELECT may tell of.
    private static let mostChanges = 1_000_000

    /// The flags of those of the messages that are wanted, or only of those that changed since then.
    func flags(
        _ uids: ClosedRange<UInt32>,
        of wanted: Set<UInt32>,
        changedSince modseq: UInt64?
    ) async throws -> [UInt32: MessageFlags] {
        try await asking {
            var told: [UInt32: MessageFlags] = [:]
            try await imap.fetch(IMAPNumberSet(uids), [.uid, .flags], changedSince: modseq) {
                if let uid = $0.uid, let flags = $0.flags, wanted.contains(uid) { told[uid] = flags.flags }
            }
            return told
        }
    }

    /// What the mirror keeps of messages; those that are gone are left out.
    func fetch(_ uids: IMAPNumberSet, headerOctets: Int) async throws -> [FetchedMessage] {
        do {
            return try await fetch(uids, headerOctets: headerOctets, withStructure: true)
        } catch RemoteError.refused where isUsable {
            // One message that its server cannot read shall not hide the others.
            var messages: [FetchedMessage] = []
            for uid in uids.numbers(limit: 10_000) ?? [] {
                let one = IMAPNumberSet(uid...uid)
                do {
                    messages += try await fetch(one, headerOctets: headerOctets, withStructure: true)
                } catch RemoteError.refused where isUsable {
                    do {
                        messages += try await fetch(one, headerOctets: headerOctets, withStructure: false)
                    } catch RemoteError.refused where isUsable {
                        // It is not shown at all.
                    }
                }
            }
            return messages
        }
    }

    private func fetch(
        _ uids: IMAPNumberSet,
        headerOctets: Int,
        withStructure: Bool
    ) async throws -> [FetchedMessage] {
        let header = IMAPSection(.body, .header, origin: 0)
        var items: [IMAPFetchRequest.Item] = [
            .uid, .flags, .internalDate, .size, .section(header, length: UInt32(clamping: headerOctets)),
        ]
        if withStructure { items.append(.bodyStructure) }
        if imap.capabilities.contains(.objectID) { items.append(.emailID) }
        let wanted = items
        return try await asking {
            var messages: [UInt32: FetchedMessage] = [:]
            try await imap.fetch(uids, wanted) { told in
                guard let uid = told.uid else { return }
                guard told.size != nil else {
                    // News of a message, between those that were asked for.
                    if let flags = told.flags { messages[uid]?.flags = flags.flags }
                    return
                }
                var message = FetchedMessage(uid: uid)
                message.flags = told.flags?.flags ?? MessageFlags()
                message.internalDate = told.internalDate?.timestamp
                message.size = told.size ?? 0
                message.emailID = told.emailID
                message.header = told.sections.first { $0.key.text == .header }?.value ?? []
                message.structure = told.bodyStructure
                messages[uid] = message
            }
            return Array(messages.values)
        }
    }

    /// Whether the server itself has the first words of messages (RFC 8970).
    var hasPreviews: Bool { imap.capabilities.contains(.preview) }

    /// The first words of messages of the selected mailbox, as the server tells them.
    func previews(of uids: IMAPNumberSet) async throws -> [UInt32: [UInt8]] {
        try await asking {
            var told: [UInt32: [UInt8]] = [:]
            try await imap.fetch(uids, [.uid, .preview]) {
                if let uid = $0.uid, let text = $0.preview { told[uid] = text }
            }
            return told
        }
    }

    /// The first octets of one section of messages of the selected mailbox, those that have it.
    func beginnings(of section: IMAPSection, octets: Int, _ uids: IMAPNumberSet) async throws -> [UInt32: [UInt8]] {
        var section = section
        section.origin = 0
        let item = IMAPFetchRequest.Item.section(section, length: UInt32(clamping: octets))
        let wanted = section
        return try await asking {
            var told: [UInt32: [UInt8]] = [:]
            try await imap.fetch(uids, [.uid, item]) {
                if let uid = $0.uid, let octets = $0.sections[wanted] { told[uid] = octets }
            }
            return told
        }
    }

    /// Hands the octets of a section of a message out while they come.
    func octets(
        of uid: UInt32,
        in remote: RemoteFolder,
        section: IMAPSection,
        begin: (UInt64) async throws -> Void = { _ in },
        piece: ([UInt8]) async throws -> Void
    ) async throws {
        try await enter(remote)
        let isThere = try await asking {
            if try await imap.stream(section, of: uid, begin: begin, piece: piece) { return true }
            try await imap.noop()
            return try await imap.stream(section, of: uid, begin: begin, piece: piece)
        }
        guard isThere else { throw RemoteError.gone }
    }

    /// Octets of a section of a message, from each origin on as many as there are up to that length; nil where the message has
    /// no such section.
    func pieces(
        of uid: UInt32,
        in remote: RemoteFolder,
        section: IMAPSection,
        _ wanted: [SectionPiece]
    ) async throws -> [[UInt8]?] {
        try await enter(remote)
        let items = wanted.map { piece in
            var section = section
            section.origin = piece.origin
            return IMAPFetchRequest.Item.section(section, length: piece.length)
        }
        return try await asking {
            var found: [UInt64: [UInt8]] = [:]
            var isThere = false
            for attempt in 1...2 where !isThere {
                if attempt == 2 { try await imap.noop() }
                try await imap.fetch(IMAPNumberSet(uid...uid), items) { told in
                    isThere = true
                    for (section, octets) in told.sections { found[section.origin ?? 0] = octets }
                }
            }
            guard isThere else { throw RemoteError.gone }
            return wanted.map { found[$0.origin] }
        }
    }

    // A session may not have been told yet of messages that another one put there, and commands on them then do nothing and
    // succeed: what the server does not name is tried again once it has said what is new (RFC 9051 §5.2).

    /// Changes flags; those that the messages then have, as far as the server tells.
    func store(
        _ uids: IMAPNumberSet,
        _ change: FlagChange,
        in remote: RemoteFolder
    ) async throws -> [UInt32: MessageFlags] {
        try await enter(remote)
        return try await asking {
            switch change {
            case .set(let flags): return try await store(uids, .replace, flags)
            case .change(let add, let remove):
                var told: [UInt32: MessageFlags] = [:]
                if add != MessageFlags() { told = try await store(uids, .add, add) }
                guard remove != MessageFlags() else { return told }
                return told.merging(try await store(uids, .remove, remove)) { _, last in last }
            }
        }
    }

    private func store(
        _ uids: IMAPNumberSet,
        _ operation: IMAPStoreRequest.Operation,
        _ flags: MessageFlags
    ) async throws -> [UInt32: MessageFlags] {
        var told: [UInt32: MessageFlags] = [:]
        func take(_ message: IMAPFetchedMessage) {
            if let uid = message.uid, uids.contains(uid), let flags = message.flags { told[uid] = flags.flags }
        }
        try await imap.store(uids, operation, flags) { take($0) }
        let untold = IMAPNumberSet((uids.numbers(limit: 100_000) ?? []).filter { told[$0] == nil })
        guard !untold.isEmpty else { return told }
        try await imap.noop()
        try await imap.store(untold, operation, flags) { take($0) }
        return told
    }

    func copy(_ uids: IMAPNumberSet, from remote: RemoteFolder, to target: RemoteFolder) async throws -> CopiedMessages
    {
        try await enter(remote)
        let mailbox = IMAPMailboxName(octets: target.path)
        return try await asking { try await everyOne(of: uids) { try await imap.copy($0, to: mailbox) } }
    }

    /// Has the server say what is new, where no answer to a command tells what it did (UIDPLUS); the messages that are there.
    private func told(of uids: IMAPNumberSet) async throws -> IMAPNumberSet {
        try await imap.noop()
        return IMAPNumberSet(Array(try await present(among: uids)))
    }

    /// Has `body` copy or move messages, and once more those that the server does not name.
    private func everyOne(
        of uids: IMAPNumberSet,
        _ body: (IMAPNumberSet) async throws -> [IMAPCopiedUIDs]
    ) async throws -> CopiedMessages {
        guard imap.capabilities.contains(.uidPlus) else {
            let there = try await told(of: uids)
            guard !there.isEmpty else { return CopiedMessages([], isExact: true) }
            return CopiedMessages(try await body(there), isExact: false)
        }
        let first = CopiedMessages(try await body(uids), isExact: true)
        let untold = (uids.numbers(limit: 100_000) ?? []).filter { !first.hasCopied($0) }
        guard !untold.isEmpty else { return first }
        try await imap.noop()
        return CopiedMessages(first.sets + (try await body(IMAPNumberSet(untold))), isExact: true)
    }

    func move(_ uids: IMAPNumberSet, from remote: RemoteFolder, to target: RemoteFolder) async throws -> CopiedMessages
    {
        try await enter(remote)
        let mailbox = IMAPMailboxName(octets: target.path)
        return try await asking {
            if imap.capabilities.contains(.move) || imap.capabilities.contains(.uidPlus) {
                return try await everyOne(of: uids) { try await imap.move($0, to: mailbox) }
            }
            // What was not told of yet would not be copied, and be removed all the same.
            return try await everyOne(of: uids) { there in
                try await checkNothingElseIsDeleted(there)
                let copied = try await imap.copy(there, to: mailbox)
                try await remove(there)
                return copied
            }
        }
    }

    func expunge(_ uids: IMAPNumberSet, in remote: RemoteFolder) async throws {
        try await enter(remote)
        try await asking {
            try await checkNothingElseIsDeleted(uids)
            try await remove(uids)
        }
    }

    private func remove(_ uids: IMAPNumberSet) async throws {
        _ = try await store(uids, .add, MessageFlags([.deleted]))
        if imap.capabilities.contains(.uidPlus) {
            try await imap.expunge(uids)
        } else {
            try await imap.expungeAll()
        }
    }

    /// A server without UIDPLUS removes everything that is flagged `\Deleted`: that must be ours alone.
    private func checkNothingElseIsDeleted(_ uids: IMAPNumberSet) async throws {
        guard !imap.capabilities.contains(.uidPlus) else { return }
        try await imap.noop()
        let deleted = try await imap.search(.flags([.deleted], areSet: true))
        for range in deleted.ranges {
            guard range.allSatisfy({ uids.contains($0) }) else {
                throw RemoteError.unsupported(
                    "Other messages of the folder are marked deleted, and the server cannot remove one without the others."
                )
            }
        }
    }

    /// Puts a message into a folder; where it then is, if the server tells.
    func append(
        _ reader: BodyReader,
        to target: RemoteFolder,
        flags: MessageFlags,
        internalDate: Timestamp,
        on pool: BlockingPool
    ) async throws -> (validity: UInt32, uid: UInt32)? {
        let append = IMAPAppend(
            IMAPMailboxName(octets: target.path),
            octets: UInt64(clamping: reader.size),
            flags: IMAPFlags(flags),
            internalDate: IMAPDateTime(internalDate)
        )
        var offset: Int64 = 0
        return try await asking {
            let appended = try await imap.append(append) { buffer in
                let end = min(offset + (64 << 10), reader.size)
                if offset < end { try await reader.read(offset..<end, into: &buffer, on: pool) }
                offset = end
                return end < reader.size
            }
            return appended.map { ($0.uidValidity, $0.uid) }
        }
    }

    // MARK: Waiting

    /// Has the server tell what is new in any folder, where it has NOTIFY: to be called before the folders are looked at.
    func watchAll() async throws {
        guard imap.capabilities.contains(.notify), imap.capabilities.contains(.idle) else { return }
        let request = IMAPNotifyRequest(
            wantsStatus: false,
            [
                .init(.selectedDelayed, [.messageNew, .messageExpunge, .flagChange]),
                .init(.personal, [.messageNew, .messageExpunge, .flagChange, .mailboxName]),
            ]
        )
        do {
            try await imap.notify(request)
            tellsOfAll = true
        } catch IMAPSessionError.refused {
            // Then the inbox is watched, and the others are asked after.
        } catch let error as IMAPSessionError {
            throw RemoteError(opening: error)
        }
    }

    /// Waits for news at most so long: in the inbox where the server has IDLE, in all folders where it has NOTIFY.
    func wait(milliseconds: Int, inbox: RemoteFolder?, _ wakeup: Wakeup, on loop: EventLoop) async throws -> MailboxNews
    {
        guard let inbox, imap.capabilities.contains(.idle) else {
            await wakeup.sleep(milliseconds: milliseconds, on: loop)
            return .anything
        }
        if selected != inbox.path {
            let found = try await asking { try await imap.select(IMAPMailboxName(octets: inbox.path)) }
            selected = inbox.path
            selectedValidity = found.uidValidity
            hasNews = false
            let isSame =
                found.uidValidity == inbox.uidValidity && (found.uidNext == nil || found.uidNext == inbox.uidNext)
                && (found.highestModSeq == nil || found.highestModSeq == inbox.modseq)
            guard isSame else { return .inbox }
        }
        if hasNews { return .inbox }
        if hasOtherNews { return .anything }
        try await asking {
            try await imap.idle(milliseconds: milliseconds) { update in
                take(update)
                return !hasNews && !hasOtherNews
            }
        }
        return hasNews ? .inbox : .anything
    }
}

/// Which message became which, where the server told.
struct CopiedMessages: Sendable {
    fileprivate let sets: [IMAPCopiedUIDs]

    /// The server says which became which, so that one it does not name was not there.
    let isExact: Bool

    init(_ sets: [IMAPCopiedUIDs], isExact: Bool) {
        self.sets = sets
        self.isExact = isExact
    }

    func hasCopied(_ uid: UInt32) -> Bool { sets.contains { $0.destination(of: uid) != nil } }

    /// The UID that a message now has in a folder of that UIDVALIDITY.
    func destination(of uid: UInt32, validity: UInt32?) -> UInt32? {
        for set in sets where set.validity == validity {
            if let destination = set.destination(of: uid) { return destination }
        }
        return nil
    }
}
