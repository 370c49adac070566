// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// What a provider gave us for an account (RFC 6749 §1.4, §1.5): how to get in now, and how to go on getting in.
package struct OAuthGrant: Hashable, Sendable {
    /// The provider's name in the configuration.
    package var provider: String
    /// Encrypted for this account and column, as is ``access``.
    package var refresh: [UInt8]
    package var access: [UInt8]?
    /// When ``access`` ends.
    package var expires: Timestamp?
    /// From when on another one is asked for.
    package var due: Timestamp?
    /// Another one whenever somebody authorised us anew.
    package var version: Int64
    /// Why the provider gives no more; nil as long as it does.
    package var problem: String?

    package init(
        provider: String,
        refresh: [UInt8],
        access: [UInt8]? = nil,
        expires: Timestamp? = nil,
        due: Timestamp? = nil,
        version: Int64 = 0,
        problem: String? = nil
    ) {
        self.provider = provider
        self.refresh = refresh
        self.access = access
        self.expires = expires
        self.due = due
        self.version = version
        self.problem = problem
    }

    fileprivate init(_ row: consuming SQLiteRow) throws {
        self.init(
            provider: row.string(0),
            refresh: row.array(1),
            access: row.optionalArray(2),
            expires: row.optionalInt64(3).map(Timestamp.init(milliseconds:)),
            due: row.optionalInt64(4).map(Timestamp.init(milliseconds:)),
            version: row.int64(5),
            problem: row.optionalString(6)
        )
    }
}

/// The grants of remote accounts.
package struct OAuthGrants<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var oauthGrants: OAuthGrants<Self> { OAuthGrants(view: self) }
}

extension OAuthGrants {
    package func get(_ account: AccountKey) throws -> OAuthGrant? {
        try connection.first(
            "SELECT provider, refresh, access, expires, due, version, problem FROM oauth_grants WHERE account = ?1",
            account
        ) { try OAuthGrant($0) }
    }
}

extension OAuthGrants where View == Transaction {
    /// Puts a new grant in the place of what the account had.
    package func put(_ grant: OAuthGrant, of account: AccountKey) throws {
        try connection.run(
            """
            INSERT INTO oauth_grants (account, provider, refresh, access, expires, due, version, problem)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, NULL)
            ON CONFLICT (account) DO UPDATE SET provider = excluded.provider, refresh = excluded.refresh,
                access = excluded.access, expires = excluded.expires, due = excluded.due, version = version + 1, problem = NULL
            """,
            account,
            grant.provider,
            grant.refresh,
            grant.access,
            grant.expires?.milliseconds,
            grant.due?.milliseconds
        )
    }

    /// What was got for the grant of this version; false where another has taken its place, which then stays.
    package func renew(_ grant: OAuthGrant, of account: AccountKey) throws -> Bool {
        let changes = try connection.run(
            """
            UPDATE oauth_grants SET refresh = ?3, access = ?4, expires = ?5, due = ?6, problem = NULL
            WHERE account = ?1 AND version = ?2
            """,
            account,
            grant.version,
            grant.refresh,
            grant.access,
            grant.expires?.milliseconds,
            grant.due?.milliseconds
        )
        return changes > 0
    }

    /// The grant of this version gives no more; false where another has taken its place, which then stays.
    package func end(_ grant: OAuthGrant, of account: AccountKey, reason: String) throws -> Bool {
        let changes = try connection.run(
            "UPDATE oauth_grants SET problem = ?3 WHERE account = ?1 AND version = ?2",
            account,
            grant.version,
            reason
        )
        return changes > 0
    }

    package func remove(_ account: AccountKey) throws {
        try connection.run("DELETE FROM oauth_grants WHERE account = ?1", account)
    }
}
