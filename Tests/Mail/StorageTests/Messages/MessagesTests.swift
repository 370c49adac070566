// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct MessagesTests {
    private let test: TestStore
    private let store: Store

    init() throws {
        test = try TestStore()
        store = test.store
    }

    @Test func uidsAndModseqsAscend() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        var last: MessageRow?
        for n in 1...5 {
            let message = try await test.deliver("m\(n)", to: inbox)
            #expect(message.uid == UInt32(n))
            #expect(message.modseq > last?.modseq ?? 0)
            last = message
        }
        let after = try await test.current(inbox)
        #expect(after.uidNext == 6)
        #expect(after.total == 5)
        #expect(after.unread == 5)
        #expect(after.highestModseq == last?.modseq)
        try await test.expectSound()
    }

    @Test func aMoveKeepsTheIDAndLeavesATombstone() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let archive = try await test.folder(.archive, of: account)
        let message = try await test.deliver("hello", to: inbox)
        let before = try await test.current(inbox).highestModseq
        let moved = try await store.write { try $0.messages.move(message, to: archive) }
        #expect(moved.id == message.id)
        #expect(moved.folder == archive.key)
        #expect(moved.uid == 1)
        #expect(moved.modseq > message.modseq)
        #expect(try await store.read { try $0.messages.expunged(from: inbox, since: before) } == [1])
        #expect(try await store.read { try $0.messages.expunged(from: archive, since: 0) }.isEmpty)
        #expect(try await test.current(inbox).unread == 0)
        #expect(try await test.current(archive).unread == 1)
        // Back again: another UID, the old one is never used again.
        let back = try await store.write { try $0.messages.move(moved, to: inbox) }
        #expect(back.uid == 2)
        try await test.expectSound()
    }

    @Test func aCopyHasItsOwnIDAndSharesContentAndThread() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let archive = try await test.folder(.archive, of: account)
        let message = try await test.deliver("hello", to: inbox, flags: MessageFlags([.flagged], keywords: ["todo"]))
        let copy = try await store.write { try $0.messages.copy(message, to: archive) }
        #expect(copy.id != message.id)
        #expect(copy.content == message.content)
        #expect(copy.thread == message.thread)
        #expect(copy.flags == message.flags)
        #expect(copy.internalDate == message.internalDate)
        let ids = try await store.read { snapshot in
            try [message, copy].map { try snapshot.messages.get($0.id, in: $0.account) { try $0.content } }
        }
        #expect(ids[0] != nil)
        #expect(ids[0] == ids[1])
        try await test.expectSound()
    }

    @Test func flagsChangeTheModseqOnlyWhenSomethingChanges() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let message = try await test.deliver("hello", to: inbox)
        let seen = FlagChange.change(add: MessageFlags([.seen]), remove: MessageFlags())
        let first = try await store.write { try $0.messages.setFlags(of: message, seen) }
        #expect(first.modseq > message.modseq)
        #expect(try await test.current(inbox).unread == 0)
        let events = try await test.events(of: account).count
        let second = try await store.write { try $0.messages.setFlags(of: message, seen) }
        #expect(second == first)
        #expect(try await test.events(of: account).count == events)
        let cleared = try await store.write {
            try $0.messages.setFlags(of: message, .set(MessageFlags([], keywords: ["b", "A"])))
        }
        #expect(cleared.flags == MessageFlags([], keywords: ["A", "b"]))
        #expect(try await test.current(inbox).unread == 1)
        try await test.expectSound()
    }

    @Test func aConditionalChangeNeedsTheStateItAsksFor() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let message = try await test.deliver("hello", to: inbox)
        let change = FlagChange.change(add: MessageFlags([.flagged]), remove: MessageFlags())
        let changed = try await store.write { try $0.messages.setFlags(of: message, change, ifModseq: message.modseq) }
        await #expect(throws: StoreError.preconditionFailed) {
            try await store.write {
                try $0.messages.setFlags(of: message, .set(MessageFlags()), ifModseq: message.modseq)
            }
        }
        await #expect(throws: StoreError.preconditionFailed) {
            try await store.write { try $0.messages.expunge(message, ifModseq: message.modseq) }
        }
        #expect(try await test.current(message) == changed)
    }

    @Test func whatIsExpungedIsGoneAndItsContentGoesLater() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let message = try await test.deliver("hello", to: inbox)
        let copy = try await store.write { try $0.messages.copy(message, to: inbox) }
        try await store.write { try $0.messages.expunge(message) }
        #expect(try await test.current(message) == nil)
        await #expect(throws: StoreError.notFound(.message)) {
            try await store.write { try $0.messages.expunge(message) }
        }
        #expect(try await store.read { try $0.messages.expunged(from: inbox, since: 0) } == [1])
        test.advance(milliseconds: 120_000)
        try await store.sweep()
        #expect(try await bodies() == 1)
        try await store.write { try $0.messages.expunge(copy) }
        #expect(try await bodies() == 1)
        try await test.expectSound()
        test.advance(milliseconds: 120_000)
        try await store.sweep()
        #expect(try await bodies() == 0)
        #expect(try await store.read { try $0.accounts.get(account.key)?.used } == 0)
        try await test.expectSound()
    }

    private func bodies() async throws -> Int? {
        try await store.read { try $0.connection.first("SELECT count(*) FROM bodies") { $0.int(0) } }
    }

    @Test func equalOctetsAreStoredOnce() async throws {
        let ann = try await test.account()
        let bob = try await test.account("bob")
        let first = try await test.deliver("same", to: try await test.folder(.inbox, of: ann))
        let second = try await test.deliver("same", to: try await test.folder(.inbox, of: ann))
        let other = try await test.deliver("same", to: try await test.folder(.inbox, of: bob))
        #expect(first.content == second.content)
        #expect(first.id != second.id)
        #expect(other.content != first.content)
        #expect(try await bodies() == 1)
        try await test.expectSound()
    }

    @Test func anotherAccountsMessageIsNotThere() async throws {
        let ann = try await test.account()
        let bob = try await test.account("bob")
        let inbox = try await test.folder(.inbox, of: ann)
        let message = try await test.deliver("secret", to: inbox)
        #expect(try await store.read { try $0.messages.find(message.id, in: bob.key) } == nil)
        #expect(try await store.read { try $0.folders.get(inbox.id, in: bob.key) } == nil)
        let folder = try await test.folder(.inbox, of: bob)
        await #expect(throws: StoreError.notFound(.folder)) {
            try await store.write { try $0.messages.move(message, to: folder) }
        }
    }

    @Test func listsAreNewestFirstAndKeepTheirPlace() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        for n in 0..<20 { try await test.deliver("m\(n)", to: inbox, date: Int64(n / 2) * 1000) }
        func page(_ cursor: MessageCursor?) async throws -> ([UInt32], MessageCursor?) {
            try await store.read { snapshot in
                var uids: [UInt32] = []
                let next = try snapshot.messages.list(
                    MessageFilter(folder: inbox.key),
                    in: account.key,
                    after: cursor,
                    limit: 7
                ) { uids.append(UInt32($0.member("uid")) ?? 0) }
                return (uids, next)
            }
        }
        let (first, cursor) = try await page(nil)
        #expect(first == [20, 19, 18, 17, 16, 15, 14])
        // What comes and goes elsewhere does not shift the next page.
        try await test.deliver("new", to: inbox, date: 1_000_000)
        let expunged = try #require(try await store.read { try $0.messages.find(uid: 18, in: inbox) })
        try await store.write { try $0.messages.expunge(expunged) }
        var text = ByteBuffer()
        try #require(cursor).append(to: &text)
        let (second, next) = try await page(MessageCursor(text.bytes))
        #expect(second == [13, 12, 11, 10, 9, 8, 7])
        let (third, end) = try await page(next)
        #expect(third == [6, 5, 4, 3, 2, 1])
        #expect(end == nil)
        #expect(MessageCursor(Array("0".utf8).span) == nil)
    }

    @Test func filtersMeanWhatTheySay() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let archive = try await test.folder(.archive, of: account)
        try await test.deliver("a", to: inbox, flags: MessageFlags([.seen]), date: 1000)
        try await test.deliver("b", to: inbox, flags: MessageFlags([.flagged]), date: 2000)
        let c = try await test.deliver("c", to: archive, date: 3000)
        let attached = try await test.content("d", hasAttachments: true)
        _ = try await store.write {
            try $0.messages.append(to: archive, attached, internalDate: Timestamp(milliseconds: 4000))
        }
        let table: [(String, String, (inout MessageFilter) -> Void)] = [
            ("all", "dcba", { _ in }), ("folder", "ba", { $0.folder = inbox.key }),
            ("unread", "dcb", { $0.unread = true }),
            ("read", "a", { $0.unread = false }), ("flagged", "b", { $0.flagged = true }),
            ("since", "dc", { $0.since = Timestamp(milliseconds: 3000) }),
            ("before", "ba", { $0.before = Timestamp(milliseconds: 3000) }),
            ("attachments", "d", { $0.hasAttachments = true }), ("none", "cba", { $0.hasAttachments = false }),
            ("excluded", "ba", { $0.excludedFolders = [archive.key] }), ("thread", "c", { $0.thread = c.thread }),
            ("keys", "c", { $0.keys = [c.key, MessageKey(999)] }), ("no keys", "", { $0.keys = [] }),
            ("changed", "d", { $0.changedSince = c.modseq }),
            (
                "both", "b",
                {
                    $0.folder = inbox.key; $0.unread = true
                }
            ),
        ]
        for (name, expected, configure) in table {
            var filter = MessageFilter()
            configure(&filter)
            let wanted = filter
            let (found, rows, count) = try await store.read { snapshot in
                var found = ""
                _ = try snapshot.messages.list(wanted, in: account.key, limit: 10) {
                    found += $0.text("subject").prefix(1)
                }
                return (
                    found, try snapshot.messages.rows(matching: wanted, in: account.key, limit: 10).count,
                    try snapshot.messages.count(wanted, in: account.key)
                )
            }
            #expect(found == expected, "\(name)")
            #expect(rows == expected.count, "\(name)")
            #expect(count == expected.count, "\(name)")
        }
    }

    @Test func aSparseFilterReadsItsOwnIndex() async throws {
        let account = try await test.account()
        var folder = MessageFilter(folder: FolderKey(1), unread: true)
        #expect(try await plan(folder, account) == "messages_unread")
        folder.folder = nil
        #expect(try await plan(folder, account) == "messages_unread_by_date")
        folder.unread = nil
        #expect(try await plan(folder, account) == "messages_by_date")
        folder.flagged = true
        #expect(try await plan(folder, account) == "messages_flagged")
        #expect(try await plan(MessageFilter(folder: FolderKey(1)), account) == "messages_by_folder")
        #expect(try await plan(MessageFilter(thread: ThreadKey(1)), account) == "messages_by_thread")
    }

    /// The index that the list's query goes along; and that nothing is sorted.
    private func plan(_ filter: MessageFilter, _ account: AccountRow) async throws -> String? {
        try await store.read { snapshot in
            let (sql, parameters) = filter.conditions(in: account.key, after: MessageCursor(internalDate: 5, key: 5))
            let steps = try snapshot.connection.all(
                built: "EXPLAIN QUERY PLAN \(MessageView.select) WHERE \(sql) ORDER BY m.internal_date DESC, m.pk DESC",
                parameters
            ) { $0.string(3) }
            #expect(!steps.contains { $0.contains("TEMP B-TREE") })
            return steps.first?.split(separator: " ").drop { $0 != "INDEX" }.dropFirst().first.map(String.init)
        }
    }

    @Test func manyAreChangedInPieces() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let archive = try await test.folder(.archive, of: account)
        let content = try await test.content("many")
        try await store.write { tx in
            for _ in 0..<1100 { try tx.messages.append(to: inbox, content) }
        }
        var counts: [Int] = []
        var cursor: MessageCursor?
        repeat {
            let from = cursor
            let outcome = try await store.write {
                try $0.messages.setFlags(
                    matching: MessageFilter(folder: inbox.key, unread: true),
                    in: account.key,
                    .change(add: MessageFlags([.seen]), remove: MessageFlags()),
                    after: from
                )
            }
            counts.append(outcome.count)
            cursor = outcome.next
        } while cursor != nil
        #expect(counts == [500, 500, 100])
        #expect(try await test.current(inbox).unread == 0)
        let moved = try await store.write {
            try $0.messages.move(matching: MessageFilter(folder: inbox.key), in: account.key, to: archive)
        }
        #expect(moved.count == 500)
        #expect(try await test.current(archive).total == 500)
        try await test.expectSound()
    }

    @Test func theQuotaHolds() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        try await store.write { tx in
            var change = AccountChange()
            change.quota = .some(10)
            try tx.accounts.update(account.key, change)
        }
        let message = try await test.deliver("123456", to: inbox)
        await #expect(throws: StoreError.overQuota) { try await test.deliver("12345", to: inbox) }
        await #expect(throws: StoreError.overQuota) {
            try await store.write { try $0.messages.copy(message, to: inbox) }
        }
        try await test.deliver("1234", to: inbox)
        try await store.write { try $0.messages.expunge(message) }
        try await test.deliver("12345", to: inbox)
        try await test.expectSound()
    }

    @Test func theLastUIDIsNotPassed() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        try await store.write {
            _ = try $0.connection.run("UPDATE folders SET uid_next = 4294967294 WHERE pk = ?1", inbox.key)
        }
        #expect(try await test.deliver("last", to: inbox).uid == 4_294_967_294)
        await #expect(throws: StoreError.exhausted) { try await test.deliver("beyond", to: inbox) }
        #expect(try await test.current(inbox).total == 1)
    }

    @Test func eventsTellWhatHappened() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let archive = try await test.folder(.archive, of: account)
        let start = try await test.events(of: account).count
        let message = try await test.deliver("hello", to: inbox)
        let moved = try await store.write { try $0.messages.move(message, to: archive) }
        let flagged = try await store.write {
            try $0.messages.setFlags(of: moved, .set(MessageFlags([.seen], keywords: ["x\\y"])))
        }
        try await store.write { try $0.messages.expunge(flagged) }
        let events = try await test.events(of: account, after: Int64(start))
        #expect(
            events.map(\.type) == ["message.received", "message.moved", "message.flags_changed", "message.deleted"]
        )
        #expect(events.map(\.seq) == (1...4).map { Int64(start + $0) })
        #expect(
            events[1].data == """
                {"id":"\(message.id)","folderId":"\(archive.id)","uid":1,"modseq":\(moved.modseq),\
                "fromFolderId":"\(inbox.id)","fromUid":1}
                """
        )
        #expect(events[2].data.hasSuffix(#","flags":["seen","x\\y"]}"#))
    }
}
