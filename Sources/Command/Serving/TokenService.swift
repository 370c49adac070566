// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Configuration
internal import OAuth
internal import Runtime
internal import Sockets
internal import Storage

/// Access tokens of remote accounts, from the providers that the operator set up.
enum TokenService {
    static func make(_ foundation: Server.Foundation, _ box: SecretBox) -> TokenKeeper {
        TokenKeeper(
            foundation.settings.oauthProviders,
            store: foundation.store,
            box: box,
            web: foundation.outgoing.web,
            loops: foundation.group.loops,
            metrics: foundation.metrics,
            clock: foundation.clock,
            logger: foundation.logs.logger("oauth")
        )
    }
}

extension Settings {
    /// Those with a client id.
    var oauthProviders: [OAuthProvider] {
        var providers: [OAuthProvider] = []
        if !oauthGoogle.clientId.isEmpty {
            providers.append(.google(clientID: oauthGoogle.clientId, clientSecret: oauthGoogle.clientSecret))
        }
        if !oauthMicrosoft.clientId.isEmpty {
            providers.append(
                .microsoft(
                    clientID: oauthMicrosoft.clientId,
                    clientSecret: oauthMicrosoft.clientSecret,
                    tenant: oauthMicrosoft.tenant
                )
            )
        }
        if !oauthGeneric.clientId.isEmpty {
            providers.append(
                OAuthProvider(
                    name: "generic",
                    displayName: oauthGeneric.displayName,
                    clientID: oauthGeneric.clientId,
                    clientSecret: oauthGeneric.clientSecret,
                    authorizeURL: oauthGeneric.authorizeUrl,
                    tokenURL: oauthGeneric.tokenUrl,
                    scopes: oauthGeneric.scopes,
                    username: oauthGeneric.usernameClaim.isEmpty ? .address : .claim(oauthGeneric.usernameClaim),
                    authentication: oauthGeneric.clientAuthentication == .basic ? .basic : .post
                )
            )
        }
        return providers
    }
}
