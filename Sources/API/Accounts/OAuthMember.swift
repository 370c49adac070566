// SPDX-License-Identifier: Apache-2.0

import HTTP
import JSON
import MailTypes
import OAuth
import Storage
import Wire

/// `"oauth2": {"provider": …, "refreshToken": …}` of a server: it is logged in at with tokens of the provider.
struct OAuthMember: Sendable {
    let provider: String
    /// What the account's tokens come of; nil where another server's or what is known serves.
    let refreshToken: Secret?

    init?(_ field: JSONField) {
        guard var reader = field.object() else { return nil }
        let provider = reader.require("provider")?.line(minimum: 1, maximum: 64)
        let token = reader.take("refreshToken").flatMap(Self.token)
        reader.finish()
        guard let provider else { return nil }
        self.provider = provider
        refreshToken = token
    }

    private static func token(_ field: JSONField) -> Secret? {
        guard let text = field.text(minimum: 1, maximum: 4096) else { return nil }
        guard text.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            field.fail(.invalid, "must be printable ASCII without spaces")
            return nil
        }
        return Secret(text)
    }
}

extension API {
    /// The grant that a request's servers bring along; nil where they bring none.
    ///
    /// An account has one grant: all its servers that take tokens take those of one provider.
    func grant(of servers: [RemoteServerBody], for account: AccountID) throws(APIProblem) -> OAuthGrant? {
        let members = servers.compactMap { server in server.authorisation.map { (server.service, $0) } }
        guard let (service, first) = members.first else { return nil }
        let pointer = "/\(service.rawValue)/oauth2"
        _ = try provider(first.provider, at: "\(pointer)/provider")
        for (service, other) in members where other.provider != first.provider {
            throw .invalidField("/\(service.rawValue)/oauth2/provider", "invalid", "must be the same for all servers")
        }
        let tokens = members.compactMap(\.1.refreshToken)
        guard let token = tokens.first else { return nil }
        guard tokens.count == 1 else {
            throw .invalidField("\(pointer)/refreshToken", "invalid", "must be given once for all servers")
        }
        return tokenKeeper.grant(refresh: token, at: first.provider, for: account)
    }
}
