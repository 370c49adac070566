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

@Suite struct SecretKeyFileTests {
    private func withStore(_ body: (Store, String) async throws -> Void) async throws {
        let path = NSTemporaryDirectory() + "postern-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try Store.open(
            StoreConfiguration(directory: path),
            clock: .system,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        defer { store.close() }
        try await body(store, path)
    }

    /// Puts something encrypted into the store.
    private func seal(_ box: SecretBox, in store: Store) async throws {
        let id = WebhookID.random()
        let secret = NewWebhookSecret(
            kind: .hmac,
            sealed: box.seal([1, 2, 3], at: SecretBox.Place("webhook_secrets.sealed", row: id.octets)),
            publicKey: nil
        )
        _ = try await store.write {
            try $0.webhooks.create(
                id,
                scope: nil,
                WebhookSettings(url: "https://example.org/"),
                secrets: [secret],
                limit: 10
            )
        }
    }

    @Test func aKeyIsMadeOnceAndOnlyForUs() async throws {
        try await withStore { store, path in
            let first = try await SecretKeyFile.prepare(given: nil, directory: path, store: store) { _ in }
            let second = try await SecretKeyFile.prepare(given: nil, directory: path, store: store) { _ in }
            #expect(first.keyID == second.keyID)
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/secret.key")
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test func aGivenKeyLeavesNoFile() async throws {
        try await withStore { store, path in
            let text = Base64.encode(RandomOctets.make(32))
            _ = try await SecretKeyFile.prepare(given: Secret(text), directory: path, store: store) { _ in }
            #expect(!Files.exists("\(path)/secret.key"))
        }
    }

    @Test func withoutTheKeyOfWhatIsEncryptedNothingStarts() async throws {
        try await withStore { store, path in
            let box = try await SecretKeyFile.prepare(given: nil, directory: path, store: store) { _ in }
            try await seal(box, in: store)
            let file = "\(path)/secret.key"
            try Files.rename(file, to: file + ".away")
            let keyID = String(decoding: Hex.encode(box.keyID.span), as: UTF8.self)
            await #expect(throws: SecretKeyFile.Failure.missing(path: file, rows: 1, keyID: keyID)) {
                try await SecretKeyFile.prepare(given: nil, directory: path, store: store) { _ in }
            }
            #expect(!Files.exists(file))
            let other = Secret(Base64.encode(RandomOctets.make(32)))
            await #expect(throws: SecretKeyFile.Failure.wrong(source: "the configuration", rows: 1, keyID: keyID)) {
                try await SecretKeyFile.prepare(given: other, directory: path, store: store) { _ in }
            }
            try Files.rename(file + ".away", to: file)
            let again = try await SecretKeyFile.prepare(given: nil, directory: path, store: store) { _ in }
            #expect(again.keyID == box.keyID)
        }
    }

    @Test func aFileThatIsNoKeyIsSaidToBeNone() async throws {
        try await withStore { store, path in
            try Files.replaceContents(of: "\(path)/secret.key", with: Array("hello\n".utf8))
            await #expect(throws: SecretKeyFile.Failure.malformed(path: "\(path)/secret.key")) {
                try await SecretKeyFile.prepare(given: nil, directory: path, store: store) { _ in }
            }
        }
    }
}
