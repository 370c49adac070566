// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Storage

@Suite struct WebhooksTests {
    private func create(
        _ store: TestStore,
        scope: [AccountID]? = nil,
        _ settings: WebhookSettings? = nil
    ) async throws
        -> WebhookRow
    {
        let settings = settings ?? WebhookSettings(url: "https://example.org/")
        let secret = NewWebhookSecret(kind: .hmac, sealed: [1, 9, 9, 9, 9, 1], publicKey: nil)
        return try await store.store.write {
            try $0.webhooks.create(.random(), scope: scope, settings, secrets: [secret], limit: 3)
        }
    }

    @Test func everythingComesBackAsItWentIn() async throws {
        let store = try TestStore()
        let account = try await store.account()
        var settings = WebhookSettings(url: "https://example.org/x")
        settings.name = "mine"
        settings.filter.types = ["message.*", "folder.created"]
        settings.filter.accounts = [account.id]
        settings.filter.folders = [.random(), .random()]
        settings.filter.query = "from:ann"
        settings.payload = .full
        settings.isOrdered = true
        settings.signatures = [.hmac, .ed25519]
        settings.headers = [1, 2, 3]
        settings.headerNames = ["X-A", "X-B"]
        let made = try await create(store, scope: [account.id], settings)
        let found = try await store.store.read { try $0.webhooks.get(made.id) }
        #expect(found == made)
        #expect(found?.settings == settings && found?.scope == [account.id] && found?.state == .active)
    }

    @Test func itBeginsBehindWhatHappenedBefore() async throws {
        let store = try TestStore()
        let account = try await store.account()
        let made = try await create(store)
        let events = try await store.store.read { snapshot in
            try snapshot.deliveries.scan(for: made, after: made.cursor, limit: 10)
        }
        #expect(events.events.isEmpty && events.isAtEnd)
        try await store.deliver("new", to: try await store.folder(.inbox, of: account))
        let scan = try await store.store.read { try $0.deliveries.scan(for: made, after: made.cursor, limit: 10) }
        #expect(scan.events.map(\.type) == ["message.added"] || scan.events.map(\.type) == ["message.received"])
    }

    @Test func thereIsALimit() async throws {
        let store = try TestStore()
        for _ in 0..<3 { _ = try await create(store) }
        await #expect(throws: StoreError.exhausted) { try await create(store) }
    }

    @Test func ofTwoChangesTheSecondOfAnOldStateIsRefused() async throws {
        let store = try TestStore()
        let made = try await create(store)
        let paused = try await store.store.write { try $0.webhooks.update(made, nil, state: .paused) }
        #expect(paused.state == .paused && paused.version == made.version + 1)
        await #expect(throws: StoreError.preconditionFailed) {
            try await store.store.write { try $0.webhooks.update(made, nil, state: .active) }
        }
    }

    @Test func oldSecretsExpireAndNeverPileUp() async throws {
        let store = try TestStore()
        var webhook = try await create(store)
        func secrets() async throws -> [WebhookSecretRow] {
            let key = webhook.key
            return try await store.store.read { try $0.webhooks.secrets(of: key) }
        }
        for number in UInt8(1)...10 {
            let (old, secret) = (webhook, NewWebhookSecret(kind: .hmac, sealed: [number], publicKey: nil))
            webhook = try await store.store.write {
                try $0.webhooks.rotate(old, to: [secret], overlapMilliseconds: 1000)
            }
        }
        #expect(try await secrets().count == Webhooks<Transaction>.maximumSecrets)
        #expect(try await secrets().first?.sealed == [10])
        #expect(try await secrets().first?.expires == nil)
        store.advance(milliseconds: 1000)
        #expect(try await secrets().map(\.sealed) == [[10]])
    }

    @Test func aRotationDoesNotProlongAnOlderSecret() async throws {
        let store = try TestStore()
        let webhook = try await create(store)
        let first = try await store.store.write {
            try $0.webhooks.rotate(
                webhook,
                to: [NewWebhookSecret(kind: .hmac, sealed: [1], publicKey: nil)],
                overlapMilliseconds: 1000
            )
        }
        _ = try await store.store.write {
            try $0.webhooks.rotate(
                first,
                to: [NewWebhookSecret(kind: .hmac, sealed: [2], publicKey: nil)],
                overlapMilliseconds: 100_000
            )
        }
        store.advance(milliseconds: 2000)
        let left = try await store.store.read { try $0.webhooks.secrets(of: webhook.key) }
        #expect(left.map(\.sealed) == [[2], [1]])
    }

    @Test func whatIsEncryptedIsCountedByItsKey() async throws {
        let store = try TestStore()
        var settings = WebhookSettings(url: "https://example.org/")
        settings.headers = [1, 7, 7, 7, 7, 5]
        _ = try await create(store, settings)
        _ = try await create(store)
        let values = try await store.store.read { try $0.sealedValues() }
        #expect(
            Set(values) == [
                SealedValues(head: [1, 9, 9, 9, 9], rows: 2), SealedValues(head: [1, 7, 7, 7, 7], rows: 1),
            ]
        )
    }
}

@Suite struct WebhookFilterTests {
    private let account = AccountID.random()
    private let folder = FolderID.random()

    private func wants(
        _ filter: WebhookFilter,
        _ type: String,
        _ data: String = "{}",
        of other: AccountID? = nil
    ) -> Bool {
        filter.wants(type: Array(type.utf8).span, of: other ?? account, data: Array(data.utf8).span)
    }

    @Test func nothingAskedForIsEverything() {
        #expect(wants(WebhookFilter(), "message.received"))
    }

    @Test func typesAreWordsOrGroups() {
        var filter = WebhookFilter()
        filter.types = ["message.*", "folder.created"]
        #expect(wants(filter, "message.received") && wants(filter, "folder.created"))
        #expect(!wants(filter, "folder.deleted") && !wants(filter, "message") && !wants(filter, "account.created"))
    }

    @Test func accountsAndFoldersBothMustHold() {
        var filter = WebhookFilter()
        filter.accounts = [account]
        filter.folders = [folder]
        #expect(wants(filter, "message.moved", #"{"id":"x","folderId":"\#(folder)"}"#))
        #expect(wants(filter, "message.moved", #"{"folderId":"\#(FolderID.random())","fromFolderId":"\#(folder)"}"#))
        #expect(!wants(filter, "message.moved", #"{"folderId":"\#(FolderID.random())"}"#))
        #expect(!wants(filter, "account.updated"))
        #expect(!wants(filter, "message.moved", #"{"folderId":"\#(folder)"}"#, of: .random()))
    }

    @Test(arguments: ["message.received", "message.*", "webhook.disabled", "folder.*"]) func isKnown(_ type: String) {
        #expect(WebhookFilter.isKnown(type: type))
    }

    @Test(arguments: ["", "*", ".*", "message", "message.", "message.nothing", "mess.*", "message.received ", "a b"])
    func isNot(_ type: String) {
        #expect(!WebhookFilter.isKnown(type: type))
    }
}
