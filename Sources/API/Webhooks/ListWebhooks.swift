// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage

/// `GET /v1/webhooks`: all webhooks, oldest first.
enum ListWebhooks {
    static let operation = Operation("listWebhooks", .get, "/v1/webhooks", scope: .admin) { call in
        var query = call.query
        let page = Page(&query)
        try query.finish()
        let (caller, after, limit) = (call.caller, page.row ?? 0, page.limit)
        let found = try await call.store.read { snapshot in
            try snapshot.webhooks.list().filter { $0.key.value > after && caller.maySee($0) }.prefix(limit + 1)
                .map { ($0, try snapshot.webhooks.secrets(of: $0.key)) }
        }
        let shown = Array(found.prefix(limit))
        let next = found.count > limit ? shown.last.map { Page.cursor(afterRow: $0.0.key.value) } : nil
        try await call.respond { writer in
            writer.page(shown, next: next) { WebhookJSON.write($0.0, $0.1, to: &$1) }
        }
    }
}
