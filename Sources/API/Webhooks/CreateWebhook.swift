// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Storage
import Webhooks

/// `POST /v1/webhooks`: an endpoint that gets what happens from now on; its secret is in the answer and nowhere else, ever.
enum CreateWebhook {
    static let operation = Operation("createWebhook", .post, "/v1/webhooks", scope: .admin) { call in
        try call.refuseParameters()
        try call.caller.checkMayRead()
        let change = try await call.decodeBody { WebhookChange(&$0, isNew: true) }
        try await change.check(call)
        let (id, vault) = (WebhookID.random(), call.api.webhooks.vault)
        var settings = change.applied(to: WebhookSettings(url: ""))
        settings.headers = vault.seal(change.headers ?? [], of: id)
        settings.headerNames = (change.headers ?? []).map(\.name)
        let secrets = WebhookSignatures.words.filter { settings.signatures.contains($0.kind) }
            .map { WebhookSecret.random($0.kind) }
        let webhook = try await insert(
            call,
            id,
            settings,
            isPaused: change.state == .paused,
            secrets.map { vault.seal($0, of: id) }
        )
        call.api.webhooks.note(webhook)
        var fields = HTTPFields()
        try fields.add("Location", "/v1/webhooks/\(id)".utf8)
        try fields.add("ETag", WebhookJSON.tag(webhook).fieldValue)
        fields.add("Cache-Control", "no-store")
        try await call.respond(.created, fields: fields) { WebhookJSON.write(webhook, new: secrets, to: &$0) }
    }

    private static func insert(
        _ call: Call,
        _ id: WebhookID,
        _ settings: WebhookSettings,
        isPaused: Bool,
        _ secrets: [NewWebhookSecret]
    ) async throws -> WebhookRow {
        let (scope, limit) = (call.caller.accounts, call.api.webhooks.limits.endpoints)
        do {
            return try await call.store.write { tx in
                try tx.webhooks.create(
                    id,
                    scope: scope,
                    settings,
                    isPaused: isPaused,
                    secrets: secrets,
                    limit: limit
                )
            }
        } catch StoreError.exhausted {
            throw APIProblem(.conflict, "too_many_webhooks", "There are \(limit) webhooks already.")
        }
    }
}
