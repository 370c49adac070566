// SPDX-License-Identifier: Apache-2.0

import HTTP
import WebClient
import Wire

/// Asks providers' token endpoints (RFC 6749 §3.2).
struct TokenEndpoint: Sendable {
    private let web: WebClients
    private let milliseconds: Int

    init(_ web: WebClients, milliseconds: Int) {
        self.web = web
        self.milliseconds = milliseconds
    }

    /// Another access token, and perhaps another refresh token (RFC 6749 §6).
    func renew(_ refresh: Secret, at provider: OAuthProvider) async throws(TokenAnswer.Problem) -> TokenAnswer {
        try await ask(
            provider,
            [("grant_type", Array("refresh_token".utf8)), ("refresh_token", refresh.withOctets { $0 })]
        )
    }

    /// The tokens for a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    func exchange(
        _ code: [UInt8],
        verifier: [UInt8],
        redirectURL: String,
        at provider: OAuthProvider
    ) async throws(TokenAnswer.Problem) -> TokenAnswer {
        try await ask(
            provider,
            [
                ("grant_type", Array("authorization_code".utf8)), ("code", code),
                ("redirect_uri", Array(redirectURL.utf8)), ("code_verifier", verifier),
            ]
        )
    }

    private func ask(
        _ provider: OAuthProvider,
        _ members: [(name: String, value: [UInt8])]
    ) async throws(TokenAnswer.Problem) -> TokenAnswer {
        var request = WebRequest("POST", provider.tokenURL)
        request.fields = [
            WebRequest.Field("Content-Type", "application/x-www-form-urlencoded"),
            WebRequest.Field("Accept", "application/json"),
        ]
        var members = members
        switch (provider.authentication, provider.clientSecret) {
        case (.basic, let secret?):
            request.fields.append(WebRequest.Field("Authorization", Self.basic(provider.clientID, secret)))
        case (.post, let secret?):
            members.append(("client_id", Array(provider.clientID.utf8)))
            members.append(("client_secret", secret.withOctets { $0 }))
        case (_, nil):
            members.append(("client_id", Array(provider.clientID.utf8)))
        }
        request.body = PercentEncoding.encode(members: members)
        request.totalMilliseconds = milliseconds
        request.owner = "oauth \(provider.name)"
        let response: WebResponse
        do throws(WebClientError) {
            response = try await web.send(request)
        } catch {
            throw .unavailable("The provider cannot be asked: \(error).")
        }
        guard !response.isCut else { throw .unavailable("The provider's answer is too long.") }
        return try TokenAnswer(status: response.status, body: response.body)
    }

    /// RFC 6749 §2.3.1: both are form-encoded first.
    private static func basic(_ clientID: String, _ secret: Secret) -> String {
        var text: [UInt8] = []
        PercentEncoding.encode(Array(clientID.utf8).span, into: &text)
        text.append(ASCII.colon)
        secret.withOctets { PercentEncoding.encode($0.span, into: &text) }
        return "Basic \(String(decoding: Base64.encode(text), as: UTF8.self))"
    }
}
