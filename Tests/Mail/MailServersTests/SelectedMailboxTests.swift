// SPDX-License-Identifier: Apache-2.0

import IMAP
import Intake
import MailTypes
import Testing

@testable import MailServers
@testable import Storage

@Suite struct SelectedMailboxTests {
    /// A server with so many messages in ann's inbox, and the view of one who selected it.
    private func mailbox(_ count: Int) async throws -> (MailServerUnderTest, FolderRow, SelectedMailbox) {
        let server = try await MailServerUnderTest()
        let inbox = try await inbox(server)
        try await append(count, to: inbox, of: server)
        let (folder, uids) = try await server.store.read { snapshot in
            let folder = try #require(try snapshot.folders.get(inbox.key, in: inbox.account))
            return (folder, try snapshot.messages.uids(of: folder))
        }
        return (server, folder, SelectedMailbox(folder, isReadOnly: false, uids: uids, keywords: []))
    }

    private func inbox(_ server: MailServerUnderTest) async throws -> FolderRow {
        let key = server.ann.key
        return try #require(try await server.store.read { try $0.folders.find(.inbox, in: key) })
    }

    private func append(_ count: Int, to folder: FolderRow, of server: MailServerUnderTest) async throws {
        let intake = Intake(store: server.store)
        for number in 0..<count {
            let taken = try await intake.take(Array("Subject: \(number)\r\n\r\nbody\r\n".utf8), door: .strict)
            try await server.store.write { _ = try $0.messages.append(to: folder, taken.content) }
        }
    }

    private func news(
        _ server: MailServerUnderTest,
        _ mailbox: inout SelectedMailbox,
        tellsExpunged: Bool
    ) async throws -> SelectedMailbox.News {
        let (folder, modSeq, next) = (mailbox.folder, mailbox.modSeq, mailbox.uidNext)
        let changes = try await server.store.read {
            try SelectedMailbox.changes(in: folder, since: modSeq, from: next, $0)
        }
        return mailbox.take(changes, tellsExpunged: tellsExpunged)
    }

    @Test func setsNamePlaces() async throws {
        let (_, _, mailbox) = try await mailbox(4)
        let largest = IMAPNumberSet.largest
        #expect(mailbox.places(of: IMAPNumberSet(ranges: [2...2, 3...largest]), isUID: false) == [1..<4])
        #expect(mailbox.places(of: IMAPNumberSet(largest...largest), isUID: false) == [3..<4])
        #expect(mailbox.places(of: IMAPNumberSet(3...5), isUID: false) == nil)
        #expect(mailbox.places(of: IMAPNumberSet(3...500), isUID: true) == [2..<4])
        // What lies beyond the last one, up to it.
        #expect(mailbox.places(of: IMAPNumberSet(99...largest), isUID: true) == [3..<4])
        #expect(mailbox.places(of: IMAPNumberSet(99...100), isUID: true) == [])
    }

    @Test func whatIsGoneIsToldOnlyWhereItMayBe() async throws {
        let (server, folder, start) = try await mailbox(5)
        var mailbox = start
        try await server.store.write { tx in
            for uid in [2, 4] as [UInt32] {
                try tx.messages.expunge(try #require(try tx.messages.find(uid: uid, in: folder)))
            }
        }
        var news = try await news(server, &mailbox, tellsExpunged: false)
        #expect(news.expunged.isEmpty && mailbox.count == 5)
        try await append(1, to: folder, of: server)
        news = try await self.news(server, &mailbox, tellsExpunged: true)
        #expect(news.expunged == [2, 3] && news.expungedUIDs == [2, 4] && news.hasNew)
        #expect(mailbox.uids == [1, 3, 5, 6])
    }

    @Test func changesOfOthersAreToldAndOnesOwnAreNot() async throws {
        let (server, folder, start) = try await mailbox(3)
        var mailbox = start
        let rows = try await server.store.write { tx in
            for uid in [1, 2] as [UInt32] {
                let message = try #require(try tx.messages.find(uid: uid, in: folder))
                try tx.messages.setFlags(of: message, .set(MessageFlags(.seen, keywords: ["new"])))
            }
            return try tx.messages.mailboxRows(of: folder, uids: 1...3)
        }
        mailbox.noteOwn(1, modSeq: rows[0].modseq)
        let news = try await news(server, &mailbox, tellsExpunged: true)
        #expect(news.changed.map(\.uid) == [2] && news.hasNewKeywords && !news.hasNew)
        let nothing = try await self.news(server, &mailbox, tellsExpunged: true)
        #expect(nothing.changed.isEmpty && nothing.expunged.isEmpty && !nothing.hasNew)
    }

    @Test func ofADeletedFolderEverythingIsGone() async throws {
        let server = try await MailServerUnderTest()
        let key = server.ann.key
        let folder = try await server.store.write { try $0.folders.create(FolderName("Box"), in: key) }
        try await append(2, to: folder, of: server)
        let uids = try await server.store.read { try $0.messages.uids(of: folder) }
        var mailbox = SelectedMailbox(folder, isReadOnly: false, uids: uids, keywords: [])
        try await server.store.write { try $0.folders.delete(folder, withMessages: true) }
        let news = try await news(server, &mailbox, tellsExpunged: true)
        #expect(news.expunged == [1, 1] && mailbox.count == 0 && mailbox.isDeleted)
    }

    @Test func aMessageIsRecentForOneSession() {
        let recent = RecentMessages()
        let folder = FolderKey(1)
        #expect(recent.claim(folder, below: 4) == 1...3)
        #expect(recent.claim(folder, below: 4) == nil)
        #expect(recent.first(in: folder) == 4)
        #expect(recent.claim(folder, below: 6) == 4...5)
    }
}
