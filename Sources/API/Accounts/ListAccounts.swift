// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage

/// `GET /v1/accounts`: the accounts that the token may see, oldest first.
enum ListAccounts {
    static let operation = Operation("listAccounts", .get, "/v1/accounts", scope: .read) { call in
        var query = call.query
        let page = Page(&query)
        try query.finish()
        let caller = call.caller
        let found = try await call.store.read { snapshot in
            try rows(snapshot, page, caller).map { try ShownAccount($0, in: snapshot) }
        }
        let hasMore = found.count > page.limit
        let shown = Array(found.prefix(page.limit))
        let next = hasMore ? shown.last.map { Page.cursor(afterRow: $0.account.key.value) } : nil
        try await call.respond { writer in
            writer.page(shown, next: next) { call.api.write($0, to: &$1) }
        }
    }

    /// One row more than the page has room for, if there is one.
    private static func rows(_ snapshot: Snapshot, _ page: Page, _ caller: Caller) throws -> [AccountRow] {
        let after = page.row ?? 0
        guard let visible = caller.accounts else {
            return try snapshot.accounts.list(after: AccountKey(after), limit: page.limit + 1)
        }
        let rows = try visible.compactMap { try snapshot.accounts.get($0) }
        return Array(rows.filter { $0.key.value > after }.sorted { $0.key < $1.key }.prefix(page.limit + 1))
    }
}
