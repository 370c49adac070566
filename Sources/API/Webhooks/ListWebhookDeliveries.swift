// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage
import Wire

/// `GET /v1/webhooks/{webhook}/deliveries`: what is to be tried again, what ran out, and the last that were delivered.
enum ListWebhookDeliveries {
    static let operation = Operation(
        "listWebhookDeliveries",
        .get,
        "/v1/webhooks/{webhook}/deliveries",
        scope: .admin
    ) { call in
        var query = call.query
        let page = Page(&query)
        let state = state(&query)
        try query.finish()
        let (webhook, _) = try await call.webhook()
        let found = try await call.store.read { snapshot in
            try snapshot.deliveries.list(of: webhook.key, state: state, before: page.row, limit: page.limit + 1)
        }
        let shown = Array(found.prefix(page.limit))
        let next = found.count > page.limit ? shown.last.map { Page.cursor(afterRow: $0.key) } : nil
        try await call.respond { writer in
            writer.page(shown, next: next) { WebhookJSON.write($0, to: &$1) }
        }
    }

    private static func state(_ query: inout QueryReader) -> DeliveryState? {
        guard let word = query.octets("state") else { return nil }
        let state = word.span.utf8String().flatMap(DeliveryState.init(rawValue:))
        if state == nil { query.fail("state", "invalid", "must be pending, delivered or failed") }
        return state
    }
}
