// SPDX-License-Identifier: Apache-2.0

import Foundation
import MailTypes
import Metrics
import Runtime
import Storage
import Testing
import Wire

@testable import Webhooks

@Suite struct WebhookDispatcherTests {
    private func with(
        broken: Set<Int64> = [],
        limits: (inout WebhookLimits) -> Void = { _ in },
        _ receiver: @escaping FakeTransport.Receiver,
        _ body: (DispatcherFixture) async throws -> Void
    ) async throws {
        let fixture = try DispatcherFixture(broken: broken, limits: limits, receiver)
        defer { try? FileManager.default.removeItem(atPath: fixture.directory) }
        try await fixture.dispatcher.start()
        do {
            try await body(fixture)
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    private func ids(_ range: ClosedRange<Int>) -> Set<String> { Set(range.map { "evt_\($0)" }) }

    @Test func everyEventComesSignedAndTheCursorFollows() async throws {
        try await with({ _ in .ok }) { fixture in
            let account = try await fixture.account()
            let webhook = try await fixture.webhook()
            // The account's own, number 1 and before, came before there was a webhook.
            try await fixture.happen(30, in: account)
            #expect(await eventually { Set(fixture.transport.ids) == ids(2...31) })
            let last = try await fixture.store.read { try $0.events.lastPosition() }
            #expect(try await eventually { try await fixture.current(webhook)?.cursor == last })
            let request = try #require(fixture.transport.all.first)
            #expect(request.url == "https://example.org/hook")
            #expect(request.value("webhook-signature").hasPrefix("v1,"))
            #expect(request.value("Content-Type") == "application/json")
            #expect(try await fixture.deliveries(of: webhook, .delivered).count == 30)
            let text = await fixture.metrics.text()
            #expect(text.array().span.repairedUTF8String().contains(#"deliveries_total{result="delivered"} 30"#))
        }
    }

    @Test func whatFailsComesAgainWithTheSameIDAndDelaysNobody() async throws {
        let seen = Lock<[String: Int]>([:])
        try await with({ request in
            let id = request.value("webhook-id")
            let count = seen.withLock { seen in
                seen[id, default: 0] += 1
                return seen[id] ?? 0
            }
            return id == "evt_3" && count < 4 ? .status(500) : .ok
        }) { fixture in
            let account = try await fixture.account()
            let webhook = try await fixture.webhook()
            try await fixture.happen(10, in: account)
            #expect(await eventually { seen.withLock { $0["evt_3"] == 4 && $0.count == 10 } })
            #expect(try await eventually { try await fixture.deliveries(of: webhook, .pending).isEmpty })
            let third = try await fixture.deliveries(of: webhook).first { $0.event.number == 3 }
            #expect(third?.state == .delivered && third?.attempts == 4)
        }
    }

    @Test func anEventThatRanOutIsKeptAndCanBeSentAgain() async throws {
        let isDown = Lock(true)
        try await with({ _ in isDown.withLock { $0 } ? .status(500) : .ok }) { fixture in
            let account = try await fixture.account()
            let webhook = try await fixture.webhook()
            try await fixture.happen(3, in: account)
            #expect(try await eventually { try await fixture.deliveries(of: webhook, .failed).count == 3 })
            #expect(try await fixture.deliveries(of: webhook, .failed).allSatisfy { $0.attempts == 7 })
            isDown.withLock { $0 = false }
            let retried = try await fixture.store.write {
                try $0.deliveries.retryFailed(of: webhook.key, since: nil, before: nil)
            }
            #expect(retried == 3)
            fixture.dispatcher.note(webhook)
            #expect(try await eventually { try await fixture.deliveries(of: webhook, .delivered).count == 3 })
        }
    }

    @Test func aDeadEndpointDelaysNobody() async throws {
        try await with({ request in
            guard request.url.hasSuffix("dead") else { return .ok }
            try? await Task.sleep(nanoseconds: 3_600_000_000_000)
            return .cancelled
        }) { fixture in
            let account = try await fixture.account()
            for _ in 0..<3 { try await fixture.webhook { $0.url = "https://example.org/dead" } }
            let webhook = try await fixture.webhook()
            try await fixture.happen(100, in: account)
            #expect(try await eventually { try await fixture.current(webhook)?.lastSuccess != nil })
            #expect(
                await eventually {
                    Set(fixture.transport.all.filter { $0.url.hasSuffix("hook") }.map { $0.value("webhook-id") })
                        == ids(2...101)
                }
            )
        }
    }

    @Test func oneThatFailsThroughoutIsProbedWhileItsEventsWait() async throws {
        let isDown = Lock(true)
        try await with(
            limits: {
                $0.schedule = RetrySchedule(seconds: [3600, 3600])
                $0.concurrency = 2
            },
            { _ in isDown.withLock { $0 } ? .status(503) : .ok }
        ) { fixture in
            let account = try await fixture.account()
            let webhook = try await fixture.webhook()
            try await fixture.happen(50, in: account)
            // Two fail, then it is down; probes do not use up what is tried.
            #expect(await eventually { fixture.transport.ids.count >= 12 })
            #expect(Set(fixture.transport.ids).count < 10)
            isDown.withLock { $0 = false }
            // Its own failing has a number among theirs.
            #expect(await eventually { Set(fixture.transport.ids).count == 50 })
            #expect(try await eventually { try await fixture.deliveries(of: webhook, .pending).isEmpty })
            #expect(try await fixture.current(webhook)?.failures == 0)
            let types = try await fixture.store.read { snapshot in
                var types: [String] = []
                for position in 1...(try snapshot.events.lastPosition()) {
                    if let type = try snapshot.deliveries.event(at: position, { $0.type.repairedUTF8String() }) {
                        types.append(type)
                    }
                }
                return types
            }
            #expect(types.contains("webhook.failing") && types.contains("webhook.recovered"))
        }
    }

    @Test func goneDisablesWithAnEvent() async throws {
        try await with({ _ in .status(410) }) { fixture in
            let account = try await fixture.account()
            let webhook = try await fixture.webhook()
            let other = try await fixture.webhook { $0.filter.types = ["webhook.*"] }
            try await fixture.happen(1, in: account)
            #expect(try await eventually { try await fixture.current(webhook)?.state == .disabled })
            #expect(try await fixture.current(webhook)?.reason?.contains("410") == true)
            // The other one gets the news, and is gone itself.
            #expect(try await eventually { try await fixture.current(other)?.state == .disabled })
        }
    }

    @Test func anOrderedOneKeepsTheOrderWhateverFails() async throws {
        let seen = Lock<[String: Int]>([:])
        try await with({ request in
            let id = request.value("webhook-id")
            let count = seen.withLock { seen in
                seen[id, default: 0] += 1
                return seen[id] ?? 0
            }
            return count < 3 && ["evt_4", "evt_7"].contains(id) ? .status(500) : .ok
        }) { fixture in
            let account = try await fixture.account()
            try await fixture.webhook { $0.isOrdered = true }
            try await fixture.happen(12, in: account)
            #expect(await eventually { fixture.transport.ids.last == "evt_13" })
            var order: [String] = []
            for id in fixture.transport.ids where order.last != id { order.append(id) }
            #expect(order == (2...13).map { "evt_\($0)" })
        }
    }

    @Test func whatCannotBeMadeReadyBlocksNobodyUnlessOrderWasAskedFor() async throws {
        try await with(broken: [3], limits: { $0.schedule = RetrySchedule(seconds: [3600]) }, { _ in .ok }) { fixture in
            let account = try await fixture.account()
            let free = try await fixture.webhook()
            let ordered = try await fixture.webhook {
                $0.isOrdered = true
                $0.url = "https://example.org/ordered"
            }
            try await fixture.happen(5, in: account)
            #expect(
                try await eventually { try await fixture.deliveries(of: free, .delivered).count == 4 }
            )
            let waiting = try await fixture.deliveries(of: free, .pending)
            #expect(waiting.map(\.event.number) == [3])
            #expect(waiting.first?.last?.error?.contains("made ready") == true)
            #expect(try await eventually { try await fixture.deliveries(of: ordered, .pending).count == 1 })
            #expect(try await fixture.deliveries(of: ordered, .delivered).map(\.event.number) == [2])
        }
    }

    @Test func onlyWhatIsWantedComes() async throws {
        try await with({ _ in .ok }) { fixture in
            let (ann, bob) = (try await fixture.account(), try await fixture.account("bob"))
            try await fixture.webhook({ $0.url = "https://example.org/ann" }, scope: [ann.id])
            try await fixture.webhook {
                $0.url = "https://example.org/bob"
                $0.filter.accounts = [bob.id]
                $0.filter.types = ["folder.created"]
            }
            try await fixture.happen(3, in: ann)
            try await fixture.happen(4, in: bob)
            let folder = try #require(
                try await fixture.store.read { try $0.folders.find(FolderName("f0"), in: bob.key) }
            )
            try await fixture.webhook {
                $0.url = "https://example.org/folder"
                $0.filter.folders = [folder.id]
            }
            try await fixture.store.write { try $0.folders.delete(folder) }
            try await fixture.happen(1, in: ann, "last")
            func count(_ end: String) -> Int { fixture.transport.all.count { $0.url.hasSuffix(end) } }
            #expect(await eventually { count("ann") == 4 && count("bob") == 4 })
            #expect(await eventually { count("folder") == 1 })
        }
    }

    @Test func aRestartGoesOnWhereItWas() async throws {
        let first = try DispatcherFixture { _ in .status(500) }
        defer { try? FileManager.default.removeItem(atPath: first.directory) }
        try await first.dispatcher.start()
        let account = try await first.account()
        let webhook = try await first.webhook()
        try await first.happen(1, in: account)
        #expect(await eventually { !first.transport.ids.isEmpty })
        await first.dispatcher.stop()
        let second = try DispatcherFixture(after: first) { _ in .ok }
        try await second.happen(3, in: account, "g")
        try await second.dispatcher.start()
        #expect(
            try await eventually {
                try await second.deliveries(of: webhook, .delivered).count { $0.event.number > 2 } == 3
            }
        )
        // Whatever became of the first in the first run, it is delivered or kept.
        let rows = try await second.deliveries(of: webhook)
        #expect(second.transport.ids.contains("evt_2") || rows.contains { $0.event.number == 2 })
        await second.stop()
    }

    @Test func pausedOnesWaitAndDeletedOnesEnd() async throws {
        try await with({ _ in .ok }) { fixture in
            let account = try await fixture.account()
            let webhook = try await fixture.webhook()
            let paused = try await fixture.store.write { try $0.webhooks.update(webhook, nil, state: .paused) }
            fixture.dispatcher.note(paused)
            try await fixture.happen(3, in: account)
            let resumed = try await fixture.store.write { try $0.webhooks.update(paused, nil, state: .active) }
            fixture.dispatcher.note(resumed)
            #expect(await eventually { Set(fixture.transport.ids) == ids(2...4) })
            let isDeleted = try await fixture.store.write { try $0.webhooks.delete(webhook.id) }
            #expect(isDeleted)
            fixture.dispatcher.note(resumed)
            try await fixture.happen(1, in: account, "late")
            #expect(try await fixture.current(webhook) == nil)
        }
    }
}
