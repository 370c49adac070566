// SPDX-License-Identifier: Apache-2.0

import Crypto
import Files
import Foundation
import Logging
import MailTypes
import Runtime
import Storage
import Testing
import Wire

@testable import Accounts

@Suite struct KeyRotationTests {
    /// A store with secrets of every kind, of several accounts and webhooks.
    private struct Fixture {
        static let count = 7
        let store: Store
        let path: String
        let complaints = Lock(0)

        private static func words(_ row: SealedRow) -> [UInt8] { Array("\(row.field)".utf8) + row.row }

        func prepare(given: Secret? = nil, previous: Secret? = nil) async throws -> SecretBox {
            try await SecretKeyFile.prepare(given: given, previous: previous, directory: path, store: store) {
                _ in complaints.withLock { $0 += 1 }
            }
        }

        func rotation(_ box: SecretBox, batch: Int = 3) -> KeyRotation {
            KeyRotation(store: store, box: box, directory: path, batch: batch)
        }

        /// Puts secrets there, each of which is what it is bound to.
        func fill(_ box: SecretBox) async throws {
            @Sendable func seal(_ field: StaticString, _ row: [UInt8]) -> [UInt8] {
                box.seal(Array("\(field)".utf8) + row, at: SecretBox.Place(field, row: row))
            }
            for index in 0..<Self.count {
                let webhook = WebhookID.random()
                let secret = NewWebhookSecret(
                    kind: .hmac,
                    sealed: seal("webhook_secrets.sealed", webhook.octets + [WebhookSignatures.hmac.rawValue]),
                    publicKey: nil
                )
                var settings = WebhookSettings(url: "https://example.org/")
                settings.headers = seal("webhooks.headers", webhook.octets)
                let address = try #require(EmailAddress("a\(index)@example.com"))
                let (kept, new) = (settings, NewAccount(kind: .imap, address: address))
                try await store.write { tx in
                    _ = try tx.webhooks.create(webhook, scope: nil, kept, secrets: [secret], limit: 100)
                    let account = try tx.accounts.create(new)
                    for service in [RemoteService.imap, .smtp] {
                        let server = RemoteServer(
                            service: service,
                            host: "h",
                            port: 1,
                            security: .implicit,
                            username: "u",
                            credential: .password,
                            secret: seal("remote_servers.secret", new.id.octets + Array(service.rawValue.utf8))
                        )
                        try tx.remoteServers.put(server, of: account.key)
                    }
                    var grant = OAuthGrant(provider: "google", refresh: seal("oauth_grants.refresh", new.id.octets))
                    if index > 0 { grant.access = seal("oauth_grants.access", new.id.octets) }
                    try tx.oauthGrants.put(grant, of: account.key)
                }
            }
        }

        /// Has a value that no key opens, which some others are sealed anew before; where it is, and what it was.
        func breakValue() async throws -> (row: SealedRow, whole: [UInt8]) {
            let rows = try await store.read { try $0.sealedRows(notBeginningWith: [], limit: 10_000) }
            let row = try #require(rows.dropFirst(4).first)
            var broken = row.sealed
            broken[broken.count - 1] ^= 1
            let octets = broken
            try await store.write { try $0.replace(row, with: octets) }
            return (row, row.sealed)
        }

        /// Every value is there and says where it belongs; by which keys they are sealed.
        func check(_ box: SecretBox) async throws -> Set<[UInt8]> {
            let rows = try await store.read { try $0.sealedRows(notBeginningWith: [], limit: 10_000) }
            #expect(rows.count == 6 * Self.count - 1)
            for row in rows {
                let opened = try box.open(row.sealed, at: SecretBox.Place(row.field, row: row.row))
                #expect(opened.withOctets { $0 } == Self.words(row))
            }
            return Set(rows.map { SecretBox.keyID(of: $0.sealed) })
        }
    }

    private func withFixture(_ body: (Fixture) async throws -> Void) async throws {
        let path = NSTemporaryDirectory() + "postern-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try Store.open(
            StoreConfiguration(directory: path),
            clock: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        defer { store.close() }
        try await body(Fixture(store: store, path: path))
    }

    @Test func everySecretIsSealedAnew() async throws {
        try await withFixture { fixture in
            let box = try await fixture.prepare()
            try await fixture.fill(box)
            let (old, file) = (box.keyID, try Files.contents("\(fixture.path)/secret.key", limit: 100))
            #expect(try await fixture.rotation(box).rotate {} == 6 * Fixture.count - 1)
            #expect(box.keyID != old)
            #expect(try await fixture.check(box) == [box.keyID])
            #expect(try Files.contents("\(fixture.path)/secret.key", limit: 100) != file)
            #expect(!Files.exists("\(fixture.path)/secret.key.next"))
            let fresh = try await fixture.prepare()
            #expect(fresh.keyIDs == [box.keyID])
            #expect(try await fixture.check(fresh) == [box.keyID])
        }
    }

    /// However far it came: with the new key's file made, with so many batches done, with all of them.
    @Test(arguments: [0, 1, 5, 1000])
    func aRotationThatWasCutShortIsFinishedAtTheNextStart(_ batches: Int) async throws {
        try await withFixture { fixture in
            let box = try await fixture.prepare()
            try await fixture.fill(box)
            let old = box.keyID
            let rotation = fixture.rotation(box)
            try rotation.begin()
            for _ in 0..<batches where try await rotation.resealSome() == 0 { break }
            let found = try await fixture.check(box)
            #expect(found == (batches == 0 ? [old] : batches == 1000 ? [box.keyID] : [old, box.keyID]))
            // Here the process ends.
            let next = try await fixture.prepare()
            #expect(next.keyID == box.keyID)
            #expect(try await fixture.check(next) == [box.keyID])
            #expect(!Files.exists("\(fixture.path)/secret.key.next"))
            #expect(try await fixture.prepare().keyIDs == [box.keyID])
        }
    }

    /// Sealed before the key changed, stored after.
    @Test func whatWasOnItsWayIsSealedAnewToo() async throws {
        try await withFixture { fixture in
            let box = try await fixture.prepare()
            let late = SecretBox(key: try #require(try self.key(of: fixture.path)))
            var isFirst = true
            _ = try await fixture.rotation(box).rotate {
                if isFirst { try? await fixture.fill(late) }
                isFirst = false
            }
            #expect(try await fixture.check(box) == [box.keyID])
        }
    }

    private func key(of path: String) throws -> Secret? {
        let text = try Files.contents("\(path)/secret.key", limit: 100).filter { $0 != ASCII.lf }
        return Base64.decode(text.span).map { Secret($0) }
    }

    @Test func aGivenKeyIsChangedByGivingBoth() async throws {
        try await withFixture { fixture in
            let (old, new) = (Base64.encode(RandomOctets.make(32)), Base64.encode(RandomOctets.make(32)))
            try await fixture.fill(try await fixture.prepare(given: Secret(old)))
            await #expect(throws: SecretKeyFile.Failure.self) { try await fixture.prepare(given: Secret(new)) }
            let box = try await fixture.prepare(given: Secret(new), previous: Secret(old))
            #expect(try await fixture.check(box) == [box.keyID])
            let alone = try await fixture.prepare(given: Secret(new))
            #expect(try await fixture.check(alone) == [box.keyID])
        }
    }

    @Test func aKeyIsKeptAsLongAsSomethingCannotBeRead() async throws {
        try await withFixture { fixture in
            let box = try await fixture.prepare()
            try await fixture.fill(box)
            let (row, whole) = try await fixture.breakValue()
            await #expect(throws: KeyRotation.Unreadable.self) { try await fixture.rotation(box).rotate {} }
            #expect(Files.exists("\(fixture.path)/secret.key.next"))
            #expect(box.keyIDs.count == 2)
            // Values are sealed by the next key, which nothing but its file has: trying again makes no third one.
            let next = try Files.contents("\(fixture.path)/secret.key.next", limit: 100)
            await #expect(throws: KeyRotation.Unreadable.self) { try await fixture.rotation(box).rotate {} }
            #expect(try Files.contents("\(fixture.path)/secret.key.next", limit: 100) == next)
            #expect(box.keyIDs.count == 2)
            try await fixture.store.write { try $0.replace(row, with: whole) }
            _ = try await fixture.rotation(box).rotate {}
            #expect(try Files.contents("\(fixture.path)/secret.key", limit: 100) == next)
            #expect(try await fixture.check(try await fixture.prepare()) == [box.keyID])
        }
    }

    /// A value is replaced by means of a server that runs, so that it starts with both keys.
    @Test func whatCannotBeReadKeepsNothingFromStarting() async throws {
        try await withFixture { fixture in
            let box = try await fixture.prepare()
            try await fixture.fill(box)
            let (row, whole) = try await fixture.breakValue()
            await #expect(throws: KeyRotation.Unreadable.self) { try await fixture.rotation(box).rotate {} }
            let next = try await fixture.prepare()
            #expect(fixture.complaints.withLock { $0 } == 1)
            #expect(next.keyIDs == box.keyIDs)
            #expect(Files.exists("\(fixture.path)/secret.key.next"))
            try await fixture.store.write { try $0.replace(row, with: whole) }
            let last = try await fixture.prepare()
            #expect(fixture.complaints.withLock { $0 } == 1)
            #expect(try await fixture.check(last) == [box.keyID])
            #expect(!Files.exists("\(fixture.path)/secret.key.next"))
        }
    }
}
