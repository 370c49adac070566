// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import Storage
import Wire

/// `GET /v1/accounts/{account}/messages/{message}/raw`: the octets, behind what delivery put in front.
enum GetRawMessage {
    static let operation = Operation(
        "getRawMessage",
        .get,
        "/v1/accounts/{account}/messages/{message}/raw",
        scope: .read
    ) { call in
        let message = try await call.storedMessage()
        try call.refuseParameters()
        try await respond(call, message)
    }

    static func respond(_ call: Call, _ message: StoredMessage, _ varying: HTTPFields = HTTPFields()) async throws {
        guard try await call.proceeds(tag: message.octetsTag, varying) else { return }
        let (body, store) = (try await message.openBody(call.store), call.store)
        let front = Int64(message.trace.count)
        var fields = varying
        fields.add("Content-Security-Policy", Sandbox.policy)
        try fields.add("Content-Disposition", HTTP.ContentDisposition.attachment("\(message.id).eml"))
        try await call.respond(
            contentType: Array("message/rfc822".utf8),
            tag: message.octetsTag,
            length: front + body.size,
            fields: fields
        ) { range, buffer in
            guard range.lowerBound >= front else {
                let end = min(range.upperBound, front)
                buffer.append(message.trace[Int(range.lowerBound)..<Int(end)])
                return Int(end - range.lowerBound)
            }
            return try await body.read(
                range.lowerBound - front..<range.upperBound - front,
                into: &buffer,
                on: store.blocking
            )
        }
    }
}

/// What a browser may do with somebody else's content that it was given: nothing.
enum Sandbox {
    static var policy: StaticString {
        "default-src 'none'; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }
    /// For HTML that is to be looked at: its own styles, and pictures that are part of it.
    static var htmlPolicy: StaticString {
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; base-uri 'none'; form-action 'none'"
    }
}
