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
        return try await finish(&round, leaving: leaving, expunges: expunges)
    }

    /// Mirrors what was found.
    func finish(_ round: inout Round, leaving: [FolderRow] = [], expunges: Bool = true) async throws -> Bool {
        var next = 0
        try await mirrorArrivals(of: &round, from: &next)
        if !expunges, !round.departures.isEmpty { return true }
        // What left a folder may have come into one that was looked at before.
        var soughtFor: Set<MessageKey> = []
        for _ in 0..<Self.mostSearches where !round.departures.isSubset(of: soughtFor) {
            soughtFor.formUnion(round.departures)
            for look in try await grown(since: round) {
                round.folders.remove(look.folder.key)
                try await take(look, into: &round)
            }
            try await mirrorArrivals(of: &round, from: &next)
        }
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

    /// How often messages that departed are looked for in folders that have grown meanwhile.
    private static let mostSearches = 3

    private func mirrorArrivals(of round: inout Round, from next: inout Int) async throws {
        // Looking for what a message was before may add folders.
        while next < round.looked.count {
            let (look, changes) = round.looked[next]
            next += 1
            guard !changes.arrived.isEmpty else { continue }
            do {
                let arrival = changes.isFirst ? nil : Self.arrival(in: look.folder)
                let known = FolderLook(folder: look.folder, remote: changes.remote, status: nil)
                try await mirror(changes.arrived, of: known, &round, arrival: arrival)
            } catch let error as RemoteError {
                try await note(error, of: look)
                round.failed.insert(look.folder.key)
            }
        }
    }

    /// Folders that have got messages since they were looked at.
    private func grown(since round: Round) async throws -> [FolderLook] {
        let known = Dictionary(round.looked.map { ($0.look.folder.key, $0.changes.remote) }) { $1 }
        let folders = try await store.read { [account] in try $0.mirror.folders(of: account) }
        let looks = folders.compactMap { folder -> FolderLook? in
            guard let remote = known[folder.folder.key] ?? folder.remote, remote.uidNext != nil else { return nil }
            return FolderLook(folder: folder.folder, remote: remote, status: nil)
        }
        let statuses = try await session.statuses(of: looks.map(\.remote))
        return zip(looks, statuses).filter { look, status in
            guard let status, status.uidValidity == look.remote.uidValidity else { return false }
            return status.uidNext ?? 0 > look.remote.uidNext ?? 0
        }.map(\.0)
    }

    /// What a round has found so far.
    struct Round {
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
    func take(_ look: FolderLook, into round: inout Round) async throws {
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
    func note(_ error: RemoteError, of look: FolderLook) async throws {
        guard session.isUsable else { throw error }
        try await store.write { [account] tx in
            guard let folder = try tx.folders.get(look.folder.key, in: account),
                var remote = try tx.mirror.remote(folder)
            else { return }
            remote.problem = error.reason
            try tx.mirror.set(remote, of: folder)
        }
    }

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

    /// Notes that these folders were seen to be as they are mirrored.
    func verify(_ looks: [FolderLook]) async throws {
        guard !looks.isEmpty else { return }
        try await store.write { [account] tx in
            for look in looks { try tx.mirror.verify(look.folder.key, of: account) }
        }
    }

    // MARK: What rounds are made of

    static func inboxFirst(_ looks: [FolderLook]) -> [FolderLook] {
        looks.filter { $0.folder.role == .inbox } + looks.filter { $0.folder.role != .inbox }
    }

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
    func inPieces<Element>(
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
        let ordered = folders.sorted { $0.name.text.utf8.count > $1.name.text.utf8.count }
        try await inPieces(ordered) { some in
            try await store.write { [account] tx in
                for folder in some {
                    guard let folder = try tx.folders.get(folder.key, in: account) else { continue }
                    try tx.mirror.remove(folder)
                }
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

    /// Has the folder selected; false where its UIDs mean other messages now.
    func enter(_ remote: RemoteFolder) async throws -> Bool {
        let isSelected = session.selected == remote.path
        let validity = try await isSelected ? session.selectedValidity : session.select(remote).uidValidity
        return validity == nil || validity == remote.uidValidity
    }
}
