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
        let message = try await call.locatedMessage()
        try call.refuseParameters()
        try await respond(call, message)
    }

    static func respond(_ call: Call, _ message: Call.Located, _ fields: HTTPFields = HTTPFields()) async throws {
        try await call.reading(message) { message, reader, _ in try await respond(call, message, reader, fields) }
    }

    private static func respond(
        _ call: Call,
        _ message: StoredMessage,
        _ reader: MessageReader,
        _ fields: HTTPFields
    ) async throws {
        let tag = message.partTag("h", "html")
        guard try await call.proceeds(tag: tag, fields) else { return }
        guard let html = try await reader.html(limit: GetMessageText.maximumOctets) else {
            throw APIProblem(.notFound, "no_html", "The message has no HTML.")
        }
        try await call.respond("text/html; charset=utf-8", html, tag: tag, policy: Sandbox.htmlPolicy, fields)
    }
}
