// SPDX-License-Identifier: Apache-2.0

import SQLite
package import Wire

/// A request that must happen once: where its key is good, the key, and what the request was.
package struct IdempotencyKey: Hashable, Sendable {
    /// Whose and for what: token or account, and route.
    ///
    /// Keys of different scopes have nothing to do with each other.
    package let scope: [UInt8]
    package let key: [UInt8]
    /// A digest of the request.
    package let fingerprint: [UInt8]

    package init(scope: [UInt8], key: [UInt8], fingerprint: [UInt8]) {
        self.scope = scope
        self.key = key
        self.fingerprint = fingerprint
    }
}

/// The answer that was given, to be given again.
package struct StoredAnswer: Hashable, Sendable {
    package let status: Int
    /// In a form of its owner's.
    package let headers: [UInt8]
    package let body: [UInt8]

    package init(status: Int, headers: [UInt8], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What is known of a key.
package enum IdempotencyState: Hashable, Sendable {
    /// Nothing: the request is to be done.
    case fresh
    /// Done: this was the answer.
    case done(StoredAnswer)
    /// The key was used for another request.
    case mismatch
    /// The same request was begun and is not done.
    case inFlight
}

package struct Idempotency<View: StoreView> {
    fileprivate let view: View
    fileprivate var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var idempotency: Idempotency<Self> { Idempotency(view: self) }
}

extension Idempotency {
    package func state(of key: IdempotencyKey) throws -> IdempotencyState {
        try connection.first(
            """
            SELECT fingerprint, status, headers, body FROM idempotency WHERE scope = ?1 AND key = ?2 AND expires > ?3
            """,
            key.scope,
            key.key,
            view.now.milliseconds
        ) { row in
            guard row.array(0) == key.fingerprint else { return .mismatch }
            guard !row.isNull(1) else { return .inFlight }
            return .done(StoredAnswer(status: row.int(1), headers: row.array(2), body: row.array(3)))
        } ?? .fresh
    }
}

extension Idempotency where View == Transaction {
    /// Looks the key up and, when it is fresh, claims it until `expires`.
    ///
    /// What is to happen once belongs in the same transaction, with ``finish(_:_:)``. When it cannot be, the claim
    /// stands as ``IdempotencyState/inFlight`` until then, or ``abandon(_:)``, or the next start of the process.
    package func begin(_ key: IdempotencyKey, expires: Timestamp) throws -> IdempotencyState {
        let state = try state(of: key)
        guard state == .fresh else { return state }
        try connection.run(
            """
            INSERT OR REPLACE INTO idempotency (scope, key, fingerprint, created, expires) VALUES (?1, ?2, ?3, ?4, ?5)
            """,
            key.scope,
            key.key,
            key.fingerprint,
            view.now.milliseconds,
            expires.milliseconds
        )
        return .fresh
    }

    /// Keeps the answer to a request that was begun.
    package func finish(_ key: IdempotencyKey, _ answer: StoredAnswer) throws {
        let changed = try connection.run(
            "UPDATE idempotency SET status = ?3, headers = ?4, body = ?5 WHERE scope = ?1 AND key = ?2 AND status IS NULL",
            key.scope,
            key.key,
            answer.status,
            answer.headers,
            answer.body
        )
        guard changed == 1 else { throw StoreError.wrongState("the request was not begun") }
    }

    /// Forgets a request that was begun and came to nothing.
    package func abandon(_ key: IdempotencyKey) throws {
        try connection.run(
            "DELETE FROM idempotency WHERE scope = ?1 AND key = ?2 AND status IS NULL",
            key.scope,
            key.key
        )
    }

    /// Removes keys that are good no longer, at most `limit`; how many.
    package func expire(limit: Int) throws -> Int {
        try connection.run(
            "DELETE FROM idempotency WHERE pk IN (SELECT pk FROM idempotency WHERE expires <= ?1 LIMIT ?2)",
            view.now.milliseconds,
            limit
        )
    }
}
