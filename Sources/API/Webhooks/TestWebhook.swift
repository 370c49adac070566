// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Webhooks

/// `POST /v1/webhooks/{webhook}/test`: sends an event of the type `webhook.test` now, signed as any other, and answers with
/// what came of it.
enum TestWebhook {
    static let operation = Operation("testWebhook", .post, "/v1/webhooks/{webhook}/test", scope: .admin) { call in
        try call.refuseParameters()
        try call.caller.checkMayRead()
        let (webhook, _) = try await call.webhook()
        guard let (id, attempt) = try await call.api.webhooks.test(webhook) else {
            throw APIProblem.unavailable("stopping", "The server is stopping.")
        }
        try await call.respond { writer in
            writer.beginObject()
            writer.key("id")
            writer.string(id)
            writer.key("delivered")
            writer.bool(attempt.error == nil)
            WebhookJSON.writeMembers(attempt, to: &writer)
            writer.endObject()
        }
    }
}
