// SPDX-License-Identifier: Apache-2.0

import IMAPSessions
import Logging
package import MailTypes
import Sockets
package import Storage

/// A remote account's mailbox: one task keeps the mirror of it, on a connection of its own; what is asked of the server is
/// done on two others, so that a long transfer keeps nobody waiting.
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
        watch = AccountWatch(account, parts, on: loop)
    }

    package var status: RemoteStatus {
        var status = watch.status
        status.connections += [quick, bulk].count { $0.hasConnection }
        status.waiting = quick.waiting + bulk.waiting
        return status
    }

    /// The mirror is compared with the server soon.
    package func wake() { watch.wake() }

    package func refresh(milliseconds: Int) async -> RemoteError? {
        await watch.refresh(milliseconds: milliseconds)
    }

    /// The account's servers are others now, or it is gone.
    func reconfigure() {
        quick.reconnect()
        bulk.reconnect()
        watch.reconfigure()
    }

    func stop() {
        quick.stop()
        bulk.stop()
        watch.stop()
    }
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
        quick.stop()
        bulk.stop()
        await quick.ended()
        await bulk.ended()
    }

    // MARK: Watching

    private func mirror(through session: MailboxSession, _ isLive: () -> Void) async throws {
        watch.noteConnected { [interruption = session.interruption] in interruption.interrupt() }
        let sync = MailboxSync(account: key, parts: parts, session: session)
        try await round(sync)
        try await watch.noteAlive()
        try await fillAll(sync)
        watch.set(phase: .watching)
        while !Task.isCancelled, !watch.isReconfigured {
            let inbox = try await parts.store.read { [key] snapshot in
                try snapshot.folders.find(.inbox, in: key).flatMap { try snapshot.mirror.remote($0) }
            }
            let news = try await session.wait(
                milliseconds: parts.limits.pollMilliseconds,
                inbox: inbox,
                watch.wakeup,
                on: loop
            )
            isLive()
            try await take(news, sync)
        }
    }

    /// Compares all folders with the server's, and puts there what has to be put there.
    private func round(_ sync: MailboxSync) async throws {
        try await watch.satisfying {
            try await turns.take {
                let looks = try await sync.syncFolders()
                try await sync.round(looks.filter(\.isDue))
                try await sync.verify(looks.filter { !$0.isDue })
            }
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
