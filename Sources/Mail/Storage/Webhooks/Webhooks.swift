// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
import Wire

/// The endpoints that events are sent to.
package struct Webhooks<View: StoreView> {
    let view: View
    var connection: SQLiteConnection { view.connection }
}

extension StoreView {
    package var webhooks: Webhooks<Self> { Webhooks(view: self) }
}

extension Webhooks {
    package func get(_ id: WebhookID) throws -> WebhookRow? {
        try connection.first(built: WebhookRow.select + " WHERE id = ?1", [id]) { try WebhookRow($0) }
    }

    package func get(_ key: WebhookKey) throws -> WebhookRow? {
        try connection.first(built: WebhookRow.select + " WHERE pk = ?1", [key]) { try WebhookRow($0) }
    }

    /// All of them, in the order they were made.
    package func list() throws -> [WebhookRow] {
        try connection.all(built: WebhookRow.select + " ORDER BY pk", []) { try WebhookRow($0) }
    }

    package func count() throws -> Int {
        try connection.first("SELECT count(*) FROM webhooks") { $0.int(0) } ?? 0
    }

    /// The secrets that are good now, newest first.
    package func secrets(of webhook: WebhookKey) throws -> [WebhookSecretRow] {
        try connection.all(
            """
            SELECT kind, sealed, public_key, created, expires FROM webhook_secrets
            WHERE webhook = ?1 AND (expires IS NULL OR expires > ?2) ORDER BY pk DESC
            """,
            webhook,
            view.now.milliseconds
        ) { WebhookSecretRow($0) }
    }
}

extension Webhooks where View == Transaction {
    /// Makes a webhook that gets what happens from now on.
    ///
    /// Throws ``StoreError/exhausted`` where there are `limit` already.
    @discardableResult
    package func create(
        _ id: WebhookID,
        scope: [AccountID]?,
        _ settings: WebhookSettings,
        isPaused: Bool = false,
        secrets: [NewWebhookSecret],
        limit: Int
    ) throws -> WebhookRow {
        guard try count() < limit else { throw StoreError.exhausted }
        let now = view.now.milliseconds
        let state: WebhookState = isPaused ? .paused : .active
        let first: [any SQLiteBindable] = [
            id, scope.map { $0.flatMap(\.octets) }, state.rawValue, try view.events.lastPosition(), now,
        ]
        try connection.run(
            built: """
                INSERT INTO webhooks (id, scope, state, cursor, created, updated, name, url, types, accounts, folders,
                    query, payload, is_ordered, signatures, headers, header_names)
                VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                """,
            first + columns(settings)
        )
        let key = WebhookKey(connection.lastInsertRowID)
        for secret in secrets { try insert(secret, of: key) }
        return try existing(key)
    }

    /// Changes what its owner decides; nil leaves that as it is.
    ///
    /// Its failures are forgotten when it is put to work again, and what waits to be tried again is due now.
    @discardableResult
    package func update(
        _ webhook: WebhookRow,
        _ settings: WebhookSettings?,
        state: WebhookState?,
        secrets: [NewWebhookSecret] = []
    ) throws -> WebhookRow {
        let old = try existing(webhook.key)
        guard old.version == webhook.version else { throw StoreError.preconditionFailed }
        let first: [any SQLiteBindable] = [
            webhook.key, view.now.milliseconds, (state ?? old.state).rawValue,
        ]
        try connection.run(
            built: """
                UPDATE webhooks SET version = version + 1, updated = ?2, state = ?3,
                    reason = CASE WHEN ?3 = 'disabled' THEN reason END,
                    failures = CASE WHEN ?3 = 'active' AND state <> 'active' THEN 0 ELSE failures END,
                    name = ?4, url = ?5, types = ?6, accounts = ?7, folders = ?8, query = ?9, payload = ?10,
                    is_ordered = ?11, signatures = ?12, headers = ?13, header_names = ?14
                WHERE pk = ?1
                """,
            first + columns(settings ?? old.settings)
        )
        for secret in secrets { try insert(secret, of: webhook.key) }
        try connection.run(
            "UPDATE deliveries SET due = ?2 WHERE webhook = ?1 AND state = 'pending' AND due > ?2",
            webhook.key,
            view.now.milliseconds
        )
        return try existing(webhook.key)
    }

    package func delete(_ id: WebhookID) throws -> Bool {
        try connection.run("DELETE FROM webhooks WHERE id = ?1", id) > 0
    }

    /// Puts new secrets in force; those of the same kinds are used beside them for so long.
    ///
    /// Of each kind no more than ``maximumSecrets`` stay.
    @discardableResult
    package func rotate(
        _ webhook: WebhookRow,
        to secrets: [NewWebhookSecret],
        overlapMilliseconds: Int64
    ) throws -> WebhookRow {
        let old = try existing(webhook.key)
        guard old.version == webhook.version else { throw StoreError.preconditionFailed }
        for secret in secrets {
            try connection.run(
                """
                UPDATE webhook_secrets SET expires = min(coalesce(expires, ?3), ?3) WHERE webhook = ?1 AND kind = ?2
                """,
                webhook.key,
                Int(secret.kind.rawValue),
                view.now.milliseconds + overlapMilliseconds
            )
            try insert(secret, of: webhook.key)
            try connection.run(
                """
                DELETE FROM webhook_secrets WHERE webhook = ?1 AND kind = ?2 AND (expires <= ?3 OR pk NOT IN
                    (SELECT pk FROM webhook_secrets WHERE webhook = ?1 AND kind = ?2 ORDER BY pk DESC LIMIT ?4))
                """,
                webhook.key,
                Int(secret.kind.rawValue),
                view.now.milliseconds,
                Self.maximumSecrets
            )
        }
        try connection.run(
            "UPDATE webhooks SET version = version + 1, updated = ?2 WHERE pk = ?1",
            webhook.key,
            view.now.milliseconds
        )
        return try existing(webhook.key)
    }

    /// Secrets of a kind at the same time: each costs a signature in a header.
    package static var maximumSecrets: Int { 4 }

    private func insert(_ secret: NewWebhookSecret, of webhook: WebhookKey) throws {
        try connection.run(
            "INSERT INTO webhook_secrets (webhook, kind, sealed, public_key, created) VALUES (?1, ?2, ?3, ?4, ?5)",
            webhook,
            Int(secret.kind.rawValue),
            secret.sealed,
            secret.publicKey,
            view.now.milliseconds
        )
    }

    func existing(_ key: WebhookKey) throws -> WebhookRow {
        guard let row = try get(key) else { throw StoreError.notFound(.webhook) }
        return row
    }

    private func columns(_ settings: WebhookSettings) -> [any SQLiteBindable] {
        [
            settings.name, settings.url, settings.filter.types.joined(separator: " "),
            settings.filter.accounts.flatMap(\.octets), settings.filter.folders.flatMap(\.octets),
            settings.filter.query, settings.payload.rawValue, settings.isOrdered,
            Int(settings.signatures.rawValue), settings.headers, settings.headerNames.joined(separator: " "),
        ]
    }
}
