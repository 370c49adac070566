// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import Testing
import Wire

@testable import Accounts

@Suite struct TokenAuthenticatorTests {
    private final class Rows: TokenRows {
        private let rows = Lock<[(hash: [UInt8], grant: TokenGrant)]>([])
        let lookups = Lock(0)
        func grant(hash: [UInt8]) async throws -> TokenGrant? {
            lookups.withLock { $0 += 1 }
            return rows.withLock { $0.first { $0.hash == hash }?.grant }
        }
        func grants() async throws -> [TokenGrant] { rows.withLock { $0.map(\.grant) } }
        func insert(_ grant: TokenGrant, hash: [UInt8]) async throws { rows.withLock { $0.append((hash, grant)) } }
        func remove(_ id: TokenID) async throws -> Bool {
            rows.withLock { rows in
                let before = rows.count
                rows.removeAll { $0.grant.id == id }
                return rows.count < before
            }
        }
        let uses = Lock<[TokenID: Timestamp]>([:])
        func note(_ noted: [TokenID: Timestamp]) async throws { uses.withLock { $0.merge(noted) { $1 } } }
        var stored: [UInt8] { rows.withLock { $0.flatMap(\.hash) } }
    }

    private let rows = Rows()
    private let time = ManualTime()

    private func authenticator() -> TokenAuthenticator { TokenAuthenticator(rows: rows, clock: time.clock) }

    private func authenticate(_ tokens: TokenAuthenticator, _ bearer: [UInt8]) async throws -> TokenID? {
        try await tokens.authenticate(bearer: bearer.span)?.id
    }

    @Test func aTokenIsFoundUntilItIsRevoked() async throws {
        let tokens = authenticator()
        let made = try await tokens.create(TokenDraft(name: "app", scopes: [.read, .send]))
        let bearer = made.text.withOctets { $0 }
        let isWellFormed = TokenText.isWellFormed(bearer.span)
        #expect(isWellFormed)
        #expect(rows.stored.count == 32 && !rows.stored.starts(with: bearer.prefix(8)))
        for _ in 0..<3 { #expect(try await authenticate(tokens, bearer) == made.grant.id) }
        #expect(rows.lookups.withLock { $0 } == 1)
        #expect(try await tokens.revoke(made.grant.id))
        #expect(try await authenticate(tokens, bearer) == nil)
        #expect(try await !tokens.revoke(made.grant.id))
    }

    @Test func aUseIsNotedOnceAMinute() async throws {
        let tokens = authenticator()
        let made = try await tokens.create(TokenDraft(name: "app", scopes: [.read]))
        let bearer = made.text.withOctets { $0 }
        func noted() async throws -> Timestamp? {
            _ = try await authenticate(tokens, bearer)
            try await tokens.keepUses()
            return rows.uses.withLock { $0[made.grant.id] }
        }
        let first = try await noted()
        #expect(first == Timestamp(milliseconds: time.clock.now()))
        time.advance(milliseconds: 59_000)
        #expect(try await noted() == first)
        time.advance(milliseconds: 1000)
        #expect(try await noted() == Timestamp(milliseconds: time.clock.now()))
    }

    @Test func whatIsNoTokenIsNotLookedUp() async throws {
        let tokens = authenticator()
        for text in ["", "pst_", "pst_" + String(repeating: "A", count: 52), String(repeating: "a", count: 56)] {
            #expect(try await authenticate(tokens, Array(text.utf8)) == nil)
        }
        #expect(rows.lookups.withLock { $0 } == 0)
        #expect(try await authenticate(tokens, Array(("pst_" + String(repeating: "a", count: 52)).utf8)) == nil)
        #expect(rows.lookups.withLock { $0 } == 1)
    }

    @Test func anExpiredTokenIsNoneEvenWhenRemembered() async throws {
        let tokens = authenticator()
        let soon = Timestamp(milliseconds: time.clock.now() + 1000)
        let made = try await tokens.create(TokenDraft(name: "short", scopes: .read, expiresAt: soon))
        let bearer = made.text.withOctets { $0 }
        #expect(try await authenticate(tokens, bearer) != nil)
        time.advance(milliseconds: 1000)
        #expect(try await authenticate(tokens, bearer) == nil)
    }

    @Test func rights() throws {
        let mine = AccountID.random()
        let grant = TokenGrant(
            id: .random(),
            name: "",
            scopes: [.read],
            accounts: [mine],
            origins: ["https://app.example"],
            createdAt: Timestamp(milliseconds: 0),
            expiresAt: nil
        )
        #expect(grant.allows(.read) && !grant.allows(.write) && !grant.allows([.read, .admin]))
        #expect(grant.allows(mine) && !grant.allows(AccountID.random()))
        #expect(
            grant.allows(origin: Array("https://app.example".utf8))
                && !grant.allows(origin: Array("https://app.example.evil".utf8))
        )
    }

    @Test func textIsBase32() {
        #expect(
            TokenText.text(of: [UInt8](repeating: 0xFF, count: 32))
                == Array(("pst_" + String(repeating: "7", count: 51) + "q").utf8)
        )
    }
}
