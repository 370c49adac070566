// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Storage

@Suite struct MaildropTests {
    private let test: TestStore

    init() throws { test = try TestStore() }

    private func account() async throws -> AccountRow {
        let address = try #require(EmailAddress("ann@example.net"))
        return try await test.store.write {
            try $0.accounts.create(NewAccount(kind: .pop3, address: address, alias: "ann"))
        }
    }

    private func entry(_ uid: String, _ account: AccountRow) async throws -> MaildropEntry? {
        try await test.store.read { try $0.maildrop.find(uid: Array(uid.utf8), of: account.key) }
    }

    private func note(_ uids: [String], isOld: Bool = false, _ account: AccountRow) async throws {
        try await test.store.write { tx in
            try tx.maildrop.note(uids.map { (Array($0.utf8), 100) }, isOld: isOld, of: account.key)
        }
    }

    @discardableResult
    private func take(_ uid: String, _ text: String, _ account: AccountRow) async throws -> MessageRow? {
        let inbox = try await test.folder(.inbox, of: account)
        let content = try await test.content(text)
        return try await test.store.write { tx in
            try tx.maildrop.take(uid: Array(uid.utf8), content, internalDate: tx.now, to: inbox)
        }
    }

    @Test func aMessageIsTakenOnceAndKnownEverAfter() async throws {
        let account = try await account()
        try await note(["a", "b"], account)
        try await note(["a"], isOld: true, account)
        #expect(try await entry("a", account)?.isOld == false)
        let row = try #require(try await take("a", "one", account))
        #expect(try await take("a", "one", account) == nil)
        #expect(try await take("unknown", "one", account) == nil)
        #expect(try await entry("a", account)?.message == row.key)
        let archive = try await test.folder(.archive, of: account)
        _ = try await test.store.write { try $0.messages.move(row, to: archive) }
        #expect(try await entry("a", account)?.message == row.key)
        try await test.store.write { try $0.messages.expunge(row) }
        let after = try #require(try await entry("a", account))
        #expect(after.state == .here && after.message == nil && after.fetched != nil)
        try await test.expectSound()
    }

    @Test func anotherNameForTheSameOctetsIsTheSameMessageOnlyWhereTheFirstIsGone() async throws {
        let account = try await account()
        try await note(["a", "b", "c"], account)
        let first = try #require(try await take("a", "one", account))
        #expect(try await take("b", "one", account) != nil)
        let key = try #require(try await entry("a", account)).key
        try await test.store.write { try $0.maildrop.set(gone: [key], back: []) }
        #expect(try await take("c", "one", account) == nil)
        #expect(try await entry("a", account) == nil)
        let now = try #require(try await entry("c", account))
        #expect(now.key == key && now.message == first.key && !now.isGone)
        try await test.expectSound()
    }

    @Test func whatFailsWaitsAndIsLeftInTheEnd() async throws {
        let account = try await account()
        try await note(["a", "b"], account)
        try await test.store.write { tx in
            let later = Timestamp(milliseconds: tx.now.milliseconds + 1000)
            try tx.maildrop.failed(uid: [UInt8(ascii: "a")], of: account.key, reason: "no", retry: later)
        }
        #expect(try await entry("a", account)?.attempts == 1)
        var backlog = try await test.store.read { try $0.maildrop.backlog(of: account.key) }
        #expect(backlog.waiting == 2 && backlog.failing == 1 && backlog.left == 0 && backlog.reason == "no")
        try await test.store.write {
            try $0.maildrop.failed(uid: [UInt8(ascii: "a")], of: account.key, reason: "never", retry: nil)
        }
        #expect(try await take("a", "one", account) == nil)
        #expect(try await entry("a", account)?.state == .left)
        backlog = try await test.store.read { try $0.maildrop.backlog(of: account.key) }
        #expect(backlog.waiting == 1 && backlog.failing == 0 && backlog.left == 1 && backlog.reason == "never")
        try await test.store.write { try $0.maildrop.retryLeft(of: account.key) }
        #expect(try await take("a", "one", account) != nil)
        try await test.expectSound()
    }

    @Test func anotherMaildropKnowsNoUniqueIDOfTheFirst() async throws {
        let account = try await account()
        try await note(["a", "b"], account)
        try await take("a", "one", account)
        try await test.store.write { try $0.maildrop.startAnew(account.key) }
        #expect(try await entry("a", account) == nil)
        #expect(try await entry("b", account) == nil)
        let all = try await test.store.read { try $0.maildrop.list(of: account.key, after: nil, limit: 10) }
        #expect(all.count == 1 && all[0].isGone)
        try await test.expectSound()
    }

    @Test func whatIsGoneIsForgottenInTheEnd() async throws {
        let account = try await account()
        try await note(["a", "b"], account)
        try await take("a", "one", account)
        let keys = try await test.store.read { try $0.maildrop.list(of: account.key, after: nil, limit: 10).map(\.key) }
        try await test.store.write { try $0.maildrop.set(gone: keys, back: []) }
        test.advance(milliseconds: 1001)
        try await test.store.write { try $0.maildrop.set(gone: [], back: [keys[1]]) }
        let count = try await test.store.write {
            try $0.maildrop.expire(of: account.key, goneMilliseconds: 1000, limit: 10)
        }
        #expect(count == 1)
        #expect(try await entry("a", account) == nil)
        #expect(try await entry("b", account) != nil)
    }

    @Test func itGoesWithTheAccount() async throws {
        let account = try await account()
        try await note(["a", "b"], account)
        try await take("a", "one", account)
        try await test.store.write { try $0.accounts.delete(account.key) }
        try await test.store.sweep()
        let rows = try await test.store.read { try $0.maildrop.list(of: account.key, after: nil, limit: 10) }
        #expect(rows.isEmpty)
        try await test.expectSound()
    }
}
