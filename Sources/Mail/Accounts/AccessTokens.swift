// SPDX-License-Identifier: Apache-2.0

package import Storage
package import Wire

/// Has an access token for each account that logs in with one (RFC 6750).
package protocol AccessTokens: Sendable {
    /// A token that is good for a while, asked for at the account's provider where there is none.
    ///
    /// - Parameter rejected: a token that a server has just refused: another one is given, or an error.
    func token(for account: AccountKey, insteadOf rejected: Secret?) async throws(AccessTokenError) -> Secret
}

/// Why there is no token; in one sentence.
package enum AccessTokenError: Error, Hashable, Sendable {
    /// Somebody has to authorise us anew.
    case refused(String)
    /// It may be had later.
    case unavailable(String)
}

/// Where no provider is set up.
package struct NoAccessTokens: AccessTokens {
    package init() {}

    package func token(for account: AccountKey, insteadOf rejected: Secret?) async throws(AccessTokenError) -> Secret {
        throw .unavailable("No provider is configured.")
    }
}
