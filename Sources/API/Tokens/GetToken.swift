// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes

/// `GET /v1/tokens/{token}`.
enum GetToken {
    static let operation = Operation("getToken", .get, "/v1/tokens/{token}", scope: .admin) { call in
        try call.refuseParameters()
        let grant = try await find(call)
        try await call.respond { TokenJSON.write(grant, to: &$0) }
    }

    /// The token that the path names; 404 where there is none or the caller may not know of it.
    static func find(_ call: Call) async throws -> TokenGrant {
        let id: TokenID = try call.id("token", "token")
        let grants = try await call.api.tokens.list()
        guard let grant = grants.first(where: { $0.id == id }), call.caller.maySee(grant) else {
            throw APIProblem.notFound("token")
        }
        return grant
    }
}

extension Caller {
    /// A caller bound to accounts knows of tokens bound to some of these alone.
    func maySee(_ other: TokenGrant) -> Bool {
        guard let accounts else { return true }
        guard let others = other.accounts else { return false }
        return others.allSatisfy(accounts.contains)
    }
}
