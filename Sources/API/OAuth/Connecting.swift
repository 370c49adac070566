// SPDX-License-Identifier: Apache-2.0

import HTTP
import MailTypes
import OAuth
import Storage
import Wire

/// What an authorization is for, and where the browser goes afterwards.
struct Connecting: Sendable {
    enum Target: Sendable {
        case existing(AccountID)
        /// An account to be made; without an address that of the mailbox.
        case new(Draft)
    }

    struct Draft: Sendable {
        let address: EmailAddress?
        let alias: String?
        let displayName: String?
        /// None: those of the provider, where they are known.
        let servers: [RemoteServerBody]
    }

    let target: Target
    /// One of those that the operator allows; nil: a page of ours says how it ended.
    let returnURL: String?
    /// Given back with it.
    let state: String?
}

extension API {
    /// Where the provider sends browsers back to.
    func redirectURL(of provider: OAuthProvider) -> String {
        "\(configuration.publicURL)/oauth2/callback/\(provider.name)"
    }

    /// The provider of that name.
    func provider(_ name: String, at pointer: String) throws(APIProblem) -> OAuthProvider {
        guard let provider = tokenKeeper.provider(name) else {
            throw .invalidField(pointer, "invalid", "is no provider that this server is set up for")
        }
        return provider
    }
}
