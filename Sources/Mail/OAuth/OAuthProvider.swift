// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Somebody who gives out tokens for mailboxes, and whom we are known to as a client (RFC 6749 §2).
package struct OAuthProvider: Sendable {
    /// Where a token's answer says whose mailbox it is.
    package enum Username: Hashable, Sendable {
        /// It does not: it is the address that was asked about.
        case address
        /// In this claim of the ID token (OpenID Connect Core §2).
        case claim(String)
    }

    /// How we show the token endpoint who we are (RFC 6749 §2.3.1).
    package enum ClientAuthentication: String, CaseIterable, Sendable {
        /// In the form.
        case post
        /// In the `Authorization` field.
        case basic
    }

    /// `google`; part of paths.
    package let name: String
    /// For people.
    package let displayName: String
    package let clientID: String
    /// Nil for a client that has none: PKCE alone proves then who asks.
    package let clientSecret: Secret?
    package let authorizeURL: String
    package let tokenURL: String
    package let scopes: [String]
    package let username: Username
    package let authentication: ClientAuthentication
    /// What the authorization endpoint wants to be asked besides, so that it gives a refresh token.
    package let parameters: [(name: String, value: String)]

    package init(
        name: String,
        displayName: String,
        clientID: String,
        clientSecret: Secret?,
        authorizeURL: String,
        tokenURL: String,
        scopes: [String],
        username: Username,
        authentication: ClientAuthentication = .post,
        parameters: [(name: String, value: String)] = []
    ) {
        self.name = name
        self.displayName = displayName
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.authorizeURL = authorizeURL
        self.tokenURL = tokenURL
        self.scopes = scopes
        self.username = username
        self.authentication = authentication
        self.parameters = parameters
    }

    /// Gmail: https://developers.google.com/identity/protocols/oauth2/web-server,
    /// https://developers.google.com/workspace/gmail/imap/xoauth2-protocol.
    package static func google(clientID: String, clientSecret: Secret?) -> OAuthProvider {
        OAuthProvider(
            name: "google",
            displayName: "Google",
            clientID: clientID,
            clientSecret: clientSecret,
            authorizeURL: "https://accounts.google.com/o/oauth2/v2/auth",
            tokenURL: "https://oauth2.googleapis.com/token",
            scopes: ["https://mail.google.com/", "openid", "email"],
            username: .claim("email"),
            // Without a prompt there is a refresh token the first time only.
            parameters: [("access_type", "offline"), ("prompt", "consent")]
        )
    }

    /// Microsoft 365 and Outlook.com:
    /// https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth.
    ///
    /// - Parameter tenant: a directory's id or domain, `common`, `organizations` or `consumers`.
    package static func microsoft(clientID: String, clientSecret: Secret?, tenant: String) -> OAuthProvider {
        let base = "https://login.microsoftonline.com/\(tenant)/oauth2/v2.0"
        let resource = "https://outlook.office.com"
        return OAuthProvider(
            name: "microsoft",
            displayName: "Microsoft",
            clientID: clientID,
            clientSecret: clientSecret,
            authorizeURL: "\(base)/authorize",
            tokenURL: "\(base)/token",
            scopes: ["IMAP.AccessAsUser.All", "POP.AccessAsUser.All", "SMTP.Send"].map { "\(resource)/\($0)" }
                + ["offline_access", "openid", "email", "profile"],
            username: .claim("preferred_username")
        )
    }
}
