// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP

/// `DELETE /v1/tokens/{token}`: the token is refused from now on.
///
/// The caller's own it is not: nobody shuts himself out by mistake.
enum RevokeToken {
    static let operation = Operation("revokeToken", .delete, "/v1/tokens/{token}", scope: .admin) { call in
        try call.refuseParameters()
        let grant = try await GetToken.find(call)
        guard grant.id != call.caller.grant?.id else {
            throw APIProblem(.conflict, "own_token", "A token does not revoke itself.")
        }
        guard try await call.api.tokens.revoke(grant.id) else { throw APIProblem.notFound("token") }
        try await call.respondNoContent()
    }
}
