// SPDX-License-Identifier: Apache-2.0

import Accounts
import Foundation
import Logging
import MailTypes
import OAuthSupport
import Runtime
import Storage
import Testing
import Wire

@testable import OAuth

/// A provider on this machine that answers as a test says, and an account with a grant of it.
final class FakeProvider: Sendable {
    let keeper: TokenKeeper
    let box: SecretBox
    let store: Store
    let account: AccountRow
    private let endpoint: FakeTokenEndpoint
    /// Added to the clock, in milliseconds.
    let passed: Lock<Int64>

    var forms: Lock<[String]> { endpoint.forms }

    static func token(_ access: String, refresh: String? = nil, seconds: Int = 3600) -> (Int, String) {
        FakeTokenEndpoint.token(access, refresh: refresh, seconds: seconds)
    }

    private init(_ endpoint: FakeTokenEndpoint, _ store: Store, _ account: AccountRow, _ logger: Logger) {
        self.endpoint = endpoint
        self.store = store
        self.account = account
        box = SecretBox(key: Secret([UInt8](repeating: 5, count: 32)))
        let passed = Lock<Int64>(0)
        self.passed = passed
        keeper = endpoint.keeper(store: store, box: box, clock: .system(ahead: passed), logger: logger)
    }

    /// Runs `body` on a loop, with the refresh token `r0` for the account.
    static func run<R: Sendable>(
        _ script: @escaping FakeTokenEndpoint.Script,
        _ body: @escaping @Sendable (FakeProvider) async throws -> R
    ) async throws -> R {
        try await FakeTokenEndpoint.run(script) { endpoint in
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-oauth-\(UUID())")
            defer { try? FileManager.default.removeItem(at: folder) }
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let store = try Store.open(StoreConfiguration(directory: folder.path), clock: .system, logger: logger)
            defer { store.close() }
            let address = try #require(EmailAddress("ann@example.com"))
            let account = try await store.write { try $0.accounts.create(NewAccount(kind: .imap, address: address)) }
            let fake = FakeProvider(endpoint, store, account, logger)
            let grant = fake.keeper.grant(refresh: Secret(Array("r0".utf8)), at: "generic", for: account.id)
            try await store.write { try $0.oauthGrants.put(grant, of: account.key) }
            return try await body(fake)
        }
    }

    /// The token, or the error, in words.
    func token(insteadOf rejected: String? = nil) async -> String {
        do throws(AccessTokenError) {
            let token = try await keeper.token(
                for: account.key,
                insteadOf: rejected.map { Secret(Array($0.utf8)) }
            )
            return token.withOctets { String(decoding: $0, as: UTF8.self) }
        } catch {
            switch error {
            case .refused(let reason): return "refused: \(reason)"
            case .unavailable: return "unavailable"
            }
        }
    }
}
