// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct OutboxTests {
    private let test: TestStore
    private let store: Store

    init() throws {
        test = try TestStore()
        store = test.store
    }

    private func submit(_ account: AccountRow, _ recipients: [(String, RecipientState)]) async throws -> SubmissionRow {
        let body = try #require(try await test.content("out").body)
        let addresses = try recipients.map { (try #require(EmailAddress($0.0)), $0.1) }
        return try await store.write { tx in
            try tx.outbox.enqueue(
                NewSubmission(
                    account: account.key,
                    sender: account.address,
                    octets: .spooled(body),
                    expires: Timestamp(milliseconds: tx.now.milliseconds + 1000),
                    recipients: addresses
                )
            )
        }
    }

    private func current(_ row: SubmissionRow) async throws -> SubmissionRow {
        try #require(try await store.read { try $0.outbox.get(row.id, in: row.account) })
    }

    @Test func eachRecipientHasItsOwnFate() async throws {
        let account = try await test.account()
        let row = try await submit(
            account,
            [("a@x.example", .queued), ("b@x.example", .queued), ("ann@example.org", .delivered)]
        )
        let now = Timestamp(milliseconds: store.clock.now())
        let due = try await store.read { try $0.outbox.due(by: now, limit: 10) }
        #expect(due.map(\.address.description) == ["a@x.example", "b@x.example"])
        let later = Timestamp(milliseconds: now.milliseconds + 60_000)
        try await store.write { tx in
            try tx.outbox.record(RecipientOutcome(.deferred, due: later, code: 451, reply: "later"), for: due[0])
            try tx.outbox.record(RecipientOutcome(.refused, code: 550, reply: "no \"such\" user"), for: due[1])
        }
        let after = try await current(row)
        #expect(after.recipients.map(\.state) == [.deferred, .refused, .delivered])
        #expect(after.recipients.map(\.attempts) == [1, 1, 0])
        #expect(after.modseq > row.modseq)
        #expect(try await store.read { try $0.outbox.due(by: now, limit: 10) }.isEmpty)
        #expect(try await store.read { try $0.outbox.nextDue() } == later)
        #expect(try await store.read { try $0.outbox.due(by: later, limit: 10) }.count == 1)
        let types = try await test.events(of: account).map(\.type).suffix(5)
        #expect(
            types == [
                "message.queued", "message.queued", "message.delivered", "message.deferred", "message.refused",
            ]
        )
        let data = try #require(try await test.events(of: account).last?.data)
        #expect(
            data == """
                {"submissionId":"\(row.id)","recipient":"b@x.example","code":550,"reply":"no \\"such\\" user"}
                """
        )
    }

    @Test func cancelAndRetryTouchWhatIsOpen() async throws {
        let account = try await test.account()
        let row = try await submit(
            account,
            [("a@x.example", .queued), ("b@x.example", .queued), ("c@x.example", .refused)]
        )
        try await store.write { try $0.outbox.record(RecipientOutcome(.unknown), for: row.recipients[1]) }
        #expect(try await store.write { try $0.outbox.cancel(row) } == 1)
        #expect(try await current(row).recipients.map(\.state) == [.cancelled, .unknown, .refused])
        // A try that was under way ends after the cancellation.
        try await store.write {
            try $0.outbox.record(RecipientOutcome(.deferred, due: Timestamp(milliseconds: 0)), for: row.recipients[0])
        }
        #expect(try await current(row).recipients[0].state == .cancelled)
        try await store.write { try $0.outbox.record(RecipientOutcome(.delivered), for: row.recipients[0]) }
        #expect(try await current(row).recipients[0].state == .delivered)
        #expect(try await store.write { try $0.outbox.retry(row, expires: row.expires) } == 1)
        #expect(try await current(row).recipients.map(\.state) == [.delivered, .queued, .refused])
        await #expect(throws: StoreError.self) { try await store.write { try $0.outbox.delete(row) } }
        _ = try await store.write { try $0.outbox.cancel(row) }
        try await store.write { try $0.outbox.delete(row) }
        #expect(try await store.read { try $0.outbox.list(of: account.key, limit: 5) }.isEmpty)
        try await test.expectSound()
    }

    @Test func theOctetsStayWhileTheyAreNeeded() async throws {
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let message = try await test.deliver("shared", to: inbox)
        let found = try await store.read { try $0.messages.get(message.id, in: account.key) { $0.body } }
        let body = try #require(found ?? nil)
        let row = try await store.write { tx in
            try tx.outbox.enqueue(
                NewSubmission(
                    account: account.key,
                    sender: nil,
                    octets: .row(body),
                    message: message.id,
                    expires: tx.now,
                    recipients: [(account.address, .queued)]
                )
            )
        }
        #expect(row.sender == nil)
        #expect(row.message == message.id)
        try await store.write { try $0.messages.expunge(message) }
        test.advance(milliseconds: 120_000)
        try await store.sweep()
        let octets = try await store.read { snapshot in
            try snapshot.connection.first("SELECT data FROM bodies WHERE pk = ?1", row.body) { $0.string(0) }
        }
        #expect(octets == "shared")
        try await test.expectSound()
    }

    @Test func submissionsAreListedNewestFirst() async throws {
        let account = try await test.account()
        var rows: [SubmissionRow] = []
        for n in 0..<5 { rows.append(try await submit(account, [("r\(n)@x.example", .queued)])) }
        let first = try await store.read { try $0.outbox.list(of: account.key, limit: 3) }
        #expect(first.map(\.id) == rows.reversed().prefix(3).map(\.id))
        let cursor = first.last?.cursor
        let second = try await store.read { try $0.outbox.list(of: account.key, after: cursor, limit: 3) }
        #expect(second.map(\.id) == rows.prefix(2).reversed().map(\.id))
    }
}
