// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Storage
import Webhooks

/// `DELETE /v1/webhooks/{webhook}`: nothing is sent any more, and what waits is forgotten.
enum DeleteWebhook {
    static let operation = Operation("deleteWebhook", .delete, "/v1/webhooks/{webhook}", scope: .admin) { call in
        try call.refuseParameters()
        let (webhook, _) = try await call.webhook()
        try Preconditions(call.exchange.fields).check(WebhookJSON.tag(webhook))
        guard try await call.store.write({ try $0.webhooks.delete(webhook.id) }) else {
            throw APIProblem.notFound("webhook")
        }
        call.api.webhooks.note(webhook)
        try await call.respondNoContent()
    }
}
