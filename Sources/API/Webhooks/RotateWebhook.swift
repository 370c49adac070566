// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Webhooks

/// `POST /v1/webhooks/{webhook}/rotate`: new secrets; for a while every request carries signatures by the old ones too.
enum RotateWebhook {
    private static let usualOverlapSeconds: Int64 = 86_400
    private static let longestOverlapSeconds: Int64 = 30 * 86_400

    static let operation = Operation("rotateWebhook", .post, "/v1/webhooks/{webhook}/rotate", scope: .admin) { call in
        try call.refuseParameters()
        let overlap = try await call.decodeBody { reader in
            let field = reader.take("overlapSeconds")
            return field.map { $0.integer(in: 0...longestOverlapSeconds) } ?? usualOverlapSeconds
        }
        let (old, _) = try await call.webhook()
        let vault = call.api.webhooks.vault
        let fresh = WebhookSignatures.words.map(\.kind).filter(old.settings.signatures.contains)
            .map { WebhookSecret.random($0) }
        let sealed = fresh.map { vault.seal($0, of: old.id) }
        let webhook = try await call.store.write { tx in
            try tx.webhooks.rotate(old, to: sealed, overlapMilliseconds: overlap * 1000)
        }
        call.api.webhooks.note(webhook)
        var fields = HTTPFields()
        try fields.add("ETag", WebhookJSON.tag(webhook).fieldValue)
        fields.add("Cache-Control", "no-store")
        try await call.respond(fields: fields) { WebhookJSON.write(webhook, new: fresh, to: &$0) }
    }
}
