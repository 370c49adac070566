// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Intake
import JSON
import Storage
import Wire

/// `GET /v1/accounts/{account}/messages/{message}`: JSON, octets, text or HTML, as `Accept` asks.
enum GetMessage {
    /// Octets of text, and of HTML, in the JSON.
    static let maximumTextOctets = 256 << 10

    private static let offers: [StaticString] = ["application/json", "message/rfc822", "text/plain", "text/html"]

    static let operation = Operation(
        "getMessage",
        .get,
        "/v1/accounts/{account}/messages/{message}",
        scope: .read
    ) { call in
        var query = call.query
        let fields = MessageFields.read(&query)
        guard let choice = AcceptNegotiation.choose(among: offers, call.exchange.fields) else {
            var problem = APIProblem(
                .notAcceptable,
                "not_acceptable",
                "A message is JSON, message/rfc822, text/plain or text/html."
            )
            problem.fields.add("Vary", "Accept")
            throw problem
        }
        guard choice == 0 else {
            let message = try await call.locatedMessage()
            try query.finish()
            switch choice {
            case 1: return try await GetRawMessage.respond(call, message, varying)
            case 2: return try await GetMessageText.respond(call, message, varying)
            default: return try await GetMessageHTML.respond(call, message, varying)
            }
        }
        let wanted = fields ?? .all
        let found = try await find(call, wanted)
        try query.finish()
        guard found.message.body == nil, !wanted.isDisjoint(with: .content) else {
            return try await respond(call, found, wanted)
        }
        try await call.reading(try await call.locatedMessage()) { _, reader, _ in
            var found = try await find(call, wanted)
            found.reader = reader
            try await respond(call, found, wanted)
        }
    }

    /// What every answer has whose form was chosen by `Accept` (RFC 9110 §12.5.5).
    private static var varying: HTTPFields {
        var fields = HTTPFields()
        fields.add("Vary", "Accept")
        return fields
    }

    /// A message, and its JSON as far as the columns go.
    private struct Found: ~Copyable, Sendable {
        let message: StoredMessage
        /// Nil where nothing is wanted of the octets.
        var reader: MessageReader?
        var writer: JSONWriter
    }

    private static func find(_ call: Call, _ fields: MessageFields) async throws -> Found {
        let (account, message, caller, store) = (call.account, call.message, call.caller, call.store)
        return try await store.read { snapshot in
            let account = try account.key(in: snapshot, for: caller)
            let id = try message.resolve(in: snapshot, of: account)
            var writer = JSONWriter(capacity: 4096)
            let stored = try snapshot.messages.get(id, in: account) { message in
                writer.beginObject()
                MessageJSON.writeStored(message.shown, fields, all: .list, to: &writer)
                MessageJSON.writeStored(message.detail, fields, all: .detail, to: &writer)
                return try StoredMessage(message)
            }
            guard let stored else { throw APIProblem.notFound("message") }
            let body =
                fields.isDisjoint(with: .content)
                ? nil : try stored.body.map { try snapshot.openBody($0, files: store.bodies) }
            return Found(message: stored, reader: body.map { stored.reader($0, store) }, writer: writer)
        }
    }

    private static func respond(_ call: Call, _ found: consuming Found, _ fields: MessageFields) async throws {
        let (message, reader) = (found.message, found.reader)
        var writer = found.writer
        let tag = MessageJSON.tag(message.id, modseq: message.modseq)
        guard try await call.proceeds(tag: tag, varying) else { return }
        if let reader {
            let text = try await reader.text(limit: maximumTextOctets)
            let html = try await reader.html(limit: maximumTextOctets)
            write(text, html, fields, to: &writer)
        }
        if fields.contains(.quarantined) {
            writer.key("quarantined")
            writer.bool(message.isQuarantined)
        }
        writer.endObject()
        var answer = varying
        try answer.add("ETag", tag.fieldValue)
        try await call.respond(json: writer.finish(), fields: answer)
    }

    private static func write(
        _ text: MessageReader.Text?,
        _ html: MessageReader.Text?,
        _ fields: MessageFields,
        to writer: inout JSONWriter
    ) {
        if fields.contains(.text) {
            writer.key("text")
            writer.string(text?.octets)
        }
        if fields.contains(.html) {
            writer.key("html")
            writer.string(html?.octets)
        }
        if fields.contains(.textTruncated) {
            writer.key("textTruncated")
            writer.bool(text?.isTruncated ?? false || html?.isTruncated ?? false)
        }
    }
}
