// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Intake
import Storage
import Sync
import Wire

/// `GET /v1/accounts/{account}/messages/{message}/raw`: the octets, behind what delivery put in front.
enum GetRawMessage {
    static let operation = Operation(
        "getRawMessage",
        .get,
        "/v1/accounts/{account}/messages/{message}/raw",
        scope: .read
    ) { call in
        let message = try await call.locatedMessage()
        try call.refuseParameters()
        try await respond(call, message)
    }

    static func respond(_ call: Call, _ message: Call.Located, _ varying: HTTPFields = HTTPFields()) async throws {
        let tag = message.stored.octetsTag
        guard try await call.proceeds(tag: tag, varying) else { return }
        var fields = varying
        fields.add("Content-Security-Policy", Sandbox.policy)
        try fields.add("Content-Disposition", HTTP.ContentDisposition.attachment("\(message.stored.id).eml"))
        if message.stored.body == nil, let mailbox = try call.api.remoteMailbox(of: message.owner) {
            do {
                return try await pass(call, message, from: mailbox, fields)
            } catch is SectionMismatch where !call.exchange.hasResponded {
                // A server that does not say how long the message is: it is fetched first.
            }
        }
        try await respond(call, try await call.fetched(message), fields)
    }

    private static func respond(_ call: Call, _ message: StoredMessage, _ fields: HTTPFields) async throws {
        let (body, store) = (try await message.openBody(call.store), call.store)
        let front = Int64(message.trace.count)
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

    /// Passes a message on while its server sends it, and keeps it where all of it went by.
    private static func pass(
        _ call: Call,
        _ message: Call.Located,
        from mailbox: RemoteMailbox,
        _ fields: HTTPFields
    ) async throws {
        let sections = mailbox.sections(of: message.row)
        try await sections.prepareWhole()
        let size = message.row.size
        let incoming = size <= call.store.configuration.maximumMessageOctets ? call.api.intake.begin(.strict) : nil
        var held = ByteBuffer()
        try await call.respond(
            contentType: Array("message/rfc822".utf8),
            tag: message.stored.octetsTag,
            length: size,
            fields: fields
        ) { range, buffer in
            if held.isEmpty {
                try await sections.readWhole(range.lowerBound..<size, into: &held)
                if incoming?.size == range.lowerBound { try incoming?.append(held.bytes) }
            }
            let count = min(held.count, range.count)
            buffer.append(held.bytes.extracting(0..<count))
            held.consume(count)
            return count
        }
        guard let incoming, incoming.size == size else { return }
        // The caller has it: what keeping it takes is not his time.
        try await call.exchange.rest()
        try await mailbox.keep(try await incoming.finish(), of: message.row)
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
