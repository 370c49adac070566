// SPDX-License-Identifier: Apache-2.0

import Accounts
import Crypto
import Foundation
import JSON
import Logging
import MailTypes
import Metrics
import Runtime
import Sockets
import Storage
import Testing
import Wire

@testable import Webhooks

/// A receiver in the test's own hands.
final class FakeTransport: WebhookTransport {
    typealias Receiver = @Sendable (WebhookRequest) async -> WebhookAnswer

    private let requests = Lock<[WebhookRequest]>([])
    private let receiver: Receiver

    init(_ receiver: @escaping Receiver) { self.receiver = receiver }

    var all: [WebhookRequest] { requests.withLock { $0 } }

    /// The ids of what came, in its order.
    var ids: [String] { all.map { $0.value("webhook-id") } }

    func post(_ request: WebhookRequest) async -> WebhookAnswer {
        requests.withLock { $0.append(request) }
        return await receiver(request)
    }

    func objection(to address: WebhookAddress) -> String? { address.host == "denied.example" ? "not there" : nil }
}

extension WebhookRequest {
    func value(_ name: String) -> String {
        fields.first { $0.name == name }.map { String(decoding: $0.value, as: UTF8.self) } ?? ""
    }
}

extension WebhookAnswer {
    static let ok = WebhookAnswer.answered(status: 200, retryAfter: nil, body: Array("ok".utf8))
    static func status(_ status: Int, retryAfter: String? = nil) -> WebhookAnswer {
        .answered(status: status, retryAfter: retryAfter.map { Array($0.utf8) }, body: [])
    }
}

extension DeliveryEvent {
    /// Its number in the account's log, the folders that an account begins with left out.
    var number: Int64 { PlainBodies.number(seq) }
}

/// Bodies without mail.
struct PlainBodies: WebhookBodyWriter {
    struct Broken: Error {}

    let store: Store
    /// Events that cannot be made ready, by their numbers.
    var broken: Set<Int64> = []

    static func number(_ seq: Int64) -> Int64 { seq - Int64(FolderRole.allCases.count) }

    func event(at position: Int64, payload: WebhookPayload) async throws -> WebhookEventBody? {
        let broken = broken
        return try await store.read { snapshot in
            try snapshot.deliveries.event(at: position) { event in
                let number = Self.number(event.seq)
                if broken.contains(number) { throw Broken() }
                return WebhookEventBody(id: Array("evt_\(number)".utf8), body: Array("{}".utf8))
            }
        }
    }

    func test(of webhook: WebhookRow, now: Timestamp) -> WebhookEventBody {
        WebhookEventBody(id: Array("evt_test".utf8), body: Array("{}".utf8))
    }
}

/// Finds no words in anything.
private struct NoWords: SearchTextExtractor {
    let version: Int64 = 1
    func text(of content: StoredContent) throws -> SearchableText { SearchableText() }
}

/// A store with an account, and a dispatcher that sends to a fake receiver.
final class DispatcherFixture: Sendable {
    let directory: String
    let store: Store
    let search: SearchService
    let dispatcher: WebhookDispatcher
    let transport: FakeTransport
    let group: EventLoopGroup
    let box: SecretBox
    let metrics = MetricsRegistry()

    /// - Parameter stopped: one whose store goes on.
    init(
        after stopped: DispatcherFixture? = nil,
        broken: Set<Int64> = [],
        limits change: (inout WebhookLimits) -> Void = { _ in },
        _ receiver: @escaping FakeTransport.Receiver
    ) throws {
        directory = stopped?.directory ?? NSTemporaryDirectory() + "postern-\(UUID().uuidString)"
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        store =
            try stopped?.store ?? Store.open(StoreConfiguration(directory: directory), clock: .system, logger: logger)
        search = try stopped?.search ?? SearchService(store: store, extractor: NoWords(), logger: logger)
        group = try EventLoopGroup(count: 1)
        transport = FakeTransport(receiver)
        box = SecretBox(key: Secret([UInt8](repeating: 9, count: 32)))
        var limits = WebhookLimits()
        limits.schedule = RetrySchedule(seconds: [0, 0, 0, 0, 0, 0])
        limits.probeMilliseconds = 20
        limits.gatherMilliseconds = 1
        change(&limits)
        dispatcher = WebhookDispatcher(
            WebhookParts(
                store: store,
                search: search,
                vault: WebhookVault(box),
                transport: transport,
                bodies: PlainBodies(store: store, broken: broken),
                limits: limits,
                metrics: metrics,
                clock: .system,
                logger: logger
            ),
            loops: group.loops
        )
    }

    func stop() async {
        await dispatcher.stop()
        search.stop()
        store.close()
    }

    func account(_ name: String = "ann") async throws -> AccountRow {
        let address = try #require(EmailAddress("\(name)@example.org"))
        return try await store.write { try $0.accounts.create(NewAccount(address: address, alias: name)) }
    }

    @discardableResult
    func webhook(
        _ change: (inout WebhookSettings) -> Void = { _ in },
        scope: [AccountID]? = nil
    ) async throws
        -> WebhookRow
    {
        let id = WebhookID.random()
        var settings = WebhookSettings(url: "https://example.org/hook")
        change(&settings)
        let (wanted, vault) = (settings, dispatcher.vault)
        let secret = vault.seal(WebhookSecret.random(.hmac), of: id)
        let webhook = try await store.write {
            try $0.webhooks.create(id, scope: scope, wanted, secrets: [secret], limit: 100)
        }
        dispatcher.note(webhook)
        return webhook
    }

    /// Makes folders, each of which is an event.
    func happen(_ count: Int, in account: AccountRow, _ prefix: String = "f") async throws {
        for number in 0..<count {
            let name = try FolderName("\(prefix)\(number)")
            _ = try await store.write { try $0.folders.create(name, in: account.key) }
        }
    }

    func deliveries(of webhook: WebhookRow, _ state: DeliveryState? = nil) async throws -> [DeliveryRow] {
        try await store.read { try $0.deliveries.list(of: webhook.key, state: state, before: nil, limit: 10_000) }
    }

    func current(_ webhook: WebhookRow) async throws -> WebhookRow? {
        try await store.read { try $0.webhooks.get(webhook.key) }
    }
}

/// Looks again and again until it is so; false after a long time.
func eventually(_ isTrue: () async throws -> Bool) async rethrows -> Bool {
    for _ in 0..<3000 {
        if try await isTrue() { return true }
        try? await Task.sleep(nanoseconds: 10_000_000)
    }
    return try await isTrue()
}
