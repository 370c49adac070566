// SPDX-License-Identifier: Apache-2.0

import JSON
import MailTypes
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct EventsTests {
    let test: TestStore

    init() throws { test = try TestStore { $0.eventsPerAccount = 20 } }

    /// What a reader is lent, of one account's log or of several at once.
    private struct Line: Equatable {
        let position: Int64
        let account: AccountID
        let seq: Int64
    }

    private func append(_ count: Int, to account: AccountRow) async throws {
        for _ in 0..<count {
            _ = try await test.store.write { try $0.events.append(.messageAdded, to: account.key) { _ in } }
        }
    }

    private func lines(of accounts: [AccountID]?, after position: Int64, limit: Int = 1000) async throws -> [Line] {
        try await test.store.read { snapshot in
            var lines: [Line] = []
            try snapshot.events.list(of: accounts, afterPosition: position, limit: limit) {
                lines.append(Line(position: $0.position, account: try $0.account, seq: $0.seq))
                return true
            }
            return lines
        }
    }

    private func bounds(_ account: AccountRow) async throws -> EventBounds {
        try await test.store.read { try $0.events.bounds(of: account.key) }
    }

    // MARK: One account

    @Test func anAccountsLogBeginsWithTheAccountAndItsFolders() async throws {
        let account = try await test.account()
        let events = try await test.events(of: account)
        let folders = try await test.store.read { try $0.folders.list(of: account.key) }
        #expect(events.map(\.type) == ["account.created"] + folders.map { _ in "folder.created" })
        #expect(events[0].data == #"{"kind":"local","address":"ann@example.org","alias":"ann","displayName":null}"#)
        for folder in folders {
            let data = """
                {"folderId":"\(folder.id)","path":"\(folder.name.text)","role":"\(folder.role?.rawValue ?? "")",\
                "uidValidity":\(folder.uidValidity),"modseq":\(folder.highestModseq)}
                """
            #expect(events.contains { $0.data == data })
        }
    }

    @Test func aNewMessageIsToldWithEverythingThatPlacesIt() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let start = try await bounds(account).newest
        let first = try await test.deliver("a", to: inbox, flags: MessageFlags([.seen], keywords: ["x"]), date: 1000)
        let copy = try await test.store.write { try $0.messages.copy(first, to: inbox) }
        let shown = try await test.store.read { snapshot in
            try snapshot.messages.get(first.id, in: account.key) { ($0.text("threadId"), "\(try $0.content)") }
        }
        let (thread, content) = try #require(shown)
        let events = try await test.events(of: account, after: start)
        let rest = """
            "threadId":"\(thread)","contentId":"\(content)","flags":["seen","x"],\
            "internalDate":"1970-01-01T00:00:01.000Z","savedAt":"2027-01-15T08:00:00.000Z","size":\(first.size)
            """
        #expect(events.map(\.type) == ["message.received", "message.added"])
        #expect(
            events[0].data == """
                {"id":"\(first.id)","folderId":"\(inbox.id)","uid":1,"modseq":\(first.modseq),\(rest)}
                """
        )
        #expect(
            events[1].data == """
                {"id":"\(copy.id)","folderId":"\(inbox.id)","uid":2,"modseq":\(copy.modseq),\(rest),\
                "copyOf":"\(first.id)"}
                """
        )
    }

    @Test func theEnvelopeIsOneForm() async throws {
        let account = try await test.account()
        let octets = try await test.store.read { snapshot in
            var writer = JSONWriter()
            writer.beginArray()
            try snapshot.events.list(of: account.key, after: 0, limit: 1) {
                try $0.write(to: &writer)
                try $0.write(to: &writer) {
                    $0.key("more"); $0.number(1)
                }
                return true
            }
            writer.endArray()
            return writer.finish().array()
        }
        let head = """
            {"type":"account.created","timestamp":"2027-01-15T08:00:00.000Z",\
            "id":"evt_\("\(account.id)".dropFirst(4))_1","accountId":"\(account.id)","seq":1,"data":\
            {"kind":"local","address":"ann@example.org","alias":"ann","displayName":null
            """
        #expect(String(decoding: octets, as: UTF8.self) == "[\(head)}},\(head),\"more\":1}}]")
    }

    @Test func aWriteThatFailsTakesItsNumberBack() async throws {
        let account = try await test.account()
        let start = try await bounds(account).newest
        let failures = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<6 {
                group.addTask {
                    do {
                        try await test.store.write { tx in
                            try tx.events.append(.messageAdded, to: account.key) { _ in }
                            if number.isMultiple(of: 2) { throw StoreError.protected }
                        }
                        return false
                    } catch StoreError.protected {
                        return true
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failures == 3)
        #expect(try await test.events(of: account).map(\.seq) == Array(1...(start + 3)))
        #expect(try await bounds(account) == EventBounds(oldest: 1, newest: start + 3, isDeleted: false))
    }

    @Test func aDeletedAccountsLogEndsWithItsDeletionAndStays() async throws {
        let account = try await test.account()
        try await test.store.write { try $0.accounts.delete(account.key) }
        _ = try await test.store.sweep()
        let events = try await test.events(of: account)
        #expect(events.last?.type == "account.deleted" && events.last?.data == "{}")
        #expect(try await bounds(account).isDeleted)
        #expect(try await lines(of: [account.id], after: 0).count == events.count)
        #expect(try await lines(of: nil, after: 0).count == events.count)
    }

    // MARK: What is kept

    @Test func byNumberTheOldestGoAndAnOlderCursorIsTold() async throws {
        let (ann, bob) = (try await test.account(), try await test.account("bob"))
        try await append(30, to: ann)
        _ = try await test.store.sweep()
        let kept = try await bounds(ann)
        #expect(kept.oldest == kept.newest - 19)
        #expect(try await test.events(of: ann, after: kept.oldest - 1).count == 20)
        await #expect(throws: StoreError.cursorExpired(oldest: kept.oldest)) {
            try await test.events(of: ann, after: kept.oldest - 2)
        }
        let missed = try await test.store.read { try $0.events.positions(of: [ann.id]).oldest - 1 }
        #expect(try await lines(of: [ann.id], after: missed).count == 20)
        await #expect(throws: StoreError.cursorExpired(oldest: missed + 1)) {
            try await lines(of: [ann.id], after: missed - 1)
        }
        await #expect(throws: StoreError.cursorExpired(oldest: missed + 1)) { try await lines(of: nil, after: 0) }
        #expect(try await lines(of: [bob.id], after: 0).count == (try await bounds(bob).newest))
        try await test.expectSound()
    }

    @Test func byAgeTheyGoWithoutLeavingGapsWhateverTheClockSaid() async throws {
        let account = try await test.account()
        let start = try await bounds(account).newest
        try await append(2, to: account)
        test.advance(milliseconds: -40 * 86_400_000)
        try await append(1, to: account)
        test.advance(milliseconds: 40 * 86_400_000)
        try await append(2, to: account)
        _ = try await test.store.sweep()
        let kept = try await bounds(account)
        #expect(kept.oldest == start + 4 && kept.newest == start + 5)
        #expect(try await test.events(of: account, after: kept.oldest - 1).map(\.seq) == [start + 4, start + 5])
        test.advance(milliseconds: 31 * 86_400_000)
        _ = try await test.store.sweep()
        #expect(try await bounds(account) == EventBounds(oldest: start + 6, newest: start + 5, isDeleted: false))
        let end = try await test.store.read { try $0.events.lastPosition() }
        #expect(end > 0)
        #expect(try await lines(of: nil, after: end).isEmpty)
        await #expect(throws: StoreError.cursorExpired(oldest: end + 1)) { try await lines(of: nil, after: end - 1) }
    }

    // MARK: Several accounts

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func someAccountsAreReadAsAllAreLessTheOthers(_ seed: UInt64) async throws {
        var dice = Dice(state: seed)
        var accounts: [AccountRow] = []
        for name in ["ann", "bob", "cyd", "dot"] { accounts.append(try await test.account(name)) }
        for _ in 0..<40 {
            let account = accounts[Int.random(in: 0..<Int.random(in: 1...4, using: &dice), using: &dice)]
            try await append(Int.random(in: 1...3, using: &dice), to: account)
            if Int.random(in: 0..<10, using: &dice) == 0 { _ = try await test.store.sweep() }
            if Int.random(in: 0..<10, using: &dice) == 0 {
                // As after a restoration: numbers are left out.
                let jump = Int.random(in: 1...100_000, using: &dice)
                _ = try await test.store.write {
                    try $0.connection.run("UPDATE accounts SET seq = seq + ?2 WHERE pk = ?1", account.key, jump)
                }
            }
        }
        let start = try await test.store.read { try $0.events.positions(of: nil).oldest - 1 }
        let all = try await lines(of: nil, after: start)
        #expect(!all.isEmpty)
        for _ in 0..<40 {
            let some = accounts.filter { _ in Bool.random(using: &dice) }.map(\.id)
            let position = Int64.random(in: start...(all.last?.position ?? start) + 1, using: &dice)
            let limit = Int.random(in: 1...12, using: &dice)
            let wanted = all.filter { $0.position > position && some.contains($0.account) }.prefix(limit)
            #expect(try await lines(of: some, after: position, limit: limit) == Array(wanted))
        }
    }

    @Test func nobodyIsLentAnythingOfNoAccounts() async throws {
        _ = try await test.account()
        #expect(try await lines(of: [], after: 0).isEmpty)
        #expect(try await lines(of: [.random()], after: 0).isEmpty)
    }

    @Test(arguments: [nil, true] as [Bool?])
    func aReaderMayStop(_ bound: Bool?) async throws {
        let account = try await test.account()
        let count = try await test.store.read { snapshot in
            var count = 0
            try snapshot.events.list(of: bound.map { _ in [account.id] }, afterPosition: 0, limit: 100) { _ in
                count += 1
                return count < 2
            }
            return count
        }
        #expect(count == 2)
    }
}
