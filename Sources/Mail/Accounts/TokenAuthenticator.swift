// SPDX-License-Identifier: Apache-2.0

import Crypto
package import MailTypes
package import Runtime
package import Wire

/// Where token rows are kept: hashes and rights.
package protocol TokenRows: Sendable {
    func grant(hash: [UInt8]) async throws -> TokenGrant?
    func grants() async throws -> [TokenGrant]
    func insert(_ grant: TokenGrant, hash: [UInt8]) async throws
    /// False where there was none.
    func remove(_ id: TokenID) async throws -> Bool
    /// Keeps when tokens were last used; of those that are gone, nothing.
    func note(_ uses: [TokenID: Timestamp]) async throws
}

/// A token that is good now.
package struct Admission: Sendable {
    package let grant: TokenGrant
    package let use: TokenUse
    /// What the token may use; nil is no limit.
    package let budget: RequestBudget?
}

enum RandomToken {
    static func octets() -> [UInt8] { RandomOctets.make(32) }
}

/// Bearer tokens: made, looked up, revoked.
///
/// A token is found by its SHA-256, so that no comparison runs over the token itself, and what is found is compared once
/// more in constant time. What the store answered is remembered, "no such token" apart, until the token is revoked; so a
/// request with a known token costs a digest and a short lock.
package final class TokenAuthenticator: Sendable {
    private struct Remembered {
        /// The whole digest; the map's key is its first eight octets.
        let hash: [UInt8]
        let grant: TokenGrant
        let use: TokenUse
    }

    private struct Cache {
        var entries: [UInt64: Remembered] = [:]
        /// Counts revocations: what was read before one is not remembered after it.
        var generation = 0
        /// What each token may use; nil is no limit.
        var budget: RequestBudget?
    }

    /// At most so many tokens are remembered; then memory starts anew.
    static let capacity = 10_000

    private let rows: any TokenRows
    private let clock: Clock
    private let cache = Lock(Cache())
    private let watchers = Lock<[@Sendable (TokenID) -> Void]>([])
    /// Uses that the store does not know of yet.
    private let uses = Lock<[TokenID: Timestamp]>([:])

    package init(rows: any TokenRows, clock: Clock) {
        self.rows = rows
        self.clock = clock
    }

    /// The rights of a token, or nil for one that is unknown, revoked or expired, or that is no token at all.
    package func authenticate(bearer: Span<UInt8>) async throws -> TokenGrant? {
        try await admit(bearer: bearer)?.grant
    }

    /// The rights of a token as ``authenticate(bearer:)`` finds them, and what it has used of its budget.
    ///
    /// That it was used is noted.
    package func admit(bearer: Span<UInt8>) async throws -> Admission? {
        guard TokenText.isWellFormed(bearer) else { return nil }
        let now = Timestamp(milliseconds: clock.now())
        guard let (found, budget) = try await find(hash: Digest.sha256(bearer)), !found.grant.isExpired(at: now) else {
            return nil
        }
        if found.use.isWorthNoting(at: now.milliseconds) { uses.withLock { $0[found.grant.id] = now } }
        return Admission(grant: found.grant, use: found.use, budget: budget)
    }

    /// What each token may use from now on; nil is no limit.
    package func setBudget(_ budget: RequestBudget?) { cache.withLock { $0.budget = budget } }

    /// Hands what was noted of uses to the rows; to be called now and then.
    ///
    /// What could not be kept is tried again the next time.
    package func keepUses() async throws {
        let noted = uses.withLock { uses in
            defer { uses = [:] }
            return uses
        }
        guard !noted.isEmpty else { return }
        do {
            try await rows.note(noted)
        } catch {
            uses.withLock { $0.merge(noted) { later, _ in later } }
            throw error
        }
    }

    private func find(hash: [UInt8]) async throws -> (Remembered, RequestBudget?)? {
        let key = Self.key(of: hash)
        let (remembered, generation, budget) = cache.withLock { ($0.entries[key], $0.generation, $0.budget) }
        if let remembered, ConstantTime.equals(remembered.hash, hash) { return (remembered, budget) }
        guard let grant = try await rows.grant(hash: hash) else { return nil }
        let found = Remembered(hash: hash, grant: grant, use: TokenUse())
        return (remember(found, key: key, generation: generation), budget)
    }

    /// What is remembered from now on: what a twin has put there meanwhile, so that a token has one budget.
    private func remember(_ fresh: Remembered, key: UInt64, generation: Int) -> Remembered {
        cache.withLock { cache in
            guard cache.generation == generation else { return fresh }
            if let known = cache.entries[key], known.hash == fresh.hash { return known }
            if cache.entries.count >= Self.capacity { cache.entries.removeAll() }
            cache.entries[key] = fresh
            return fresh
        }
    }

    private static func key(of hash: [UInt8]) -> UInt64 { hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    /// Makes a token and stores its hash and rights.
    ///
    /// `keep` is given its text before the store has its hash.
    package func create(
        _ draft: TokenDraft,
        keep: (Secret) throws -> Void = { _ in }
    ) async throws -> CreatedToken {
        let text = TokenText.random()
        let secret = Secret(text)
        try keep(secret)
        let grant = TokenGrant(
            id: .random(),
            name: draft.name,
            scopes: draft.scopes,
            accounts: draft.accounts,
            origins: draft.origins,
            createdAt: Timestamp(milliseconds: clock.now()),
            expiresAt: draft.expiresAt
        )
        try await rows.insert(grant, hash: Digest.sha256(text))
        return CreatedToken(grant: grant, text: secret)
    }

    /// All tokens' rights, in the order they were made.
    package func list() async throws -> [TokenGrant] { try await rows.grants() }

    /// Ends a token at once, on every connection's next request; false where there was none.
    package func revoke(_ id: TokenID) async throws -> Bool {
        let existed = try await rows.remove(id)
        forget(id)
        return existed
    }

    /// Forgets what is remembered of a token whose row another hand removed.
    package func forget(_ id: TokenID) {
        cache.withLock { cache in
            cache.generation += 1
            cache.entries = cache.entries.filter { $0.value.grant.id != id }
        }
        for watcher in watchers.withLock({ $0 }) { watcher(id) }
    }

    /// Has `watcher` called whenever a token was revoked, from then on: for what goes on longer than a request.
    ///
    /// It is called on any thread, when the token is refused already, and only posts to somebody's loop.
    package func onRevocation(_ watcher: @escaping @Sendable (TokenID) -> Void) {
        watchers.withLock { $0.append(watcher) }
    }
}
