// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Intake
import Storage
import Wire

/// `GET /v1/accounts/{account}/messages/{message}/text`: the text, or the HTML as text, as UTF-8.
enum GetMessageText {
    static let operation = Operation(
        "getMessageText",
        .get,
        "/v1/accounts/{account}/messages/{message}/text",
        scope: .read
    ) { call in
        let message = try await call.locatedMessage()
        try call.refuseParameters()
        try await respond(call, message)
    }

    /// The most octets of text or HTML that are decoded for one answer.
    static let maximumOctets = 16 << 20

    static func respond(_ call: Call, _ message: Call.Located, _ fields: HTTPFields = HTTPFields()) async throws {
        try await call.reading(message) { message, reader, _ in try await respond(call, message, reader, fields) }
    }

    private static func respond(
        _ call: Call,
        _ message: StoredMessage,
        _ reader: MessageReader,
        _ fields: HTTPFields
    ) async throws {
        let tag = message.partTag("t", "text")
        guard try await call.proceeds(tag: tag, fields) else { return }
        guard let text = try await reader.text(limit: maximumOctets) else {
            throw APIProblem(.notFound, "no_text", "The message has no text.")
        }
        try await call.respond("text/plain; charset=utf-8", text, tag: tag, policy: Sandbox.policy, fields)
    }
}

extension Call {
    /// Answers with a text out of a message, which a browser must not trust.
    func respond(
        _ contentType: StaticString,
        _ text: MessageReader.Text,
        tag: EntityTag,
        policy: StaticString,
        _ fields: HTTPFields
    ) async throws {
        var response = HTTPResponse(.ok, contentType: contentType, fields: fields)
        try response.fields.add("ETag", tag.fieldValue)
        response.fields.add("Content-Security-Policy", policy)
        try await exchange.respond(response, body: ByteBuffer(text.octets))
    }
}
