// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Intake
import MailTypes
import Metrics
import Runtime
import Storage
import Sync
import Wire

/// `POST /v1/accounts/{account}/messages`: puts a finished message into a folder.
///
/// Nothing is sent.
enum AppendMessage {
    static let operation = Operation("appendMessage", .post, "/v1/accounts/{account}/messages", scope: .write) { call in
        let (account, caller) = (call.account, call.caller)
        _ = try await call.store.read { try account.resolve(in: $0, for: caller).key }
        var query = call.query
        let folder =
            query.text("folder", minimum: 1, maximum: 64).map { FolderReference($0) } ?? FolderReference(.inbox)
        let flags = flags(&query)
        let date = query.moment("internalDate", allowingDate: false)
        try query.finish()
        _ = try call.exchange.fields.contentType(among: ["message/rfc822", "application/octet-stream"])
        _ = try await call.store.read { try folder.resolve(in: $0, of: try account.resolve(in: $0, for: caller)).key }
        let target = Target(account: account, folder: folder, flags: flags, date: date)
        guard let key = try IdempotentRequests.key(call.exchange.fields) else {
            let taken = try await take(call)
            if let (mailbox, folder) = try await remote(call, target) {
                let shown = OneMessage()
                _ = try await mailbox.append(taken, to: folder, flags: flags, internalDate: date) { transaction, row in
                    shown.set(try ShownMessage(row, in: transaction))
                }
                guard let message = shown.value else { throw APIProblem.notFound("message") }
                return try await call.respond(.created, message)
            }
            let message = try await call.store.write { try append(taken, target, caller, in: $0) }
            return try await call.respond(.created, message)
        }
        let id = try await call.store.read { try account.resolve(in: $0, for: caller).id }
        let scope = Array("append ".utf8) + id.octets
        try await call.api.idempotentRequests.alone(scope, key) { try await once(call, target, scope, key) }
    }

    /// Where the message goes, and as what.
    private struct Target: Sendable {
        let account: AccountReference
        let folder: FolderReference
        let flags: MessageFlags
        let date: Timestamp?
    }

    /// Where the account's mail is at a server: what reaches that, and the folder.
    private static func remote(_ call: Call, _ target: Target) async throws -> (RemoteMailbox, FolderRow)? {
        let caller = call.caller
        let (account, folder) = try await call.store.read { snapshot in
            let account = try target.account.resolve(in: snapshot, for: caller)
            return (account, try target.folder.resolve(in: snapshot, of: account))
        }
        return try call.api.remoteMailbox(of: account).map { ($0, folder) }
    }

    private static func append(
        _ taken: TakenMessage,
        _ target: Target,
        _ caller: Caller,
        in transaction: Transaction
    ) throws -> ShownMessage {
        let account = try target.account.resolve(in: transaction, for: caller)
        let row = try transaction.messages.append(
            to: try target.folder.resolve(in: transaction, of: account),
            taken.content,
            flags: target.flags,
            internalDate: target.date,
            arrival: .added
        )
        return try ShownMessage(row, in: transaction)
    }

    /// Puts the message there unless that was done under this key; the answer is kept in the same transaction.
    private static func once(_ call: Call, _ target: Target, _ scope: [UInt8], _ key: [UInt8]) async throws {
        let taken = try await take(call)
        // The key stands for these octets in this folder; a repeat with other flags or another date is a repeat all the same.
        let caller = call.caller
        let folder = try await call.store.read { snapshot in
            try target.folder.resolve(in: snapshot, of: try target.account.resolve(in: snapshot, for: caller)).id
        }
        let identity = IdempotencyKey(
            scope: scope,
            key: key,
            fingerprint: taken.body.hash.octets + folder.octets
        )
        if let (mailbox, folder) = try await remote(call, target) {
            return try await onceRemotely(call, target, taken, identity, mailbox, folder)
        }
        let (answer, isReplay) = try await call.store.write { transaction -> (StoredAnswer, Bool) in
            let expires = Timestamp(
                milliseconds: transaction.now.milliseconds + IdempotentRequests.keptMilliseconds
            )
            if let answer = try IdempotentRequests.answer(
                of: try transaction.idempotency.begin(identity, expires: expires)
            ) {
                return (answer, true)
            }
            let answer = stored(try append(taken, target, caller, in: transaction))
            try transaction.idempotency.finish(identity, answer)
            return (answer, false)
        }
        try await respond(call, answer, isReplay: isReplay)
    }

    /// As ``once(_:_:_:_:)`` for a remote account: the answer is kept in the transaction that mirrors the message.
    private static func onceRemotely(
        _ call: Call,
        _ target: Target,
        _ taken: TakenMessage,
        _ identity: IdempotencyKey,
        _ mailbox: RemoteMailbox,
        _ folder: FolderRow
    ) async throws {
        let known = try await call.store.read { try $0.idempotency.state(of: identity) }
        if let answer = try IdempotentRequests.answer(of: known) {
            return try await respond(call, answer, isReplay: true)
        }
        let shown = OneMessage()
        _ = try await mailbox.append(
            taken,
            to: folder,
            flags: target.flags,
            internalDate: target.date
        ) { transaction, row in
            let message = try ShownMessage(row, in: transaction)
            let expires = Timestamp(
                milliseconds: transaction.now.milliseconds + IdempotentRequests.keptMilliseconds
            )
            _ = try transaction.idempotency.begin(identity, expires: expires)
            try transaction.idempotency.finish(identity, stored(message))
            shown.set(message)
        }
        guard let message = shown.value else { throw APIProblem.notFound("message") }
        try await respond(call, stored(message), isReplay: false)
    }

    private static func stored(_ message: ShownMessage) -> StoredAnswer {
        StoredAnswer(status: 201, headers: Array(message.row.id.description.utf8), body: message.json)
    }

    private static func respond(_ call: Call, _ answer: StoredAnswer, isReplay: Bool) async throws {
        var fields = HTTPFields()
        try fields.add("Location", try call.location(below: "messages", answer.headers.span.repairedUTF8String()))
        if isReplay {
            fields.add("Idempotent-Replayed", "true")
            call.api.idempotencyReplays.add()
        }
        try await call.respond(.created, json: ByteBuffer(answer.body), fields: fields)
    }

    private static func take(_ call: Call) async throws -> TakenMessage {
        try call.store.checkRoom()
        let limit = call.api.configuration.maximumMessageOctets
        call.exchange.maximumBodyOctets = UInt64(limit)
        let message = call.api.intake.begin(.normalising, limit: limit)
        var buffer = ByteBuffer()
        while try await call.exchange.readBody(into: &buffer) > 0 {
            try message.append(buffer.bytes)
            buffer.removeAll()
        }
        guard message.size > 0 else {
            throw APIProblem(.unprocessableContent, "empty_message", "There is no message in the body.")
        }
        return try await message.finish()
    }

    private static func flags(_ query: inout QueryReader) -> MessageFlags {
        var flags = MessageFlags()
        let words = query.list("flags", maximum: FlagWords.maximum) ?? []
        // A list of none is written as nothing at all.
        for word in words where words != [[]] && !FlagWords.insert(word, into: &flags) {
            query.fail("flags", "invalid", "must be words of flags, with commas between them")
        }
        return flags
    }
}

/// What a transaction showed, for whoever waits for its end.
private final class OneMessage: Sendable {
    private let message = Lock<ShownMessage?>(nil)

    var value: ShownMessage? { message.withLock { $0 } }
    func set(_ message: ShownMessage) { self.message.withLock { $0 = message } }
}
