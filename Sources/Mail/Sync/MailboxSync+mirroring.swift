// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import MailTypes
import Storage
import Wire

/// Messages on their way into the mirror.
extension MailboxSync {
    /// Mirrors messages by UID, newest first; those that departed elsewhere are moved, and taken out of the departures.
    func mirror(
        _ uids: IMAPNumberSet,
        of look: FolderLook,
        _ round: inout Round,
        arrival: Messages<Transaction>.Arrival?
    ) async throws {
        let ranges = uids.normalized.ranges
        var limit = UInt32.max
        while true {
            guard !Task.isCancelled else { throw RemoteError.unavailable("The server is stopping.") }
            let (some, hasMore) = UIDComparison.highest(limits.chunk, of: ranges, below: limit)
            guard let lowest = some.last else { return }
            guard try await enter(look.remote) else { throw RemoteError.renumbered }
            var messages = try await fetch(some)
            let untold = try await untold(of: some, messages)
            if untold > 0 { round.unshown[look.folder.key, default: 0] += untold }
            // What is announced has its first words with it.
            if arrival != nil { messages = try await previewed(messages) }
            // What is known from another folder may have left that one.
            let places = try await formerPlaces(of: messages, but: look.folder)
            for place in places { try await take(place.look, into: &round) }
            round.departures.formUnion(try await departedMeanwhile(places, round.departures))
            let used = try await commit(messages, to: look.folder, round.departures, arrival: arrival)
            round.departures.subtract(used)
            guard hasMore else { return }
            limit = lowest
        }
    }

    /// A message that was fetched, as it is stored.
    struct Fetched: Sendable {
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

    func fetch(_ uids: [UInt32]) async throws -> [Fetched] {
        let messages = try await session.fetch(IMAPNumberSet(uids), headerOctets: limits.headerOctets)
        var fetched: [Fetched] = []
        for message in messages {
            fetched.append(Fetched(message: message, content: try message.content(store.quarantine)))
            // Headers may be long, and others wait for the loop.
            await Task.yield()
        }
        return fetched
    }

    /// How many of these messages are there and were not told of.
    private func untold(of uids: [UInt32], _ messages: [Fetched]) async throws -> Int {
        let missing = Set(uids).subtracting(messages.map(\.message.uid))
        guard let lowest = missing.min(), let highest = missing.max() else { return 0 }
        let present = try await session.search(lowest...highest)
        return missing.count { present.contains($0) }
    }

    /// A folder with messages that some that were fetched may be, by their UIDs there.
    private struct FormerPlace: Sendable {
        let look: FolderLook
        let messages: [UInt32: MessageKey]
    }

    private func formerPlaces(of messages: [Fetched], but folder: FolderRow) async throws -> [FormerPlace] {
        let known = messages.map { ($0.content.identity, $0.content.size) }
        return try await store.read { [account] snapshot in
            var places: [FolderKey: [UInt32: MessageKey]] = [:]
            for (identity, size) in known {
                guard let identity else { continue }
                for row in try snapshot.mirror.messages(known: identity, size: size, in: account)
                where row.folder != folder.key {
                    var messages = places[row.folder] ?? [:]
                    if let uid = try snapshot.mirror.remoteUID(of: row) { messages[uid] = row.key }
                    places[row.folder] = messages
                }
            }
            return try places.compactMap { key, messages in
                guard let folder = try snapshot.folders.get(key, in: account),
                    let remote = try snapshot.mirror.remote(folder)
                else { return nil }
                return FormerPlace(look: FolderLook(folder: folder, remote: remote, status: nil), messages: messages)
            }
        }
    }

    /// Messages that left since their folders were looked at: a round takes its time, and somebody may move them meanwhile.
    private func departedMeanwhile(
        _ places: [FormerPlace],
        _ departures: Set<MessageKey>
    ) async throws -> Set<MessageKey> {
        var departed: Set<MessageKey> = []
        for place in places {
            let messages = place.messages.filter { !departures.contains($0.value) }
            guard !messages.isEmpty else { continue }
            do {
                guard try await enter(place.look.remote) else { continue }
                let there = try await session.present(among: IMAPNumberSet(Array(messages.keys)))
                departed.formUnion(messages.filter { !there.contains($0.key) }.values)
            } catch let error as RemoteError {
                guard session.isUsable else { throw error }
            }
        }
        return departed
    }

    /// Stores what was fetched; the departures that were met again.
    func commit(
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
                let old = try Self.former(fetched, in: folder, tx) { departures.contains($0) && !used.contains($0) }
                if let old {
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
        _ tx: Transaction,
        hasDeparted: (MessageKey) -> Bool
    ) throws -> MessageRow? {
        guard let identity = fetched.content.identity else { return nil }
        let known = try tx.mirror.messages(known: identity, size: fetched.content.size, in: folder.account)
        return try known.first { row in
            guard row.folder == folder.key else { return hasDeparted(row.key) }
            let isFree = try hasDeparted(row.key) || tx.mirror.remoteUID(of: row) == nil
            return isFree
                && (identity.emailID != nil || row.internalDate.seconds == fetched.message.internalDate?.seconds)
        }
    }
}
