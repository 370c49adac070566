// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP

/// `GET /v1/events`: what happened in all accounts that the token may see, in the order in which it did.
enum ListAllEvents {
    static let operation = Operation("listAllEvents", .get, "/v1/events", scope: .read) { call in
        try await EventFollowing.respond(call, .accounts(call.caller.accounts))
    }
}
