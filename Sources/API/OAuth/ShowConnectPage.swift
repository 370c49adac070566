// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import OAuth

/// `GET /connect/{ticket}`: the page that tells somebody what is about to happen.
enum ShowConnectPage {
    static let operation = Operation("showConnectPage", .get, "/connect/{ticket}", scope: nil) { call in
        try await show(call)
    }

    /// The page marks the browser: a form that is not posted by a browser with a mark is another page's, which sends somebody to
    /// his provider unasked.
    static func show(_ call: Call) async throws {
        let ticket = Array(call.parameters["ticket"])
        let flow: AuthorizationFlows<Connecting>.Flow
        do {
            flow = try call.api.authorizations.flow(of: ticket)
        } catch {
            return try await call.respondThatItIsOver()
        }
        var address: String?
        if case .new(let draft) = flow.purpose.target { address = draft.address.map { "\($0)" } }
        let cookie = ConnectCookie(publicURL: call.api.configuration.publicURL)
        // One for all that a browser has under way.
        let mark = cookie.values(call.exchange.fields).first ?? AuthorizationFlows<Connecting>.random()
        try await call.respond(
            page: ConnectPage.ask(
                flow.provider.displayName,
                address,
                ticket: String(decoding: ticket, as: UTF8.self)
            ),
            destination: Self.origin(flow.provider.authorizeURL),
            cookie: cookie.setting(mark)
        )
    }

    /// Scheme and authority of an https URL.
    private static func origin(_ url: String) -> String {
        String(url.prefix(8)) + String(url.dropFirst(8).prefix { $0 != "/" && $0 != "?" })
    }
}
