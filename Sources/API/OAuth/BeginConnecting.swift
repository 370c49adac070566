// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import OAuth
import Wire

/// `POST /connect/{ticket}`: sends the browser on to the provider; only it can come back from there.
enum BeginConnecting {
    static let operation = Operation("beginConnecting", .post, "/connect/{ticket}", scope: nil) { call in
        let cookie = ConnectCookie(publicURL: call.api.configuration.publicURL)
        guard let mark = cookie.values(call.exchange.fields).first, isByOurForm(call.exchange.fields) else {
            return try await ShowConnectPage.show(call)
        }
        let flow: AuthorizationFlows<Connecting>.Flow
        do {
            flow = try call.api.authorizations.bind(Array(call.parameters["ticket"]), to: mark)
        } catch {
            return try await call.respondThatItIsOver()
        }
        try await call.redirect(to: flow.authorizeURL, cookie: cookie.setting(mark))
    }

    /// Whether the form is our page's, as far as the browser says (W3C Fetch Metadata §2.3).
    ///
    /// Another site's form carries no cookie of ours, but one of a neighbour in our domain does.
    private static func isByOurForm(_ fields: HTTPFields) -> Bool {
        fields.all("Sec-Fetch-Site").allSatisfy { Array($0).span.equals("same-origin") }
    }
}
