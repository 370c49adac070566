// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import OAuth

/// `POST /connect/{ticket}`: sends the browser on to the provider; only it can come back from there.
enum BeginConnecting {
    static let operation = Operation("beginConnecting", .post, "/connect/{ticket}", scope: nil) { call in
        let cookie = ConnectCookie(publicURL: call.api.configuration.publicURL)
        // One for all that a browser has under way.
        let mark = cookie.values(call.exchange.fields).first ?? AuthorizationFlows<Connecting>.random()
        let flow: AuthorizationFlows<Connecting>.Flow
        do {
            flow = try call.api.authorizations.bind(Array(call.parameters["ticket"]), to: mark)
        } catch {
            return try await call.respondThatItIsOver()
        }
        try await call.redirect(to: flow.authorizeURL, cookie: cookie.setting(mark))
    }
}
