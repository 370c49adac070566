// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage

/// `GET /v1/accounts/{account}`.
enum GetAccount {
    static let operation = Operation("getAccount", .get, "/v1/accounts/{account}", scope: .read) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        let shown = try await call.store.read { snapshot in
            try ShownAccount(try reference.resolve(in: snapshot, for: caller), in: snapshot)
        }
        try await call.respond { call.api.write(shown, to: &$0) }
    }
}
