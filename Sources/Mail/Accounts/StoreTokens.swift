// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Storage
package import Wire

/// Token rows in the store.
package struct StoreTokens: TokenRows {
    private let store: Store

    package init(_ store: Store) { self.store = store }

    package func grant(hash: [UInt8]) async throws -> TokenGrant? {
        try await store.read { try $0.tokens.find(hash: hash) }.map(TokenGrant.init)
    }

    package func grants() async throws -> [TokenGrant] {
        try await store.read { try $0.tokens.list() }.map(TokenGrant.init)
    }

    package func insert(_ grant: TokenGrant, hash: [UInt8]) async throws {
        let row = TokenRow(
            id: grant.id,
            name: grant.name,
            scopes: grant.scopes.rawValue,
            accounts: grant.accounts,
            origins: grant.origins,
            created: grant.createdAt,
            expires: grant.expiresAt
        )
        try await store.write { try $0.tokens.create(row, hash: hash) }
    }

    package func note(_ uses: [TokenID: Timestamp]) async throws {
        try await store.write { transaction in
            for (id, time) in uses { try transaction.tokens.noteUse(of: id, at: time) }
        }
    }

    package func remove(_ id: TokenID) async throws -> Bool {
        try await store.write { try $0.tokens.delete(id) }
    }
}

extension TokenGrant {
    fileprivate init(_ row: TokenRow) {
        self.init(
            id: row.id,
            name: row.name,
            scopes: TokenScopes(rawValue: row.scopes),
            accounts: row.accounts,
            origins: row.origins,
            createdAt: row.created,
            expiresAt: row.expires,
            lastUsedAt: row.lastUsed
        )
    }
}
