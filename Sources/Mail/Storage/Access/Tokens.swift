// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// An API token as it is stored: its hash finds it, its text is nowhere.
package struct TokenRow: Hashable, Sendable {
    package let id: TokenID
    package let name: String
    /// Its rights, as bits that mean something to their owner only.
    package let scopes: UInt8
    /// The only accounts it is good for; nil for all.
    package let accounts: [AccountID]?
    package let origins: [String]
    package let created: Timestamp
    package let expires: Timestamp?
    /// To the minute; nil before its first use.
    package let lastUsed: Timestamp?

    package init(
        id: TokenID,
        name: String,
        scopes: UInt8,
        accounts: [AccountID]?,
        origins: [String],
        created: Timestamp,
        expires: Timestamp?,
        lastUsed: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.accounts = accounts
        self.origins = origins
        self.created = created
        self.expires = expires
        self.lastUsed = lastUsed
    }

    static let select = "SELECT id, name, scopes, accounts, origins, created, expires, last_used FROM tokens"

    init(_ row: consuming SQLiteRow) throws {
        id = try row.id(0)
        name = row.string(1)
        scopes = UInt8(clamping: row.int64(2))
        accounts = try row.optionalArray(3).map(Self.accounts)
        origins = row.string(4).utf8.split(separator: ASCII.lf).compactMap { String($0) }
        created = Timestamp(milliseconds: row.int64(5))
        expires = row.optionalInt64(6).map(Timestamp.init(milliseconds:))
        lastUsed = row.optionalInt64(7).map(Timestamp.init(milliseconds:))
    }

    private static func accounts(_ octets: [UInt8]) throws(StoreError) -> [AccountID] {
        var ids: [AccountID] = []
        for start in stride(from: 0, to: octets.count, by: AccountID.octetCount) {
            let end = min(start + AccountID.octetCount, octets.count)
            guard let id = AccountID(octets: octets.span.extracting(start..<end)) else {
                throw .corrupt("a token's accounts are malformed")
            }
            ids.append(id)
        }
        return ids
    }
}

package struct Tokens<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var tokens: Tokens<Self> { Tokens(view: self) }
}

extension Tokens {
    /// The token whose SHA-256 this is, whether or not it has expired.
    package func find(hash: [UInt8]) throws -> TokenRow? {
        try connection.first(built: TokenRow.select + " WHERE hash = ?1", [hash]) { try TokenRow($0) }
    }

    package func get(_ id: TokenID) throws -> TokenRow? {
        try connection.first(built: TokenRow.select + " WHERE id = ?1", [id]) { try TokenRow($0) }
    }

    /// All tokens, in the order they were made.
    package func list() throws -> [TokenRow] {
        try connection.all(built: TokenRow.select + " ORDER BY pk", []) { try TokenRow($0) }
    }
}

extension Tokens where View == Transaction {
    package func create(_ token: TokenRow, hash: [UInt8]) throws {
        guard try find(hash: hash) == nil, try get(token.id) == nil else { throw StoreError.alreadyExists(.token) }
        let accounts = token.accounts.map { $0.flatMap(\.octets) }
        try connection.run(
            """
            INSERT INTO tokens (id, hash, name, scopes, accounts, origins, created, expires)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """,
            token.id,
            hash,
            token.name,
            Int(token.scopes),
            accounts,
            token.origins.joined(separator: "\n"),
            token.created.milliseconds,
            token.expires?.milliseconds
        )
    }

    /// False when there was none.
    package func delete(_ id: TokenID) throws -> Bool {
        try connection.run("DELETE FROM tokens WHERE id = ?1", id) > 0
    }

    /// Notes that the token was used, unless a later use is known.
    package func noteUse(of id: TokenID, at time: Timestamp) throws {
        try connection.run(
            "UPDATE tokens SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, 0) < ?2",
            id,
            time.milliseconds
        )
    }
}
