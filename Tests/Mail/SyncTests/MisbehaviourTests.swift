// SPDX-License-Identifier: Apache-2.0

import Intake
import MIME
import MailTypes
import Simulation
import Sockets
import Storage
import Testing

@testable import Sync

/// What servers do wrong, one thing after another, and what the mirror is then.
@Suite(.serialized) struct MisbehaviourTests {
    static let all = Misbehaviour.allCases.filter { $0.services.contains(.imap) }

    /// Those whose words must be believed: what is not told of is not there.
    private static let believed: Set<Misbehaviour> = [.forgetsMessages, .flipsUIDValidity, .fetchesTwice]

    /// Some at a time: each has loops of its own, and a flood fills one.
    private func each(_ body: @escaping @Sendable (Misbehaviour) async throws -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            for (index, misbehaviour) in Self.all.enumerated() {
                if index >= 3 { await group.next() }
                group.addTask {
                    do { try await body(misbehaviour) } catch { Issue.record("\(misbehaviour): \(error)") }
                }
            }
        }
    }

    @Test func theMirrorIsWhatTheServerHasOnceItBehaves() async {
        await each { misbehaviour in
            try await SimulatedAccount.run([misbehaviour], times: 2) { account in
                try await account.wait { account.server.counts.connections >= 2 || account.isWatching }
                account.server.misbehave([])
                account.reconnect()
                try await account.settled(20)
                // What was listed before goes with a round on the new connection.
                try await account.wait {
                    _ = try await account.mailbox.refresh(milliseconds: 5_000)
                    let folders = try await account.store.read { try $0.mirror.folders(of: account.account.key) }
                    let names = Set(folders.filter { $0.remote != nil }.map(\.folder.name.text))
                    return names == ["INBOX", "Drafts", "Sent", "Trash", "Archive"]
                }
                #expect(try await account.store.verify() == [], "\(misbehaviour)")
            }
        }
    }

    @Test func whatIsMirroredOutlivesIt() async {
        await each { misbehaviour in
            try await SimulatedAccount.run { account in
                try await account.settled(20)
                let before = try await account.inbox()
                account.server.misbehave([misbehaviour])
                let connections = account.server.counts.connections
                account.reconnect()
                try await account.wait { account.server.counts.connections > connections }
                _ = await account.mailboxes[account.account.key]?.refresh(milliseconds: 1_000)
                account.server.misbehave([])
                account.reconnect()
                try await account.settled(20)
                let after = try await account.inbox()
                if !Self.believed.contains(misbehaviour) {
                    #expect(after.map(\.id) == before.map(\.id), "\(misbehaviour)")
                    #expect(after.map(\.flags) == before.map(\.flags), "\(misbehaviour)")
                }
                #expect(try await account.store.verify() == [], "\(misbehaviour)")
            }
        }
    }

    @Test(arguments: [false, true]) func aBareServerIsMirrored(_ isBare: Bool) async throws {
        try await SimulatedAccount.run(isBare: isBare, messages: 45) { account in
            try await account.settled(45)
            let mailbox = try account.mailbox
            let messages = try await account.inbox()
            let archive = try #require(
                try await account.store.read { try $0.folders.find(FolderName("Archive"), in: account.account.key) }
            )
            try await mailbox.setFlags(of: [messages[0]], .change(add: MessageFlags([.seen]), remove: MessageFlags()))
            try await mailbox.move([messages[1]], to: archive)
            try await mailbox.expunge([messages[2]])
            try await mailbox.fetchBody(of: messages[3])
            try await account.settled(43)
            #expect(account.server.mailbox.count(in: "Archive") == 1)
            #expect(account.server.mailbox.count(in: "INBOX") == 43)
            let moved = try await account.store.read { try $0.messages.find(messages[1].key, in: account.account.key) }
            #expect(moved?.folder == archive.key)
            #expect(try await account.inbox().first?.flags == MessageFlags([.seen]))
            #expect(try await account.store.verify() == [])
        }
    }

    @Test func aServerWithoutUIDNextIsLeftInPeace() async throws {
        try await SimulatedAccount.run([.lacksUIDNext]) { account in
            try await account.settled(20)
            let mailbox = try account.mailbox
            let remote = try #require(
                try await account.store.read { try $0.mirror.remote(try account.folder($0)) }
            )
            let session = try await mailbox.connector.open(waitingAtMost: 5_000)
            _ = try await session.select(remote)
            #expect(try await session.lastUID() == 20)
            // What was asked for is no news.
            let news = try await session.wait(milliseconds: 1, inbox: remote, Wakeup(), on: mailbox.loop)
            #expect(news == .anything)
            await session.end()
        }
    }

    @Test func whatTheServerHasNotCountedYetStays() async throws {
        try await SimulatedAccount.run { account in
            try await account.settled(20)
            // As if another of the server's machines had taken it.
            let ours = try await account.store.write { tx in
                let folder = try account.folder(tx)
                let content = try MirroredReading.content(
                    header: Array("Subject: Ours\r\n\r\n".utf8),
                    parts: [PartDescription(.leaf, in: nil, type: Array("text".utf8), subtype: Array("plain".utf8))],
                    size: 20,
                    emailID: nil,
                    quarantine: account.store.quarantine
                )
                return try tx.mirror.append(
                    to: folder,
                    content,
                    remoteUID: 21,
                    flags: MessageFlags(),
                    internalDate: tx.now,
                    arrival: nil
                )
            }
            try await account.settled(21)
            account.server.mailbox.deliver(Array("Subject: Ours\r\n\r\n".utf8))
            try await account.settled(21)
            #expect(try await account.inbox().last?.id == ours.id)
            #expect(try await account.store.verify() == [])
        }
    }

    /// Whichever of the two folders the round has looked at before.
    @Test(arguments: [FolderRole.inbox, .archive])
    func whatIsMovedDuringARoundIsMovedHere(_ first: FolderRole) async throws {
        try await SimulatedAccount.run { account in
            try await account.settled(20)
            let before = try await account.inbox().map(\.id)
            let mailbox = try account.mailbox
            await account.mailboxes.stop()
            let session = try await mailbox.connector.open(waitingAtMost: 5_000)
            let sync = MailboxSync(account: account.account.key, parts: mailbox.parts, session: session)
            let looks = try await sync.syncFolders().looks
            var round = MailboxSync.Round()
            for look in looks where look.folder.role == first { try await sync.take(look, into: &round) }
            account.server.mailbox.moveAll(from: "INBOX", to: "Archive")
            for look in looks where look.folder.role != first { try await sync.take(look, into: &round) }
            _ = try await sync.finish(&round)
            let after = try await account.store.read { snapshot in
                let archive = try #require(try snapshot.folders.find(.archive, in: account.account.key))
                return try snapshot.mirror.messages(in: archive, uids: 1...UInt32.max).compactMap {
                    try snapshot.messages.find($0.key, in: account.account.key)?.id
                }
            }
            #expect(after == before)
            #expect(try await account.inbox().isEmpty)
            await session.end()
        }
    }

    @Test func whatASessionWasNotToldOfIsCopiedAndMoved() async throws {
        try await SimulatedAccount.run(isBare: true) { account in
            try await account.settled(20)
            let mailbox = try account.mailbox
            let archive = try await account.store.read {
                try #require(try $0.folders.find(.archive, in: account.account.key))
            }
            // The session that changes things has the inbox selected from now on, as it is now.
            try await mailbox.setFlags(of: Array(try await account.inbox().prefix(1)), .set(MessageFlags([.seen])))
            account.server.mailbox.deliver(Array("Subject: copied\r\n\r\n".utf8))
            try await account.settled(21)
            _ = try await mailbox.copy(try #require(try await account.inbox().last), to: archive)
            #expect(account.server.mailbox.count(in: "Archive") == 1)
            account.server.mailbox.deliver(Array("Subject: moved\r\n\r\n".utf8))
            try await account.settled(22)
            try await mailbox.move([try #require(try await account.inbox().last)], to: archive)
            #expect(account.server.mailbox.count(in: "Archive") == 2)
            #expect(account.server.mailbox.count(in: "INBOX") == 21)
        }
    }

    @Test func aPartOfImpossibleSizeIsNotRead() async throws {
        try await SimulatedAccount.run { account in
            try await account.settled(20)
            var description = PartDescription(.leaf, in: nil, type: Array("a".utf8), subtype: Array("b".utf8))
            description.octets = .max
            let content = try MirroredReading.content(
                header: [],
                parts: [description],
                size: 20,
                emailID: nil,
                quarantine: account.store.quarantine
            )
            let part = try #require(MIMELayout(encoded: content.layout.span)?.part("1"))
            let message = try #require(try await account.inbox().first)
            let sections = try account.mailbox.sections(of: message)
            await #expect(throws: SectionMismatch.self) { try await sections.prepare(part) }
        }
    }

    @Test func whatWasFoundIsLookedUpTheHighestFirst() async throws {
        try await SimulatedAccount.run { account in
            try await account.settled(20)
            let mailbox = try account.mailbox
            let folder = try await account.store.read { try account.folder($0).key }
            let ranges = (UInt32(1)...3_000).map { $0 * 2...$0 * 2 }
            let keys = try await mailbox.keys(in: folder, ranges) { true }
            let even = try await account.inbox().enumerated().filter { $0.offset % 2 == 1 }.map(\.element.key)
            #expect(keys == even.reversed())
            #expect(try await mailbox.keys(in: folder, ranges) { false }.isEmpty)
        }
    }

    @Test func flagsAreThoseThatTheServerKeeps() async throws {
        try await SimulatedAccount.run([.ignoresStore]) { account in
            try await account.settled(20)
            let message = try #require(try await account.inbox().first)
            try await account.mailbox.setFlags(
                of: [message],
                .change(add: MessageFlags([.flagged]), remove: MessageFlags())
            )
            #expect(try await account.inbox().first?.flags == MessageFlags())
        }
    }

    @Test func foldersWithNamesThatNobodyCanSayHideNoOthers() async throws {
        try await SimulatedAccount.run([.listsHostileNames]) { account in try await account.settled(20) }
    }

    @Test func tooManyConnectionsAreNoWrongPassword() async throws {
        try await SimulatedAccount.run([.hasTooManyConnections]) { account in
            try await account.wait { try account.mailbox.status.lastFailure != nil }
            #expect(try account.mailbox.status.lastFailure == .busy("Too many connections"))
        }
    }

    @Test func messagesToldOfWithoutEndEndTheSession() async throws {
        try await SimulatedAccount.run([.fetchesUnasked]) { account in
            try await account.wait { try account.mailbox.status.lastFailure != nil }
            #expect(try account.mailbox.status.lastFailure == .unavailable("The server's answer was too large."))
        }
    }

    @Test func aFolderThatIsNotListedOnceStays() async throws {
        try await SimulatedAccount.run { account in
            try await account.settled(20)
            account.server.misbehave([.listsNothing])
            account.reconnect()
            try await account.wait { (try? account.mailbox.status.lastFailure) != nil }
            #expect(try await account.inbox().count == 20)
        }
    }
}

extension SimulatedAccount {
    /// The inbox.
    func folder(_ view: some StoreView) throws -> FolderRow {
        try #require(try view.folders.find(.inbox, in: account.key))
    }

    var isWatching: Bool { mailboxes[account.key]?.status.phase == .watching }
}
