// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Storage
import Sync

/// `DELETE /v1/accounts/{account}`: the account and all its mail.
enum DeleteAccount {
    static let operation = Operation("deleteAccount", .delete, "/v1/accounts/{account}", scope: .admin) { call in
        try call.refuseParameters()
        let (reference, caller) = (call.account, call.caller)
        let account = try await call.store.write { transaction in
            let account = try reference.resolve(in: transaction, for: caller)
            try transaction.accounts.delete(account.key)
            return account
        }
        call.api.mailboxes.note(account)
        try await call.api.revokeTokens(boundOnlyTo: account.id)
        try await call.respondNoContent()
    }
}

extension API {
    /// Ends the tokens that may touch this account and no other: nothing is left for them.
    func revokeTokens(boundOnlyTo account: AccountID) async throws {
        for grant in try await tokens.list() where grant.accounts == [account] { _ = try await tokens.revoke(grant.id) }
    }
}
