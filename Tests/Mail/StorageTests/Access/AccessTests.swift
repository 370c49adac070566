// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct AccountsTests {
    private let test: TestStore
    private let store: Store

    init() throws {
        test = try TestStore()
        store = test.store
    }

    @Test func anAccountIsFoundByIDAliasAndAddressInAnyCase() async throws {
        let account = try await test.account()
        for reference in [account.id.description, "ann", "ann@example.org", "ANN@EXAMPLE.ORG"] {
            #expect(try await store.read { try $0.accounts.find(reference) }?.key == account.key, "\(reference)")
        }
        for reference in ["", "Ann", "bob", "ann@example.com", "acc_aaaaaaaaaaaaaaaa", "an*", "ann@example.org%"] {
            #expect(try await store.read { try $0.accounts.find(reference) } == nil, "\(reference)")
        }
    }

    @Test func addressAndAliasAreUnique() async throws {
        _ = try await test.account()
        let bob = try await test.account("bob")
        await #expect(throws: StoreError.alreadyExists(.address)) {
            let address = try #require(EmailAddress("Ann@Example.ORG"))
            try await store.write { _ = try $0.accounts.create(NewAccount(address: address)) }
        }
        var change = AccountChange()
        change.alias = .some("ann")
        let taken = change
        await #expect(throws: StoreError.alreadyExists(.alias)) {
            try await store.write { try $0.accounts.update(bob.key, taken) }
        }
        change.alias = .some("An n")
        let malformed = change
        await #expect(throws: StoreError.self) { try await store.write { try $0.accounts.update(bob.key, malformed) } }
        #expect(try await store.read { try $0.accounts.get(bob.key) } == bob)
    }

    @Test func anUpdateChangesWhatItNamesOnly() async throws {
        let account = try await test.account()
        var change = AccountChange()
        change.displayName = .some("Ann")
        change.verifier = .some([1, 2, 3])
        let first = change
        let updated = try await store.write { try $0.accounts.update(account.key, first, ifVersion: account.version) }
        #expect(updated.displayName == "Ann")
        #expect(updated.verifier == [1, 2, 3])
        #expect(updated.alias == "ann")
        #expect(updated.version == account.version + 1)
        await #expect(throws: StoreError.preconditionFailed) {
            try await store.write { try $0.accounts.update(account.key, first, ifVersion: account.version) }
        }
        var removal = AccountChange()
        removal.alias = .some(nil)
        removal.isSuspended = true
        let second = removal
        let suspended = try await store.write { try $0.accounts.update(account.key, second) }
        #expect(suspended.alias == nil)
        #expect(suspended.isSuspended)
        #expect(suspended.verifier == [1, 2, 3])
        let types = try await test.events(of: account).map(\.type).filter { $0.hasPrefix("account.") }
        #expect(types == ["account.created", "account.updated", "account.updated"])
    }

    @Test func aDeletedAccountIsGoneAtOnceAndItsRowsSoon() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        for n in 0..<30 { try await test.deliver("m\(n)", to: inbox, id: "<\(n)>", references: ["<\(n / 3)>"]) }
        let body = try #require(try await test.content("out").body)
        try await store.write { tx in
            _ = try tx.outbox.enqueue(
                NewSubmission(
                    account: account.key,
                    sender: account.address,
                    octets: .spooled(body),
                    expires: Timestamp(milliseconds: 1),
                    recipients: [(account.address, .queued)]
                )
            )
        }
        try await store.write { try $0.accounts.delete(account.key) }
        #expect(try await store.read { try $0.accounts.find("ann@example.org") } == nil)
        #expect(try await store.read { try $0.accounts.get(account.id) } == nil)
        let again = try await test.account()
        #expect(again.id != account.id)
        test.advance(milliseconds: 120_000)
        try await store.sweep()
        for table in ["messages", "contents", "bodies", "threads", "thread_links", "outbox", "recipients", "expunged"] {
            let count = try await store.read { snapshot in
                try snapshot.connection.first(built: "SELECT count(*) FROM \(table)", []) { $0.int(0) }
            }
            #expect(count == 0, "\(table)")
        }
        #expect(try await test.events(of: account).last?.type == "account.deleted")
        try await test.expectSound()
    }
}

@Suite struct TokensTests {
    @Test func aTokenIsFoundByItsHash() async throws {
        let test = try TestStore()
        let accounts = [AccountID.random(), AccountID.random()]
        let rows = [
            TokenRow(
                id: .random(),
                name: "one",
                scopes: 5,
                accounts: accounts,
                origins: ["https://a.example", "https://b.example"],
                created: Timestamp(milliseconds: 1),
                expires: Timestamp(milliseconds: 2)
            ),
            TokenRow(
                id: .random(),
                name: "all",
                scopes: 15,
                accounts: nil,
                origins: [],
                created: Timestamp(milliseconds: 1),
                expires: nil
            ),
            TokenRow(
                id: .random(),
                name: "none",
                scopes: 1,
                accounts: [],
                origins: [],
                created: Timestamp(milliseconds: 1),
                expires: nil
            ),
        ]
        for (index, row) in rows.enumerated() {
            try await test.store.write { try $0.tokens.create(row, hash: [UInt8(index)]) }
        }
        #expect(try await test.store.read { try $0.tokens.list() } == rows)
        #expect(try await test.store.read { try $0.tokens.find(hash: [1]) } == rows[1])
        #expect(try await test.store.read { try $0.tokens.find(hash: [9]) } == nil)
        await #expect(throws: StoreError.alreadyExists(.token)) {
            try await test.store.write { try $0.tokens.create(rows[0], hash: [7]) }
        }
        let id = rows[1].id
        for (noted, known) in [(2000, 2000), (1000, 2000), (3000, 3000)] as [(Int64, Int64)] {
            try await test.store.write { try $0.tokens.noteUse(of: id, at: Timestamp(milliseconds: noted)) }
            #expect(try await test.store.read { try $0.tokens.get(id)?.lastUsed?.milliseconds } == known)
        }
        #expect(try await test.store.write { try $0.tokens.delete(id) })
        #expect(try await test.store.write { try $0.tokens.delete(id) } == false)
    }
}

@Suite struct IdempotencyTests {
    private let key = IdempotencyKey(scope: [1], key: [2], fingerprint: [3])
    private let answer = StoredAnswer(status: 202, headers: [4], body: [5])

    private func later(_ tx: Transaction) -> Timestamp { Timestamp(milliseconds: tx.now.milliseconds + 1000) }

    @Test func aRepeatedRequestGetsItsAnswer() async throws {
        let test = try TestStore()
        let (key, answer) = (key, answer)
        let first = try await test.store.write { tx in
            let state = try tx.idempotency.begin(key, expires: later(tx))
            try tx.idempotency.finish(key, answer)
            return state
        }
        #expect(first == .fresh)
        #expect(try await test.store.write { try $0.idempotency.begin(key, expires: later($0)) } == .done(answer))
        let other = IdempotencyKey(scope: [1], key: [2], fingerprint: [9])
        #expect(try await test.store.read { try $0.idempotency.state(of: other) } == .mismatch)
        let elsewhere = IdempotencyKey(scope: [7], key: [2], fingerprint: [9])
        #expect(try await test.store.read { try $0.idempotency.state(of: elsewhere) } == .fresh)
        test.advance(milliseconds: 1001)
        #expect(try await test.store.read { try $0.idempotency.state(of: key) } == .fresh)
        #expect(try await test.store.sweep() == 1)
    }

    @Test func whatFailsIsNotClaimed() async throws {
        struct Failed: Error {}
        let test = try TestStore()
        let key = key
        await #expect(throws: Failed.self) {
            try await test.store.write { tx in
                _ = try tx.idempotency.begin(key, expires: later(tx))
                throw Failed()
            }
        }
        #expect(try await test.store.read { try $0.idempotency.state(of: key) } == .fresh)
    }

    @Test func aClaimStandsUntilItIsAbandonedOrTheProcessStartsAgain() async throws {
        let directory = try TemporaryDirectory()
        let key = key
        do {
            let test = try TestStore(directory)
            _ = try await test.store.write { try $0.idempotency.begin(key, expires: later($0)) }
            #expect(try await test.store.write { try $0.idempotency.begin(key, expires: later($0)) } == .inFlight)
            try await test.store.write { try $0.idempotency.abandon(key) }
            #expect(try await test.store.write { try $0.idempotency.begin(key, expires: later($0)) } == .fresh)
        }
        let test = try TestStore(directory)
        #expect(try await test.store.read { try $0.idempotency.state(of: key) } == .fresh)
    }
}
