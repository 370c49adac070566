// SPDX-License-Identifier: Apache-2.0

import SQLite

/// An encrypted value of the store, and where it stands.
package struct SealedRow: Sendable {
    /// Table and column, as the value is bound to them.
    package let field: StaticString
    /// What tells the row from others, as the value is bound to it.
    package let row: [UInt8]
    package let sealed: [UInt8]
    fileprivate let kind: Kind
    fileprivate let key: Int64

    fileprivate enum Kind: CaseIterable { case webhookSecret, webhookHeaders, serverSecret, refreshToken, accessToken }
}

extension SealedRow.Kind {
    fileprivate var field: StaticString {
        switch self {
        case .webhookSecret: "webhook_secrets.sealed"
        case .webhookHeaders: "webhooks.headers"
        case .serverSecret: "remote_servers.secret"
        case .refreshToken: "oauth_grants.refresh"
        case .accessToken: "oauth_grants.access"
        }
    }

    /// The row's key, its owner's id, what follows that in ``SealedRow/row``, and the value.
    fileprivate var select: String {
        switch self {
        case .webhookSecret:
            """
            SELECT s.pk, w.id, s.kind, s.sealed FROM webhook_secrets s JOIN webhooks w ON w.pk = s.webhook
                WHERE substr(s.sealed, 1, 5) <> ?1 LIMIT ?2
            """
        case .webhookHeaders:
            "SELECT pk, id, NULL, headers FROM webhooks WHERE substr(headers, 1, 5) <> ?1 LIMIT ?2"
        case .serverSecret:
            """
            SELECT s.account, a.id, s.service, s.secret FROM remote_servers s JOIN accounts a ON a.pk = s.account
                WHERE substr(s.secret, 1, 5) <> ?1 LIMIT ?2
            """
        case .refreshToken:
            """
            SELECT g.account, a.id, NULL, g.refresh FROM oauth_grants g JOIN accounts a ON a.pk = g.account
                WHERE substr(g.refresh, 1, 5) <> ?1 LIMIT ?2
            """
        case .accessToken:
            """
            SELECT g.account, a.id, NULL, g.access FROM oauth_grants g JOIN accounts a ON a.pk = g.account
                WHERE substr(g.access, 1, 5) <> ?1 LIMIT ?2
            """
        }
    }

    fileprivate func read(_ row: consuming SQLiteRow) throws -> SealedRow {
        let owner = row.array(1)
        let rest: [UInt8]
        switch self {
        case .webhookSecret:
            guard let kind = UInt8(exactly: row.int64(2)) else {
                throw StoreError.corrupt("a webhook's secret is malformed")
            }
            rest = [kind]
        case .serverSecret: rest = Array(row.string(2).utf8)
        case .webhookHeaders, .refreshToken, .accessToken: rest = []
        }
        return SealedRow(field: field, row: owner + rest, sealed: row.array(3), kind: self, key: row.int64(0))
    }
}

extension StoreView {
    /// Encrypted values that do not begin so (five octets), at most so many.
    package func sealedRows(notBeginningWith head: [UInt8], limit: Int) throws -> [SealedRow] {
        var rows: [SealedRow] = []
        for kind in SealedRow.Kind.allCases where rows.count < limit {
            rows += try connection.all(built: kind.select, [head, limit - rows.count]) { try kind.read($0) }
        }
        return rows
    }
}

extension Transaction {
    /// Puts a value in the place of that one, which is the same in another key.
    package func replace(_ row: SealedRow, with sealed: [UInt8]) throws {
        switch row.kind {
        case .webhookSecret: try connection.run("UPDATE webhook_secrets SET sealed = ?2 WHERE pk = ?1", row.key, sealed)
        case .webhookHeaders: try connection.run("UPDATE webhooks SET headers = ?2 WHERE pk = ?1", row.key, sealed)
        case .serverSecret:
            try connection.run(
                "UPDATE remote_servers SET secret = ?2 WHERE account = ?1 AND secret = ?3",
                row.key,
                sealed,
                row.sealed
            )
        case .refreshToken:
            try connection.run("UPDATE oauth_grants SET refresh = ?2 WHERE account = ?1", row.key, sealed)
        case .accessToken: try connection.run("UPDATE oauth_grants SET access = ?2 WHERE account = ?1", row.key, sealed)
        }
    }
}
