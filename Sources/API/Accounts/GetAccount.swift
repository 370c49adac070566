// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage

/// `GET /v1/accounts/{account}`.
enum GetAccount {
    static let operation = Operation("getAccount", .get, "/v1/accounts/{account}", scope: .read) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        let account = try await call.store.read { try reference.resolve(in: $0, for: caller) }
        try await call.respond { AccountJSON.write(account, to: &$0) }
    }
}
