// SPDX-License-Identifier: Apache-2.0

import IMAPSessions
import Logging
package import MailTypes
import Runtime
import Sockets
package import Storage
import Wire

/// A remote account's mailbox: one task keeps the mirror of it, on a connection of its own; what is asked of the server is
/// done on others, so that a long transfer or search keeps nobody waiting.
package final class RemoteMailbox: RemoteAccount {
    package let key: AccountKey
    package let id: AccountID
    let parts: RemoteParts
    let loop: EventLoop
    let connector: MailboxConnector
    /// Flags, moves, folders: what is over soon.
    let quick: RemoteLane
    /// Bodies up and down.
    let bulk: RemoteLane
    /// Searches, which may take long at the server.
    let searching: RemoteLane
    /// What was found lately, for further pages of it.
    let searches = Lock<[KeptSearch]>([])
    /// One at a time: a round of the mirror, or a change that puts a message somewhere.
    let turns = Turns()
    private let watch: AccountWatch

    init(_ account: AccountRow, _ parts: RemoteParts, on loop: EventLoop) {
        key = account.key
        id = account.id
        self.parts = parts
        self.loop = loop
        connector = MailboxConnector(account: account.key, id: account.id, parts: parts)
        let idle = parts.limits.laneIdleMilliseconds
        quick = RemoteLane(connector, on: loop, idleMilliseconds: idle)
        bulk = RemoteLane(connector, on: loop, idleMilliseconds: idle)
        searching = RemoteLane(connector, on: loop, idleMilliseconds: idle)
        watch = AccountWatch(account, parts, on: loop)
    }

    private var lanes: [RemoteLane] { [quick, bulk, searching] }

    package var status: RemoteStatus {
        var status = watch.status
        status.connections += lanes.count { $0.hasConnection }
        status.waiting = lanes.reduce(0) { $0 + $1.waiting }
        return status
    }

    /// The mirror is compared with the server soon.
    package func wake() { watch.wake() }

    package func refresh(milliseconds: Int) async -> RemoteError? {
        await watch.refresh(milliseconds: milliseconds)
    }

    /// The account's servers are others now, or it is gone.
    func reconfigure() {
        for lane in lanes { lane.reconnect() }
        watch.reconfigure()
    }

    func stop() {
        for lane in lanes { lane.stop() }
        watch.stop()
    }

    func noteStaleness() async { await watch.noteStaleness() }
}

// MARK: The task that keeps the mirror

extension RemoteMailbox {
    /// Until the account is gone or the server stops.
    func run() async {
        await watch.run { isLive in
            let session = try await connector.open(waitingAtMost: .max, watch.wakeup) { !watch.isReconfigured }
            do {
                try await mirror(through: session, isLive)
            } catch {
                await session.end()
                throw error
            }
            await session.end()
        }
        for lane in lanes { lane.stop() }
        for lane in lanes { await lane.ended() }
    }

    // MARK: Watching

    private func mirror(through session: MailboxSession, _ isLive: () -> Void) async throws {
        watch.noteConnected { [interruption = session.interruption] in interruption.interrupt() }
        let sync = MailboxSync(account: key, parts: parts, session: session)
        try await session.watchAll()
        try await round(sync, isFirst: true)
        try await fillAll(sync)
        try await previewAll(sync)
        watch.set(phase: .watching)
        while !Task.isCancelled, !watch.isReconfigured {
            let inbox = try await parts.store.read { [key] snapshot in
                try snapshot.folders.find(.inbox, in: key).flatMap { try snapshot.mirror.remote($0) }
            }
            let limits = parts.limits
            let news = try await session.wait(
                milliseconds: session.tellsOfAll
                    ? max(limits.pollMilliseconds, limits.notifiedPollMilliseconds) : limits.pollMilliseconds,
                inbox: inbox,
                watch.wakeup,
                on: loop
            )
            isLive()
            try await take(news, sync)
        }
    }

    /// Compares all folders with the server's, and puts there what has to be put there.
    private func round(_ sync: MailboxSync, isFirst: Bool = false) async throws {
        // Who asks wants to know of flags too.
        let flagsAfter = watch.isAsked ? 0 : parts.limits.flagLookMilliseconds
        try await watch.satisfying {
            try await turns.take {
                let folders = try await sync.syncFolders()
                let plan = FolderLook.plan(
                    folders.looks,
                    at: Timestamp(milliseconds: parts.clock.now()),
                    flagsAfter: flagsAfter,
                    messages: parts.limits.flagLookMessages
                )
                try await sync.round(plan.due, leaving: folders.leaving)
                try await sync.verify(plan.proven)
            }
            if isFirst { try await watch.noteAlive() } else { try await watch.noteLook() }
        }
        try await uploadPending()
    }

    private func take(_ news: MailboxNews, _ sync: MailboxSync) async throws {
        switch news {
        case .inbox where !watch.isAsked:
            let left = try await turns.take { try await sync.roundOfInbox() }
            // What left the inbox may be in another folder now.
            if left { try await round(sync) }
        case .inbox, .anything:
            try await round(sync)
            try await fillAll(sync)
            try await previewAll(sync)
        }
    }

    /// Gets the first words of messages that have none, the newest first, and looks at the inbox in between.
    private func previewAll(_ sync: MailboxSync) async throws {
        while !watch.isReconfigured, !Task.isCancelled {
            guard try await turns.take({ try await sync.preview(count: parts.limits.previewChunk) }) else { return }
            if watch.isAsked {
                try await round(sync)
            } else {
                _ = try await turns.take { try await sync.roundOfInbox() }
            }
        }
    }

    /// Mirrors what is older, the beginning of each folder first, and looks at the inbox in between.
    private func fillAll(_ sync: MailboxSync) async throws {
        var count = parts.limits.firstPage
        while true {
            var hasMore = false
            for look in try await sync.unfilled() {
                guard !watch.isReconfigured else { return }
                hasMore = try await turns.take { try await sync.fill(look, count: count) } || hasMore
                if watch.isAsked { try await round(sync) }
            }
            guard hasMore else { return }
            count = parts.limits.chunk
            _ = try await turns.take { try await sync.roundOfInbox() }
        }
    }

    /// Puts at the server what is here and has yet to be there: copies of what was sent.
    func uploadPending() async throws {
        let waiting = try await parts.store.read { [key] in try $0.mirror.pendingUploads(of: key, limit: 20) }
        for message in waiting {
            do {
                try await upload(message)
            } catch let error as RemoteError {
                parts.logger.warning(
                    "a copy is not at the server yet",
                    metadata: ["account": "\(id)", "message": "\(message.id)", "err": "\(error.reason)"]
                )
                // What the server says of this one it need not say of the next.
                guard error.isOfMessage else { return }
            }
        }
    }
}
