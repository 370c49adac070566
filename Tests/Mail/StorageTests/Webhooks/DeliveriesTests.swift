// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import Testing
import Wire

@testable import Storage

@Suite struct DeliveriesTests {
    private struct Fixture {
        let store: TestStore
        let account: AccountRow
        let inbox: FolderRow
        let webhook: WebhookRow

        init() async throws {
            store = try TestStore()
            account = try await store.account()
            inbox = try await store.folder(.inbox, of: account)
            store.advance(milliseconds: 1000)
            webhook = try await store.store.write {
                try $0.webhooks.create(
                    .random(),
                    scope: nil,
                    WebhookSettings(url: "https://example.org/"),
                    secrets: [],
                    limit: 1
                )
            }
        }

        func events(_ count: Int) async throws -> [DeliveryEvent] {
            for number in 0..<count { try await store.deliver("m\(number)", to: inbox) }
            return try await store.store.read { [webhook] in
                try $0.deliveries.scan(for: webhook, after: webhook.cursor, limit: 1000).events
            }
        }

        func settle(_ progress: WebhookProgress) async throws -> Bool {
            try await store.store.write { [webhook] in try $0.deliveries.settle(webhook.key, progress) }
        }

        func rows(_ state: DeliveryState? = nil) async throws -> [DeliveryRow] {
            try await store.store.read { [webhook] in
                try $0.deliveries.list(of: webhook.key, state: state, before: nil, limit: 100_000)
            }
        }

        func now() -> Timestamp { Timestamp(milliseconds: store.store.clock.now()) }
    }

    private func result(_ event: DeliveryEvent, _ state: DeliveryState, due: Timestamp? = nil) -> DeliveryResult {
        DeliveryResult(
            event: event,
            state: state,
            attempts: 1,
            due: due,
            attempt: DeliveryAttempt(
                time: event.time,
                milliseconds: 3,
                status: 500,
                error: "no",
                answer: [UInt8](repeating: 0x61, count: 5000)
            )
        )
    }

    private func progress(_ results: [DeliveryResult], cursor: Int64? = nil) -> WebhookProgress {
        var progress = WebhookProgress()
        progress.results = results
        progress.cursor = cursor
        return progress
    }

    @Test func aFailureIsKeptWithTheFirstKiBOfItsAnswer() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(2)
        let due = Timestamp(milliseconds: fixture.now().milliseconds + 5000)
        _ = try await fixture.settle(progress([result(events[0], .pending, due: due)], cursor: events[1].position))
        let row = try #require(try await fixture.rows().first)
        #expect(row.event == events[0] && row.state == .pending && row.due == due && row.attempts == 1)
        #expect(row.last?.answer?.count == 1024 && row.last?.status == 500)
        let pending = try await fixture.store.store.read { [fixture] in
            try $0.deliveries.pending(of: fixture.webhook.key)
        }
        #expect(pending == PendingDeliveries(tried: 1, nextDue: due))
        let webhook = try await fixture.store.store.read { [fixture] in try $0.webhooks.get(fixture.webhook.key) }
        #expect(webhook?.cursor == events[1].position)
    }

    @Test func theCursorNeverGoesBack() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.settle(progress([], cursor: 1000))
        _ = try await fixture.settle(progress([], cursor: 10))
        let webhook = try await fixture.store.store.read { [fixture] in try $0.webhooks.get(fixture.webhook.key) }
        #expect(webhook?.cursor == 1000)
    }

    @Test func deliveredOnesAreKeptUpToABound() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(150)
        _ = try await fixture.settle(progress(events.prefix(120).map { result($0, .delivered) }))
        #expect(try await fixture.rows().count == 100)
        fixture.store.advance(milliseconds: 1)
        _ = try await fixture.settle(progress(events.suffix(30).map { result($0, .delivered) }))
        let rows = try await fixture.rows()
        #expect(rows.count == 100 && rows.first?.event.position == events.last?.position)
    }

    @Test func aPendingOneThatTurnsOutUnwantedGoes() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(1)
        _ = try await fixture.settle(progress([result(events[0], .pending, due: fixture.now())]))
        var progress = WebhookProgress()
        progress.unwanted = [events[0].position]
        _ = try await fixture.settle(progress)
        #expect(try await fixture.rows().isEmpty)
    }

    @Test func ofADeletedWebhookNothingIsLeft() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(2)
        _ = try await fixture.settle(progress(events.map { result($0, .failed) }))
        let id = fixture.webhook.id
        let isDeleted = try await fixture.store.store.write { try $0.webhooks.delete(id) }
        #expect(isDeleted)
        let isThere = try await fixture.settle(progress(events.map { result($0, .failed) }))
        #expect(!isThere)
        #expect(try await fixture.rows().isEmpty)
    }

    @Test func eventsAreSentAgainByNumberAndByTime() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(5)
        _ = try await fixture.settle(progress([], cursor: events[3].position))
        let (account, key) = (fixture.account, fixture.webhook.key)
        func found(_ range: ReplayRange, limit: Int = 10) async throws -> [Int64]? {
            try await fixture.store.store.read { snapshot in
                guard let webhook = try snapshot.webhooks.get(key) else { return nil }
                return try snapshot.deliveries.events(in: range, for: webhook, limit: limit)?.map(\.position)
            }
        }
        // Not beyond the cursor: what is behind it comes anyhow.
        let positions = events.map(\.position)
        #expect(try await found(.numbers(account.id, events[1].seq...events[4].seq)) == Array(positions[1...3]))
        #expect(try await found(.times(since: events[0].time, before: nil)) == Array(positions[0...3]))
        #expect(try await found(.times(since: events[0].time, before: events[0].time)) == [])
        #expect(try await found(.times(since: events[0].time, before: nil), limit: 3) == nil)
        #expect(try await found(.numbers(.random(), 1...100)) == [])
        try await fixture.store.store.write { try $0.deliveries.sendAgain(events, to: key) }
        let rows = try await fixture.rows(.pending)
        #expect(rows.count == 5 && rows.allSatisfy { $0.attempts == 0 && $0.due == fixture.now() })
        let pending = try await fixture.store.store.read { try $0.deliveries.pending(of: key) }
        #expect(pending.tried == 0)
    }

    @Test func afterARecoveryEverythingIsDue() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(2)
        let later = Timestamp(milliseconds: fixture.now().milliseconds + 1_000_000)
        _ = try await fixture.settle(progress(events.map { result($0, .pending, due: later) }))
        var progress = WebhookProgress()
        progress.turns = [(.recovered, fixture.account.key)]
        _ = try await fixture.settle(progress)
        #expect(try await fixture.rows().allSatisfy { $0.due == fixture.now() })
    }

    @Test func deadlinesFarAheadAreBroughtNearer() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(1)
        let later = Timestamp(milliseconds: fixture.now().milliseconds + 1_000_000_000)
        _ = try await fixture.settle(progress([result(events[0], .pending, due: later)]))
        try await fixture.store.store.write { [fixture] in
            try $0.deliveries.clampDue(of: fixture.webhook.key, aheadMilliseconds: 1000)
        }
        #expect(try await fixture.rows().first?.due?.milliseconds == fixture.now().milliseconds + 1000)
    }

    @Test func whatLeftTheLogTooEarlyIsSaidOnce() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.events(3)
        fixture.store.advance(milliseconds: 31 * 86_400_000)
        while try await fixture.store.store.write({ try $0.events.expire(limit: 100) }) > 0 {}
        func dropped() async throws -> [AccountKey] {
            try await fixture.store.store.read { [fixture] snapshot in
                guard let webhook = try snapshot.webhooks.get(fixture.webhook.key) else { return [] }
                return try snapshot.deliveries.droppedAccounts(of: webhook, behind: webhook.cursor).map(\.key)
            }
        }
        #expect(try await dropped() == [fixture.account.key])
        var progress = WebhookProgress()
        progress.dropped = try await dropped()
        _ = try await fixture.settle(progress)
        #expect(try await dropped().isEmpty)
        let log = try await fixture.store.store.read { [fixture] snapshot in
            try snapshot.deliveries.scan(for: fixture.webhook, after: 0, limit: 10)
        }
        // The webhook itself does not get what is about it.
        #expect(log.events.isEmpty)
        let position = try await fixture.store.store.read { try $0.events.lastPosition() }
        let type = try await fixture.store.store.read { snapshot in
            try snapshot.deliveries.event(at: position) { $0.type.repairedUTF8String() }
        }
        #expect(type == "webhook.events_dropped")
    }

    @Test func figuresAddUp() async throws {
        let fixture = try await Fixture()
        let events = try await fixture.events(4)
        _ = try await fixture.settle(
            progress(
                [
                    result(events[0], .pending, due: fixture.now()), result(events[1], .failed),
                    result(events[2], .delivered),
                ],
                cursor: events[2].position
            )
        )
        let totals = try await fixture.store.store.read { try $0.deliveries.totals() }
        #expect(totals.rows == [.pending: 1, .failed: 1, .delivered: 1])
        #expect(totals.webhooks == [.active: 1])
        #expect(totals.waiting == 1 && totals.oldest == events[0].time)
    }
}
