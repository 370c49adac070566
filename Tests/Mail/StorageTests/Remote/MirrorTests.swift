// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import TestSupport
import Testing
import Wire

@testable import Storage

@Suite struct MirrorTests {
    private let test: TestStore
    private var store: Store { test.store }

    init() throws { test = try TestStore() }

    private func account() async throws -> AccountRow {
        let address = try #require(EmailAddress("ann@example.net"))
        return try await store.write { try $0.accounts.create(NewAccount(kind: .imap, address: address)) }
    }

    private func folder(_ name: String, _ role: FolderRole? = nil, of account: AccountRow) async throws -> FolderRow {
        try await store.write { tx in
            var remote = RemoteFolder(path: Array(name.utf8), separator: ASCII.slash)
            (remote.uidValidity, remote.uidNext, remote.low) = (7, 1, 1)
            return try tx.mirror.add(try FolderName(name), role: role, remote, to: account.key)
        }
    }

    private func content(_ subject: String, size: Int64 = 100, emailID: String? = nil) -> NewContent {
        NewContent(
            size: size,
            identity: RemoteIdentity(emailID: emailID.map { Array($0.utf8) }, fingerprint: Array(subject.utf8)),
            summary: Array("\"subject\":\"\(subject)\"".utf8),
            detail: Array("\"headers\":[]".utf8),
            layout: [1],
            messageID: Array("<\(subject)@x>".utf8),
            references: [],
            baseSubject: subject,
            hasAttachments: false
        )
    }

    @discardableResult
    private func mirror(
        _ content: NewContent,
        _ uid: UInt32,
        in folder: FolderRow,
        flags: MessageFlags = MessageFlags(),
        arrival: Messages<Transaction>.Arrival? = nil
    ) async throws -> MessageRow {
        try await store.write { tx in
            try tx.mirror.append(
                to: folder,
                content,
                remoteUID: uid,
                flags: flags,
                internalDate: Timestamp(milliseconds: 1_700_000_000_000 + Int64(uid)),
                arrival: arrival
            )
        }
    }

    private func events(of account: AccountRow) async throws -> [String] {
        try await store.read { snapshot in
            var types: [String] = []
            try snapshot.events.list(of: account.key, after: 0, limit: 1000) { event in
                types.append(event.type.repairedUTF8String())
                return true
            }
            return types
        }
    }

    @Test func aFolderRemembersHowFarItIs() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let sub = try await folder("A/B/C", of: account)
        let folders = try await store.read { try $0.mirror.folders(of: account.key) }
        #expect(folders.map(\.folder.name.text) == ["A", "A/B", "A/B/C", "INBOX"])
        #expect(folders.map { $0.remote != nil } == [false, false, true, true])
        var remote = try #require(folders.last?.remote)
        remote.uidNext = UInt32.max
        remote.modseq = UInt64(Int64.max)
        remote.verified = Timestamp(milliseconds: 5)
        remote.problem = "NO such luck"
        remote.id = [1, 2]
        try await store.write { [remote] in try $0.mirror.set(remote, of: inbox) }
        #expect(try await store.read { try $0.mirror.remote(inbox) } == remote)
        #expect(
            try await store.read { try $0.mirror.folder(path: Array("A/B/C".utf8), of: account.key) }?.key == sub.key
        )
        try await test.expectSound()
    }

    @Test func oldMailIsNotAnnouncedAndAUIDIsMirroredOnce() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let before = try await events(of: account).count
        let first = try await mirror(content("old"), 1, in: inbox)
        #expect(try await events(of: account).count == before)
        let seen = MessageFlags([.seen])
        let again = try await mirror(content("old"), 1, in: inbox, flags: seen, arrival: .received)
        #expect(again.id == first.id && again.flags == seen)
        try await mirror(content("new"), 2, in: inbox, arrival: .received)
        #expect(try await events(of: account).suffix(2) == ["message.flags_changed", "message.received"])
        #expect(try await test.current(inbox).total == 2)
        let mirrored = try await store.read { try $0.mirror.messages(in: inbox, uids: 1...10) }
        #expect(mirrored.map(\.remoteUID) == [1, 2] && mirrored[0].flags == seen)
        try await test.expectSound()
    }

    @Test func aMovedMessageKeepsItsIDWhicheverSideIsSeenFirst() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let archive = try await folder("Archive", .archive, of: account)
        let message = try await mirror(content("moved", emailID: "M1"), 1, in: inbox)
        // It was met in its new folder before it was missed in the old one.
        let met = try await mirror(content("moved", emailID: "M1"), 9, in: archive)
        #expect(met.content == message.content)
        let known = try await store.read {
            try $0.mirror.messages(
                known: RemoteIdentity(emailID: Array("M1".utf8), fingerprint: []),
                size: 100,
                in: account.key
            )
        }
        #expect(known.map(\.id) == [message.id, met.id])
        let moved = try await store.write { try $0.mirror.move(message, to: archive, remoteUID: 9) }
        #expect(moved.id == message.id && moved.folder == archive.key)
        #expect(try await store.read { try $0.mirror.message(remoteUID: 9, in: archive) }?.id == message.id)
        #expect(try await store.read { try $0.mirror.remoteUID(of: moved) } == 9)
        #expect(try await test.current(archive).total == 1)
        #expect(try await test.current(inbox).total == 0)
        try await test.expectSound()
    }

    @Test func newUIDsAreGivenToWhatWasThere() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let kept = try await mirror(content("kept"), 1, in: inbox)
        try await mirror(content("gone"), 2, in: inbox)
        try await store.write { tx in
            try tx.mirror.forgetUIDs(of: inbox)
            try tx.mirror.set(77, of: kept)
            for lost in try tx.mirror.withoutUID(in: inbox, limit: 10) { try tx.messages.expunge(lost) }
            try tx.mirror.announceResync(of: inbox)
        }
        #expect(try await store.read { try $0.mirror.message(remoteUID: 77, in: inbox) }?.id == kept.id)
        #expect(try await test.current(inbox).total == 1)
        #expect(try await events(of: account).last == "folder.resynced")
        try await test.expectSound()
    }

    @Test func aFolderThatIsGoneGoesAndOneWithOthersBelowStaysAName() async throws {
        let account = try await account()
        let outer = try await folder("A", of: account)
        let inner = try await folder("A/B", of: account)
        try await mirror(content("one"), 1, in: outer)
        try await mirror(content("two"), 1, in: inner)
        try await store.write { try $0.mirror.remove(outer) }
        var folders = try await store.read { try $0.mirror.folders(of: account.key) }
        #expect(folders.map(\.folder.name.text) == ["A", "A/B"] && folders[0].remote == nil)
        #expect(folders[0].folder.total == 0)
        try await test.expectSound()
        try await store.write { try $0.mirror.remove(inner) }
        folders = try await store.read { try $0.mirror.folders(of: account.key) }
        #expect(folders.map(\.folder.name.text) == ["A"])
        try await test.expectSound()
    }

    @Test func aRenamedFolderKeepsItsMessages() async throws {
        let account = try await account()
        let old = try await folder("Old", .archive, of: account)
        let message = try await mirror(content("one"), 1, in: old)
        try await store.write { tx in
            guard var remote = try tx.mirror.remote(old) else { return }
            remote.path = Array("New/Name".utf8)
            try tx.mirror.rename(old, to: try FolderName("New/Name"), remote)
        }
        let renamed = try await store.read { try $0.mirror.folder(path: Array("New/Name".utf8), of: account.key) }
        #expect(renamed?.key == old.key && renamed?.name.text == "New/Name")
        #expect(try await store.read { try $0.messages.find(message.id, in: account.key) }?.folder == old.key)
        #expect(try await events(of: account).last == "folder.renamed")
        try await test.expectSound()
    }

    @Test func lentOctetsAreGivenUpInTheOrderInWhichTheyCame() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        var rows: [MessageRow] = []
        for n in 1...3 {
            rows.append(try await mirror(content("m\(n)", size: 10), UInt32(n), in: inbox))
            // One octet more than the server said.
            let fetched = try await test.content("0123456789\(n)")
            try await store.write { [row = rows[n - 1]] in
                try $0.mirror.lend(fetched, to: row.content, of: account.key)
            }
            test.advance(milliseconds: 1000)
        }
        try await test.expectSound()
        #expect(try await store.write { try $0.mirror.evict(keeping: 33, limit: 10) } == 0)
        #expect(try await store.write { try $0.mirror.evict(keeping: 22, limit: 10) } == 1)
        var kept: [Bool] = []
        for row in rows {
            kept.append(
                try await store.read { try $0.messages.get(row.id, in: account.key) { $0.body != nil } } == true
            )
        }
        #expect(kept == [false, true, true])
        let first = rows[0].id
        #expect(try await store.read { try $0.messages.find(first, in: account.key) }?.size == 11)
        try await test.expectSound()
    }

    @Test func keptPartsAreGivenUpAmongTheMessages() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let (whole, parted) = (
            try await mirror(content("a", size: 10), 1, in: inbox),
            try await mirror(content("b", size: 10), 2, in: inbox)
        )
        try await store.write {
            try $0.mirror.lend(part: "1.2", Array("0123456".utf8), to: parted.content, of: account.key)
        }
        test.advance(milliseconds: 1000)
        let fetched = try await test.content("0123456789")
        try await store.write { tx in
            try tx.mirror.lend(fetched, to: whole.content, of: account.key)
            // Of what is here whole no part is kept.
            try tx.mirror.lend(part: "1", Array("0123".utf8), to: whole.content, of: account.key)
        }
        func part(_ path: String, of row: MessageRow) async throws -> String? {
            try await store.read { try $0.mirror.part(path, of: row.content, in: account.key) }
                .map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try await part("1.2", of: parted) == "0123456")
        #expect(try await part("1", of: parted) == nil)
        #expect(try await part("1", of: whole) == nil)
        try await test.expectSound()
        #expect(try await store.write { try $0.mirror.evict(keeping: 17, limit: 10) } == 0)
        #expect(try await store.write { try $0.mirror.evict(keeping: 16, limit: 10) } == 1)
        #expect(try await part("1.2", of: parted) == nil)
        #expect(try await store.write { try $0.mirror.evict(keeping: 10, limit: 10) } == 0)
        // A message that is here whole needs no parts.
        try await store.write {
            try $0.mirror.lend(part: "1", Array("0".utf8), to: parted.content, of: account.key)
        }
        let other = try await test.content("9876543210")
        try await store.write { try $0.mirror.lend(other, to: parted.content, of: account.key) }
        #expect(try await part("1", of: parted) == nil)
        try await test.expectSound()
    }

    @Test func firstWordsAreFilledInNewestFirst() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        var rows: [MessageRow] = []
        for uid in UInt32(1)...4 {
            var content = content("m\(uid)")
            content.summary += Array(",\"preview\":\"\",\"hasAttachments\":false".utf8)
            rows.append(try await mirror(content, uid, in: inbox))
        }
        let key = account.key
        func due(_ newest: Int = 10, _ limit: Int = 10) async throws -> [UInt32] {
            try await store.read { try $0.mirror.withoutPreview(of: key, among: newest, limit: limit) }.map(\.remoteUID)
        }
        #expect(try await due() == [4, 3, 2, 1])
        #expect(try await due(3) == [4, 3, 2])
        #expect(try await due(10, 2) == [4, 3])
        let (last, third) = (rows[3], rows[2])
        try await store.write { tx in
            try tx.mirror.set(preview: "Hello \"you\"", of: last.content, in: key)
            try tx.mirror.set(preview: "", of: third.content, in: key)
        }
        #expect(try await due() == [2, 1])
        let shown = try await store.read { try $0.messages.get(last.id, in: key) { $0.shown.array() } }
        let text = String(decoding: try #require(shown), as: UTF8.self)
        #expect(text.hasSuffix(#","subject":"m4","preview":"Hello \"you\"","hasAttachments":false"#), "\(text)")
        let first = rows[0]
        try await store.write { try $0.mirror.notePreview(of: first) }
        #expect(try await due() == [2])
    }

    @Test func messagesAreFoundByTheServersNumbers() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        var keys: [MessageKey] = []
        for uid: UInt32 in [2, 3, 5, 9] { keys.append(try await mirror(content("m\(uid)"), uid, in: inbox).key) }
        let found = try await store.read {
            try $0.mirror.keys(in: inbox.key, uids: [1...3, 5...5, 7...8], limit: 10)
        }
        #expect(found == [keys[2], keys[1], keys[0]])
        let some = try await store.read { try $0.mirror.keys(in: inbox.key, uids: [1...9], limit: 2) }
        #expect(some == [keys[3], keys[2]])
    }

    @Test func staleIsSaidOnceAndEndsWithTheNextLook() async throws {
        let account = try await account()
        let (key, since) = (account.key, Timestamp(milliseconds: 5))
        try await store.write { tx in
            try tx.mirror.set(.connected, reason: nil, of: key)
            try tx.mirror.setStale(since: since, reason: "no answer", of: key)
            try tx.mirror.setStale(since: since, reason: "no answer", of: key)
        }
        #expect(try await store.read { try $0.mirror.staleSince(of: key) } == since)
        try await store.write { tx in
            try tx.mirror.set(.connected, reason: nil, of: key)
            try tx.mirror.set(.unreachable, reason: "refused", of: key)
            try tx.mirror.setStale(since: since, reason: "refused", of: key)
            try tx.mirror.set(.connected, reason: nil, of: key)
            try tx.mirror.set(.connected, reason: nil, of: key)
        }
        #expect(try await store.read { try $0.mirror.staleSince(of: key) } == nil)
        #expect(
            try await events(of: account).dropFirst() == [
                "account.stale", "account.recovered", "account.unreachable", "account.stale", "account.recovered",
            ]
        )
    }

    @Test func onlyNewsOfTheServerIsAnnounced() async throws {
        let account = try await account()
        let key = account.key
        try await store.write { tx in
            try tx.mirror.set(.connected, reason: nil, of: key)
            try tx.mirror.set(.unreachable, reason: "connection refused", of: key)
            try tx.mirror.set(.unreachable, reason: "timeout", of: key)
            try tx.mirror.set(.connected, reason: nil, of: key)
            try tx.mirror.set(.authenticationFailed, reason: "NO", of: key)
        }
        #expect(
            try await events(of: account).dropFirst() == [
                "account.unreachable", "account.recovered", "account.authentication_failed",
            ]
        )
        let state = try #require(try await store.read { try $0.mirror.state(of: key) })
        #expect(state.condition == .authenticationFailed && state.reason == "NO")
    }

    @Test func thoseBelowAreRenamedToo() async throws {
        let account = try await account()
        let outer = try await folder("A", of: account)
        let inner = try await folder("A/name/B", of: account)
        try await store.write { tx in
            try tx.mirror.renameTree(outer, to: try FolderName("X/Y")) { Array("there/\($0)".utf8) }
        }
        let folders = try await store.read { try $0.mirror.folders(of: account.key) }
        #expect(folders.map(\.folder.name.text) == ["X", "X/Y", "X/Y/name", "X/Y/name/B"])
        #expect(folders[3].folder.key == inner.key)
        #expect(folders.map { $0.remote?.path } == [nil, Array("there/X/Y".utf8), nil, Array("there/X/Y/name/B".utf8)])
        try await test.expectSound()
    }

    @Test func whatServersSayOfSizesDoesNoHarm() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let first = try await mirror(content("a", size: 1 << 40, emailID: "M"), 1, in: inbox)
        for uid in UInt32(2)...4 { try await mirror(content("a", size: 1, emailID: "M"), uid, in: inbox) }
        let fetched = try await test.content("octets")
        try await store.write { try $0.mirror.lend(fetched, to: first.content, of: account.key) }
        #expect(try await store.read { try $0.accounts.get(account.key) }?.used == 4 * 6)
        try await test.expectSound()
    }

    @Test func anotherServersUIDsMeanNothing() async throws {
        let account = try await account()
        let inbox = try await folder("INBOX", .inbox, of: account)
        let message = try await mirror(content("a"), 1, in: inbox)
        try await store.write { try $0.mirror.startAnew(account.key) }
        #expect(try await store.read { try $0.mirror.remoteUID(of: message) } == nil)
        let remote = try #require(try await store.read { try $0.mirror.remote(inbox) })
        #expect(remote.uidValidity == nil && remote.path == Array("INBOX".utf8))
    }
}
