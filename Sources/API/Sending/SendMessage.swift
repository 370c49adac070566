// SPDX-License-Identifier: Apache-2.0

import Accounts
import Delivery
import HTTP
import HTTPServer
import JSON
import MIME
import MailTypes
import Metrics
import Runtime
import Storage
import Sync
import Wire

/// `POST /v1/accounts/{account}/send`: composes (from JSON or a form) or takes a finished message, delivers to the mailboxes
/// here and keeps the copy in Sent: all in the transaction that also keeps the answer under the `Idempotency-Key`.
enum SendMessage {
    static let operation = Operation("sendMessage", .post, "/v1/accounts/{account}/send", scope: .send) { call in
        let (reference, caller) = (call.account, call.caller)
        let account = try await call.store.read { try reference.resolve(in: $0, for: caller) }
        var query = call.query
        let isDryRun = query.bool("dryRun") ?? false
        var options = SubmissionOptions()
        options.isPartial = query.bool("partial") ?? false
        try query.finish()
        guard let key = try IdempotentRequests.key(call.exchange.fields), !isDryRun else {
            return try await send(call, account, options, isDryRun: isDryRun, key: nil)
        }
        let scope = Array("send ".utf8) + account.id.octets
        try await call.api.idempotentRequests.alone(scope, key) {
            try await send(call, account, options, isDryRun: false, key: (scope, key))
        }
    }

    private static func send(
        _ call: Call,
        _ account: AccountRow,
        _ options: SubmissionOptions,
        isDryRun: Bool,
        key: (scope: [UInt8], key: [UInt8])?
    ) async throws {
        let incoming = try await read(call, account)
        if case .draft(let request) = incoming.content, request.reference != nil, !call.caller.allows(.read) {
            throw APIProblem(
                .forbidden,
                "insufficient_scope",
                "Whoever answers or forwards a message must be allowed to read."
            )
        }
        var fingerprint = RequestFingerprint()
        fingerprint.add(incoming.fingerprint)
        fingerprint.add(options.isPartial ? [1] : [0])
        let digest = fingerprint.finish()
        let identity = key.map { IdempotencyKey(scope: $0.scope, key: $0.key, fingerprint: digest) }
        if let identity, let answer = try await earlierAnswer(to: identity, call.store) {
            return try await respond(answer, call, isReplay: true)
        }
        let prepared = try await prepare(incoming, account, options, call)
        if isDryRun { return try await show(prepared, call) }
        let agent = call.api.submissions
        let reference = call.account
        let caller = call.caller
        let (answer, isReplay) = try await call.store.write { transaction -> (StoredAnswer, Bool) in
            // The account may have gone since.
            _ = try reference.resolve(in: transaction, for: caller)
            if let identity {
                let expires = Timestamp(
                    milliseconds: transaction.now.milliseconds + IdempotentRequests.keptMilliseconds
                )
                if let answer = try IdempotentRequests.answer(
                    of: try transaction.idempotency.begin(identity, expires: expires)
                ) {
                    return (answer, true)
                }
            }
            let accepted = try agent.accept(prepared, in: transaction)
            let answer = StoredAnswer(status: 202, headers: Array(accepted.id.description.utf8), body: json(accepted))
            if let identity { try transaction.idempotency.finish(identity, answer) }
            return (answer, false)
        }
        // The copy in Sent has yet to be put at the account's server.
        if account.kind == .imap { call.api.mailboxes[account.key]?.wake() }
        try await respond(answer, call, isReplay: isReplay)
    }

    // MARK: What is to be sent

    private enum Content {
        case draft(SendRequest)
        /// A finished message, spooled as it came, its line ends made CRLF.
        case finished(SpooledBody)
    }

    private struct Incoming {
        let content: Content
        let fingerprint: [UInt8]
    }

    private static func read(_ call: Call, _ account: AccountRow) async throws -> Incoming {
        try call.store.checkRoom()
        let type = try call.exchange.fields.contentType(among: [
            "application/json", "multipart/form-data", "message/rfc822",
        ])
        // Base64 and the fields around it need more octets than what they stand for.
        let limit = UInt64(clamping: call.api.configuration.maximumMessageOctets)
        call.exchange.maximumBodyOctets = limit / 2 * 3
        if type.matches("application/json") {
            _ = try call.exchange.jsonContentType()
            let (request, fingerprint) = try await SendRequest.json(call)
            return Incoming(content: .draft(request), fingerprint: fingerprint)
        }
        if type.matches("multipart/form-data") {
            let (request, fingerprint) = try await SendRequest.form(call, type)
            return Incoming(content: .draft(request), fingerprint: fingerprint)
        }
        call.exchange.maximumBodyOctets = limit
        let body = try await call.api.spoolMessage(call.exchange)
        return Incoming(content: .finished(body), fingerprint: Array("message".utf8) + body.hash.octets)
    }

    private static func prepare(
        _ incoming: Incoming,
        _ account: AccountRow,
        _ options: SubmissionOptions,
        _ call: Call
    ) async throws -> PreparedSubmission {
        let agent = call.api.submissions
        switch incoming.content {
        case .finished(let body):
            let reader = try body.reader()
            var offset: Int64 = 0
            return try await agent.prepare(
                finished: { buffer in
                    let end = min(offset + (64 << 10), reader.size)
                    guard offset < end else { return }
                    _ = try await reader.read(offset..<end, into: &buffer, on: call.store.blocking)
                    offset = end
                },
                for: account,
                options: options
            )
        case .draft(let request):
            var options = options
            options.savesToSent = request.savesToSent
            var draft = try agent.draft(for: account)
            request.fill(&draft, of: account)
            var attachments = request.attachments.map(\.source)
            if let reference = request.reference {
                try await call.fetchReferred(reference.message, of: account)
                try await agent.refer(
                    &draft,
                    &attachments,
                    to: reference.message,
                    reference.action.delivered,
                    of: account
                )
            }
            return try await agent.prepare(draft, attachments: attachments, for: account, options: options)
        }
    }

    // MARK: Answers

    private static func earlierAnswer(to identity: IdempotencyKey, _ store: Store) async throws -> StoredAnswer? {
        try IdempotentRequests.answer(of: try await store.read { try $0.idempotency.state(of: identity) })
    }

    private static func json(_ accepted: AcceptedSubmission) -> [UInt8] {
        var writer = JSONWriter()
        SubmissionJSON.write(accepted, to: &writer)
        let buffer = writer.finish()
        return buffer.array()
    }

    private static func respond(_ answer: StoredAnswer, _ call: Call, isReplay: Bool) async throws {
        var fields = HTTPFields()
        let id = answer.headers.span.repairedUTF8String()
        try fields.add("Location", try call.location(below: "outbox", id))
        if isReplay {
            fields.add("Idempotent-Replayed", "true")
            call.api.idempotencyReplays.add()
        }
        try await call.respond(.accepted, json: ByteBuffer(answer.body), fields: fields)
    }

    private static func show(_ prepared: PreparedSubmission, _ call: Call) async throws {
        let reader = try prepared.body.reader()
        try await call.exchange.stream(
            HTTPResponse(.ok, contentType: "message/rfc822"),
            length: UInt64(clamping: reader.size)
        ) { writer in
            try await reader.copy(0..<reader.size, to: &writer, on: call.store.blocking)
        }
    }
}

extension MessageReferral.Action {
    var delivered: SubmissionAgent.Reference {
        switch self {
        case .reply: .reply(toAll: false)
        case .replyAll: .reply(toAll: true)
        case .forward: .forward
        }
    }
}
