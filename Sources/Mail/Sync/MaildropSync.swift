// SPDX-License-Identifier: Apache-2.0

import Intake
import Logging
import MIME
import MailTypes
import POP3
import POP3Sessions
import Runtime
import Storage
import Wire

/// One session's work at a POP3 server: notes what is listed, fetches what is new, and has deleted what may be.
///
/// A message is deleted there only when our copy is committed and synced, and what was deleted is only noted when the server has
/// confirmed it. What a round stores it does not store again: each message is a row, by its unique-id, from the moment it was
/// first listed.
struct MaildropSync {
    let account: AccountKey
    let id: AccountID
    let parts: RemoteParts
    let session: MaildropSession
    /// As it was when the session began.
    let server: RemoteServer
    /// Days after which what was fetched is deleted at the server; nil to keep it.
    private var deleteAfterDays: Int? { server.deleteAfterDays }
    var limits: RemoteLimits { parts.limits }
    var store: Store { parts.store }

    /// What is to be done about a listing.
    private struct Plan {
        /// To be fetched.
        var wanted: [ListedMessage] = []
        /// To be deleted there.
        var due: [(number: UInt32, key: MaildropKey)] = []
    }

    /// Whether there is more to fetch at once.
    func round(while isWanted: () -> Bool) async throws -> Bool {
        let listing = try await session.list(
            limit: limits.maildropMessages,
            nameOctets: limits.maildropNameOctets
        )
        guard listing.hasUniqueIDs else { return try await roundWithoutUniqueIDs(listing, while: isWanted) }
        let repeated = RepeatedUniqueIDs(listing.messages)
        try await noteListed(listing, repeated)
        var plan = try await plan(listing, repeated)
        let hasMore = try await fetch(plan.wanted, while: isWanted)
        // What was fetched just now may be due already.
        if !plan.wanted.isEmpty { plan = try await self.plan(listing, repeated) }
        try await delete(plan.due)
        try await noteRound(isComplete: !hasMore)
        return hasMore
    }

    /// Writes what this session found, if the account's maildrop is still the one it looked into.
    private func write<R: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> R) async throws -> R {
        try await store.write { [account, server] tx in
            guard let now = try tx.remoteServers.get(.pop3, of: account), now.isSameMailbox(as: server) else {
                throw RemoteError.unavailable("The account's server is another now.")
            }
            return try body(tx)
        }
    }

    // MARK: What is listed

    /// The inbox, and how far the mirror of it is.
    private func inbox() async throws -> (folder: FolderRow, remote: RemoteFolder) {
        try await store.read { [account] snapshot in
            guard let folder = try snapshot.folders.find(.inbox, in: account) else {
                throw StoreError.notFound(.folder)
            }
            return (folder, try snapshot.mirror.remote(folder) ?? Self.unseen)
        }
    }

    private static var unseen: RemoteFolder { RemoteFolder(path: Array("INBOX".utf8), separator: nil) }

    /// Makes a row of each message that has none, and says of the others whether they are still listed.
    private func noteListed(_ listing: MaildropListing, _ repeated: RepeatedUniqueIDs) async throws {
        let isFirst = try await inbox().remote.low == nil
        var known: Set<MaildropKey> = []
        for some in Self.pieces(of: listing.messages) {
            let found = try await entries(of: some, repeated)
            let new = zip(some, found).compactMap { message, entry in
                entry == nil ? (uid: repeated.names(of: message).own, size: message.size) : nil
            }
            known.formUnion(found.compactMap { $0?.key })
            let back = found.compactMap { $0?.isGone == true ? $0?.key : nil }
            guard !new.isEmpty || !back.isEmpty else { continue }
            try await write { [account] tx in
                try tx.maildrop.note(new, isOld: isFirst, of: account)
                try tx.maildrop.set(gone: [], back: back)
            }
            // A row that was made just now is not one that is missing.
            known.formUnion(try await entries(of: some, repeated).compactMap { $0?.key })
        }
        try await noteGone(but: known)
        guard isFirst else { return }
        try await setLow(2)
    }

    private func noteGone(but known: Set<MaildropKey>) async throws {
        var after: MaildropKey?
        while true {
            let some = try await store.read { [account, after] in
                try $0.maildrop.list(of: account, after: after, limit: Self.perTransaction)
            }
            guard let last = some.last else { break }
            after = last.key
            let gone = some.filter { !$0.isGone && !known.contains($0.key) }.map(\.key)
            guard !gone.isEmpty else { continue }
            try await write { try $0.maildrop.set(gone: gone, back: []) }
        }
        let (account, milliseconds) = (account, limits.maildropMemoryMilliseconds)
        while try await write({ tx in
            try tx.maildrop.expire(of: account, goneMilliseconds: milliseconds, limit: Self.perTransaction)
        }) == Self.perTransaction {}
    }

    private static let perTransaction = 500

    private static func pieces(of messages: [ListedMessage]) -> [[ListedMessage]] {
        stride(from: 0, to: messages.count, by: perTransaction).map {
            Array(messages[$0..<min($0 + perTransaction, messages.count)])
        }
    }

    /// What is known of the messages, in their order.
    private func entries(
        of messages: [ListedMessage],
        _ repeated: RepeatedUniqueIDs
    ) async throws -> [MaildropEntry?] {
        try await store.read { [account] snapshot in
            try messages.map { message in
                let names = repeated.names(of: message)
                if let entry = try snapshot.maildrop.find(uid: names.own, of: account) { return entry }
                guard let entry = try snapshot.maildrop.find(uid: names.other, of: account) else { return nil }
                return names.isOtherOfSameSizeOnly && entry.size != message.size ? nil : entry
            }
        }
    }

    // MARK: What follows from it

    private func plan(_ listing: MaildropListing, _ repeated: RepeatedUniqueIDs) async throws -> Plan {
        var plan = Plan()
        var seen: Set<MaildropKey> = []
        let now = Timestamp(milliseconds: parts.clock.now())
        for some in Self.pieces(of: listing.messages) {
            for (message, entry) in zip(some, try await entries(of: some, repeated)) {
                guard let entry, seen.insert(entry.key).inserted else { continue }
                switch entry.state {
                case .waiting:
                    guard entry.retry.map({ $0 <= now }) ?? true else { continue }
                    plan.wanted.append(ListedMessage(number: message.number, size: message.size, uid: entry.uid))
                case .here, .removed:
                    guard !repeated.contains(message), isDue(entry, now) else { continue }
                    plan.due.append((message.number, entry.key))
                case .left: continue
                }
            }
        }
        // Newest first.
        plan.wanted.reverse()
        return plan
    }

    /// Whether the server's copy is to go: because ours was deleted for good, or its time has come.
    private func isDue(_ entry: MaildropEntry, _ now: Timestamp) -> Bool {
        guard entry.message != nil else { return true }
        guard let days = deleteAfterDays, let fetched = entry.fetched else { return false }
        return fetched.milliseconds + Int64(days) * 86_400_000 <= now.milliseconds
    }

    // MARK: Fetching

    /// Fetches messages in their order, as many as one session may; whether there are more.
    private func fetch(_ wanted: [ListedMessage], while isWanted: () -> Bool) async throws -> Bool {
        var budget = Budget(limits, hasLoginDelay: session.loginDelaySeconds > 0)
        for message in wanted {
            guard !Task.isCancelled, isWanted(), budget.hasRoom else { return true }
            try store.checkRoom()
            budget.spend(try await fetch(message))
        }
        return false
    }

    /// What one session fetches before what was fetched is deleted, and others have their turn at the maildrop.
    private struct Budget {
        private var messages: Int
        private var octets: Int64

        init(_ limits: RemoteLimits, hasLoginDelay: Bool) {
            // Where the next session has to wait, this one does it all.
            messages = hasLoginDelay ? .max : limits.maildropChunk
            octets = hasLoginDelay ? .max : limits.maildropChunkOctets
        }

        var hasRoom: Bool { messages > 0 && octets > 0 }

        mutating func spend(_ size: Int64) {
            messages -= 1
            octets -= size
        }
    }

    /// Fetches and stores a message, or notes why not; its octets.
    private func fetch(_ message: ListedMessage) async throws -> Int64 {
        do {
            let taken = try await take(message)
            try await commit(taken, uid: message.uid)
            return taken.content.size
        } catch let refusal as Refusal {
            try await note(refusal, of: message)
            guard refusal.endsSession else { return 0 }
            throw refusal.error
        }
    }

    /// A message cannot be had.
    private struct Refusal: Error {
        let error: RemoteError
        /// It will not be otherwise next time.
        var isFinal = false
        var endsSession = false
    }

    private func take(_ message: ListedMessage) async throws -> TakenMessage {
        let limit = store.configuration.maximumMessageOctets
        guard message.size <= limit else { throw Self.tooLarge(limit) }
        let incoming = parts.intake.begin(.normalising)
        do {
            try await session.retrieve(message.number, into: incoming)
        } catch is BodyTooLarge {
            throw Self.tooLarge(limit, endsSession: true)
        } catch POP3SessionError.session(.syntax(_, .messageTooLarge)) {
            throw Self.tooLarge(limit, endsSession: true)
        } catch POP3SessionError.refused(let reply) {
            guard !reply.isPassing else { throw RemoteError(reply) }
            throw Refusal(error: RemoteError(reply))
        } catch let error as POP3SessionError {
            guard !Task.isCancelled else { throw RemoteError(opening: error) }
            // It may be the message that its server fails at: others shall not wait for it.
            throw Refusal(error: RemoteError(opening: error), endsSession: true)
        }
        return try await incoming.finish()
    }

    private static func tooLarge(_ limit: Int64, endsSession: Bool = false) -> Refusal {
        Refusal(
            error: .unsupported("The message is larger than the \(limit) octets that this server takes."),
            isFinal: true,
            endsSession: endsSession
        )
    }

    private func commit(_ taken: TakenMessage, uid: [UInt8]) async throws {
        let received = try await taken.received(on: store.blocking)
        let sent = taken.envelope.date
        let content = taken.content
        try await write { [account] tx in
            guard let entry = try tx.maildrop.find(uid: uid, of: account),
                let inbox = try tx.folders.find(.inbox, in: account)
            else { return }
            // POP3 has no date of arrival. Nothing has come later than now, whatever a header says.
            let date = received ?? (entry.isOld ? sent : nil) ?? tx.now
            try tx.maildrop.take(uid: uid, content, internalDate: min(date, tx.now), to: inbox)
        }
    }

    private func note(_ refusal: Refusal, of message: ListedMessage) async throws {
        parts.logger.notice(
            "a message of a POP3 account is not taken",
            metadata: ["account": "\(id)", "octets": "\(message.size)", "err": "\(refusal.error.reason)"]
        )
        let mostAttempts = limits.maildropAttempts
        try await write { [account] tx in
            guard let entry = try tx.maildrop.find(uid: message.uid, of: account) else { return }
            // A connection that breaks may be anybody's fault.
            let isFinal = refusal.isFinal || !refusal.endsSession && entry.attempts + 1 >= mostAttempts
            try tx.maildrop.failed(
                uid: message.uid,
                of: account,
                reason: refusal.error.reason,
                retry: isFinal ? nil : Self.retry(after: entry.attempts, now: tx.now)
            )
        }
    }

    /// A minute, then four times as long each time, up to a day.
    private static func retry(after attempts: Int, now: Timestamp) -> Timestamp {
        let pause = min(Int64(60_000) << Int64(2 * min(attempts, 10)), 86_400_000)
        return Timestamp(milliseconds: now.milliseconds + pause)
    }

    // MARK: Deleting

    /// Has messages deleted, and notes that they were once the server has said so; the session is then over.
    private func delete(_ due: [(number: UInt32, key: MaildropKey)], forgetting: Bool = false) async throws {
        guard !due.isEmpty else {
            // Nothing was marked: whatever the answer is, nothing hangs on it.
            do { try await session.end() } catch is RemoteError {}
            return
        }
        let marked = try await session.delete(due.map(\.number))
        try await session.end()
        let removed = due.filter { marked.contains($0.number) }.map(\.key)
        guard !removed.isEmpty else { return }
        try await write { tx in
            if forgetting { try tx.maildrop.forget(removed) } else { try tx.maildrop.removed(removed) }
        }
    }

    // MARK: How far it is

    private func setLow(_ low: UInt32) async throws {
        try await write { [account] tx in
            guard let folder = try tx.folders.find(.inbox, in: account) else { return }
            var remote = try tx.mirror.remote(folder) ?? Self.unseen
            remote.low = low
            try tx.mirror.set(remote, of: folder)
        }
    }

    /// Notes in the inbox that it was seen to be what the server has, and what of that is not here.
    private func noteRound(isComplete: Bool) async throws {
        try await write { [account] tx in
            guard let folder = try tx.folders.find(.inbox, in: account) else { return }
            var remote = try tx.mirror.remote(folder) ?? Self.unseen
            let backlog = try tx.maildrop.backlog(of: account)
            let wasComplete = remote.low == 1
            remote.problem = Self.problem(backlog)
            if isComplete {
                remote.low = 1
                remote.verified = tx.now
            }
            try tx.mirror.set(remote, of: folder)
            if isComplete, !wasComplete { try tx.mirror.announceResync(of: folder) }
        }
    }

    private static func problem(_ backlog: MaildropBacklog) -> String? {
        guard backlog.failing + backlog.left > 0 else { return nil }
        var text = "\(backlog.failing + backlog.left) of the server's messages are not here"
        if backlog.left > 0 { text += " (\(backlog.left) of them for good)" }
        return backlog.reason.map { "\(text): \($0)" } ?? text
    }

    // MARK: Servers without UIDL

    static let needsUniqueIDs =
        "The server has no UIDL: without it messages can only be fetched where they are deleted at once."

    /// Without unique-ids nothing names a message in the next session but its octets: each is fetched and deleted in one go,
    /// and one whose deletion was not confirmed is recognised by them when it comes again.
    private func roundWithoutUniqueIDs(
        _ listing: MaildropListing,
        while isWanted: () -> Bool
    ) async throws -> Bool {
        guard deleteAfterDays == 0 else {
            throw RemoteError.unsupported(Self.needsUniqueIDs)
        }
        let isFirst = try await inbox().remote.low == nil
        var budget = Budget(limits, hasLoginDelay: session.loginDelaySeconds > 0)
        var due: [(number: UInt32, key: MaildropKey)] = []
        var hasMore = false
        let limit = store.configuration.maximumMessageOctets
        for message in listing.messages.reversed() where message.size <= limit {
            guard !Task.isCancelled, isWanted(), budget.hasRoom else {
                hasMore = true
                break
            }
            try store.checkRoom()
            let taken: TakenMessage
            do {
                taken = try await take(message)
            } catch let refusal as Refusal {
                guard !refusal.endsSession else { throw refusal.error }
                continue
            }
            budget.spend(taken.content.size)
            let uid = [ASCII.space] + taken.body.hash.octets
            try await write { [account] tx in
                try tx.maildrop.note([(uid, taken.body.size)], isOld: isFirst, of: account)
            }
            try await commit(taken, uid: uid)
            let entry = try await store.read { [account] in try $0.maildrop.find(uid: uid, of: account) }
            if let entry, entry.state == .here { due.append((message.number, entry.key)) }
        }
        try await delete(due, forgetting: true)
        try await noteRound(isComplete: !hasMore)
        return hasMore
    }
}
