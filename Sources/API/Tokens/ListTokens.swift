// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP

/// `GET /v1/tokens`: all tokens' rights, oldest first.
enum ListTokens {
    static let operation = Operation("listTokens", .get, "/v1/tokens", scope: .admin) { call in
        var query = call.query
        let page = Page(&query)
        try query.finish()
        let grants = try await call.api.tokens.list().filter { call.caller.maySee($0) }
        let start = min(Int(page.row ?? 0), grants.count)
        let end = min(start + page.limit, grants.count)
        let next = end < grants.count ? Page.cursor(afterRow: Int64(end)) : nil
        try await call.respond { writer in
            writer.page(Array(grants[start..<end]), next: next) { TokenJSON.write($0, to: &$1) }
        }
    }
}
