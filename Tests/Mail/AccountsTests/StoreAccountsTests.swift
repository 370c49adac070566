// SPDX-License-Identifier: Apache-2.0

import Files
import Foundation
import Logging
import MailTypes
import Runtime
import Storage
import Testing
import Wire

@testable import Accounts

@Suite struct StoreAccountsTests {
    private func withStore(_ body: (Store, String) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-\(UUID().uuidString)").path
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try Store.open(StoreConfiguration(directory: folder), clock: .system, logger: logger)
        defer {
            store.close()
            try? FileManager.default.removeItem(atPath: folder)
        }
        try await body(store, folder)
    }

    @Test func tokensOutliveTheirAuthenticator() async throws {
        try await withStore { store, _ in
            let account = AccountID.random()
            let draft = TokenDraft(
                name: "app",
                scopes: [.read, .send],
                accounts: [account],
                origins: ["https://a.example", "https://b.example"],
                expiresAt: Timestamp(seconds: 4_000_000_000)
            )
            let made = try await TokenAuthenticator(rows: StoreTokens(store), clock: .system).create(draft)
            let tokens = TokenAuthenticator(rows: StoreTokens(store), clock: .system)
            let bearer = made.text.withOctets { $0 }
            #expect(try await tokens.authenticate(bearer: bearer.span) == made.grant)
            #expect(try await tokens.list() == [made.grant])
            #expect(try await tokens.revoke(made.grant.id))
            #expect(try await tokens.authenticate(bearer: bearer.span) == nil)
        }
    }

    @Test func theAdminTokenIsMadeOnce() async throws {
        try await withStore { store, folder in
            let tokens = TokenAuthenticator(rows: StoreTokens(store), clock: .system)
            let path = folder + "/" + AdminToken.fileName
            #expect(try await AdminToken.ensure(at: path, tokens: tokens))
            let text = try Files.contents(path, limit: 1000)
            #expect(text.last == 10)
            let bearer = Array(text.dropLast())
            let grant = try await tokens.authenticate(bearer: bearer.span)
            #expect(grant?.scopes == .all && grant?.accounts == nil)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            #expect(try await !AdminToken.ensure(at: path, tokens: tokens))
            #expect(try Files.contents(path, limit: 1000) == text)
        }
    }

    @Test func loginsAreNamedByAddressOrAlias() async throws {
        try await withStore { store, _ in
            let address = try #require(EmailAddress("Ann@example.org"))
            let made = try await store.write {
                try $0.accounts.create(NewAccount(address: address, alias: "ann", verifier: [1, 2]))
            }
            let logins = StoreLogins(store)
            for name in ["ann@EXAMPLE.org", "ANN@example.org", "ann"] {
                let record = try await logins.login(named: Array(name.utf8))
                #expect(record?.account == made.id && record?.verifier == [1, 2])
            }
            for name in ["", "bob", "ann@example.com", "\u{FF}", "a\u{0}"] {
                #expect(try await logins.login(named: Array(name.utf8)) == nil)
            }
        }
    }
}
