// SPDX-License-Identifier: Apache-2.0

import Accounts
import MailTypes
import SASL
import Storage
import Wire

extension RemoteParts {
    /// What one logs in with at the account's server; nil where it asks for nothing.
    ///
    /// - Parameter rejected: what the server has just refused: a password is the same again, a token another one.
    func login(
        _ server: RemoteServer,
        of account: AccountKey,
        _ id: AccountID,
        insteadOf rejected: SASLClientCredentials? = nil
    ) async throws(RemoteError) -> SASLClientCredentials? {
        guard server.credential == .oauth2 else { return try credentials.login(server, of: id) }
        let token: Secret
        do throws(AccessTokenError) {
            token = try await tokens.token(for: account, insteadOf: rejected?.token)
        } catch {
            switch error {
            case .refused(let reason): throw .authentication(reason)
            case .unavailable(let reason): throw .unavailable(reason)
            }
        }
        guard
            let login = SASLClientCredentials(authenticationID: Array(server.username.utf8), proof: .bearerToken(token))
        else { throw .authentication("The account's user name or token cannot be used to log in.") }
        return login
    }
}

extension SASLClientCredentials {
    /// The access token, where one logs in with such.
    var token: Secret? {
        guard case .bearerToken(let token) = proof else { return nil }
        return token
    }
}
