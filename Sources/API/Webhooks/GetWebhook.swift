// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP

/// `GET /v1/webhooks/{webhook}`.
enum GetWebhook {
    static let operation = Operation("getWebhook", .get, "/v1/webhooks/{webhook}", scope: .admin) { call in
        try call.refuseParameters()
        let (webhook, secrets) = try await call.webhook()
        let tag = WebhookJSON.tag(webhook)
        guard try await call.proceeds(tag: tag) else { return }
        var fields = HTTPFields()
        try fields.add("ETag", tag.fieldValue)
        try await call.respond(fields: fields) { WebhookJSON.write(webhook, secrets, to: &$0) }
    }
}
