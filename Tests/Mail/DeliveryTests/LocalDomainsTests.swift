// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import MailTypes
import Runtime
import Storage
import Testing

@testable import Delivery

@Suite struct LocalDomainsTests {
    /// Two sessions look at the clock; the one that looked first comes second.
    @Test func aReadingOlderThanTheListIsNoTrap() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("postern-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let monotonic = Lock<UInt64>(60_000_000_000)
        let clock = Clock(now: Clock.system.now, monotonic: { monotonic.withLock { $0 } })
        let store = try Store.open(
            StoreConfiguration(directory: folder.path),
            clock: clock,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        defer { store.close() }
        let address = try #require(EmailAddress("ann@example.org"))
        _ = try await store.write { try $0.accounts.create(NewAccount(address: address)) }
        let domains = LocalDomains(store: store, configured: [])
        #expect(try await domains.contains(address.domain))
        monotonic.withLock { $0 -= 1_000_000_000 }
        #expect(try await domains.contains(address.domain))
        monotonic.withLock { $0 += 60_000_000_000 }
        #expect(try await domains.contains(address.domain))
    }
}
