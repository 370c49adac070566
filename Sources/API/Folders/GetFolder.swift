// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage

/// `GET /v1/accounts/{account}/folders/{folder}`.
enum GetFolder {
    static let operation = Operation("getFolder", .get, "/v1/accounts/{account}/folders/{folder}", scope: .read) {
        call in
        try call.refuseParameters()
        let (account, folder, caller) = (call.account, call.folder, call.caller)
        let shown = try await call.store.read { snapshot in
            let account = try account.resolve(in: snapshot, for: caller)
            return try ShownFolder(try folder.resolve(in: snapshot, of: account), in: snapshot)
        }
        guard try await call.proceeds(tag: shown.tag) else { return }
        try await call.respond(fields: try shown.fields()) { shown.write(to: &$0) }
    }
}
