// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage

/// `GET /v1/accounts/{account}/events`: what happened in the account, by number.
enum ListEvents {
    static let operation = Operation("listEvents", .get, "/v1/accounts/{account}/events", scope: .read) { call in
        let (account, caller) = (call.account, call.caller)
        let row = try await call.store.read { try account.resolve(in: $0, for: caller) }
        try await EventFollowing.respond(call, .account(row.key, row.id))
    }
}
