// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import MailTypes
import Storage
import Webhooks

/// `PATCH /v1/webhooks/{webhook}`: changes it, pauses it, or puts it to work again.
enum UpdateWebhook {
    static let operation = Operation("updateWebhook", .patch, "/v1/webhooks/{webhook}", scope: .admin) { call in
        try call.refuseParameters()
        try call.caller.checkMayRead()
        let change = try await call.decodeBody { WebhookChange(&$0, isNew: false) }
        let (old, known) = try await call.webhook()
        try Preconditions(call.exchange.fields).check(WebhookJSON.tag(old))
        try await change.check(call)
        let vault = call.api.webhooks.vault
        var settings = change.applied(to: old.settings)
        if let headers = change.headers {
            settings.headers = vault.seal(headers, of: old.id)
            settings.headerNames = headers.map(\.name)
        }
        // A kind of signature that is new here needs its first secret.
        let fresh = WebhookSignatures.words.map(\.kind)
            .filter { kind in settings.signatures.contains(kind) && !known.contains { $0.kind == kind } }
            .map { WebhookSecret.random($0) }
        let (wanted, sealed) = (settings, fresh.map { vault.seal($0, of: old.id) })
        let (webhook, secrets) = try await call.store.write { tx in
            let webhook = try tx.webhooks.update(old, wanted, state: change.state, secrets: sealed)
            return (webhook, try tx.webhooks.secrets(of: webhook.key))
        }
        call.api.webhooks.note(webhook)
        var fields = HTTPFields()
        try fields.add("ETag", WebhookJSON.tag(webhook).fieldValue)
        if fresh.isEmpty {
            try await call.respond(fields: fields) { WebhookJSON.write(webhook, secrets, to: &$0) }
        } else {
            fields.add("Cache-Control", "no-store")
            try await call.respond(fields: fields) { WebhookJSON.write(webhook, new: fresh, to: &$0) }
        }
    }
}
