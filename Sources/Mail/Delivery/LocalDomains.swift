// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Runtime
package import Storage

/// The domains that are ours: those configured, and those of the local accounts.
///
/// It only decides how the refusal of an unknown recipient is worded and whose postmaster is meant, so it may be some
/// seconds old.
package final class LocalDomains: Sendable {
    private struct Known {
        var domains: Set<Domain> = []
        /// When they were read, in milliseconds; nil for never.
        var readAt: UInt64?
    }

    static let freshMilliseconds: UInt64 = 10_000
    private static let page = 500

    private let store: Store
    private let configured: Set<Domain>
    private let known = Lock(Known())

    package init(store: Store, configured: Set<Domain>) {
        self.store = store
        self.configured = configured
    }

    package func contains(_ domain: Domain) async throws -> Bool {
        if configured.contains(domain) { return true }
        let now = store.clock.monotonic() / 1_000_000
        let fresh = known.withLock { known -> Set<Domain>? in
            // Somebody who looked at the clock behind us may have noted it before us: then `readAt` is later than `now`.
            guard let readAt = known.readAt, now < readAt &+ Self.freshMilliseconds else { return nil }
            return known.domains
        }
        if let fresh { return fresh.contains(domain) }
        let domains = try await read()
        known.withLock { $0 = Known(domains: domains, readAt: now) }
        return domains.contains(domain)
    }

    /// What was last read says so.
    func containsKnown(_ domain: Domain) -> Bool {
        configured.contains(domain) || known.withLock { $0.domains.contains(domain) }
    }

    private func read() async throws -> Set<Domain> {
        var domains: Set<Domain> = []
        var after: AccountKey?
        repeat {
            let start = after
            let accounts = try await store.read { try $0.accounts.list(after: start, limit: Self.page) }
            for account in accounts where account.kind == .local { domains.insert(account.address.domain) }
            after = accounts.count == Self.page ? accounts.last?.key : nil
        } while after != nil
        return domains
    }
}
