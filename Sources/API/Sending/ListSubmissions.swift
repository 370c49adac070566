// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import Storage
import Wire

/// `GET /v1/accounts/{account}/outbox`: what was sent and what became of it, newest first.
enum ListSubmissions {
    static let operation = Operation("listSubmissions", .get, "/v1/accounts/{account}/outbox", scope: .read) { call in
        let (account, caller) = (call.account, call.caller)
        _ = try await call.store.read { try account.resolve(in: $0, for: caller).key }
        var query = call.query
        let page = Page(&query)
        try query.finish()
        let found = try await call.store.read { snapshot in
            try snapshot.outbox.list(
                of: try account.resolve(in: snapshot, for: caller).key,
                after: page.cursor.flatMap { MessageCursor($0.span) },
                limit: page.limit + 1
            )
        }
        let shown = Array(found.prefix(page.limit))
        let next = found.count > page.limit ? shown.last?.cursor.digits : nil
        try await call.respond { $0.page(shown, next: next, SubmissionJSON.write) }
    }
}
