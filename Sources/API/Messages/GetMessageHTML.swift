// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Intake
import Storage

/// `GET /v1/accounts/{account}/messages/{message}/html`: the HTML as its sender wrote it, in UTF-8, sandboxed.
enum GetMessageHTML {
    static let operation = Operation(
        "getMessageHTML",
        .get,
        "/v1/accounts/{account}/messages/{message}/html",
        scope: .read
    ) { call in
        let message = try await call.storedMessage()
        try call.refuseParameters()
        try await respond(call, message)
    }

    static func respond(_ call: Call, _ message: StoredMessage, _ fields: HTTPFields = HTTPFields()) async throws {
        let tag = message.partTag("h", "html")
        guard try await call.proceeds(tag: tag, fields) else { return }
        guard let html = try await message.reader(call.store).html(limit: GetMessageText.maximumOctets) else {
            throw APIProblem(.notFound, "no_html", "The message has no HTML.")
        }
        try await call.respond("text/html; charset=utf-8", html, tag: tag, policy: Sandbox.htmlPolicy, fields)
    }
}
