// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import JSON
import MailTypes
import Storage
import Webhooks
import Wire

/// `POST /v1/webhooks/{webhook}/replay`: sends events again, with the ids they had: those that ran out, or a range of the
/// log.
enum ReplayWebhook {
    static let maximumEvents = 10_000
    private static let piece = 500

    private enum Wish: Sendable {
        case failed(since: Timestamp?, before: Timestamp?)
        case range(ReplayRange)
    }

    static let operation = Operation("replayWebhook", .post, "/v1/webhooks/{webhook}/replay", scope: .admin) { call in
        try call.refuseParameters()
        try call.caller.checkMayRead()
        let wish = try await call.decodeBody(read)
        let (webhook, _) = try await call.webhook()
        let scheduled: Int
        switch wish {
        case .failed(let since, let before):
            scheduled = try await call.store.write { tx in
                try tx.deliveries.retryFailed(of: webhook.key, since: since, before: before)
            }
        case .range(let range): scheduled = try await sendAgain(range, webhook, call.store)
        }
        call.api.webhooks.note(webhook)
        try await call.respond(.accepted) { writer in
            writer.beginObject()
            writer.key("scheduled")
            writer.number(scheduled)
            writer.endObject()
        }
    }

    private static func sendAgain(_ range: ReplayRange, _ webhook: WebhookRow, _ store: Store) async throws -> Int {
        let events = try await store.read { try $0.deliveries.events(in: range, for: webhook, limit: maximumEvents) }
        guard let events else {
            throw APIProblem(
                .unprocessableContent,
                "range_too_large",
                "There are more than \(maximumEvents) events in the range; narrow it down."
            )
        }
        for start in stride(from: 0, to: events.count, by: piece) {
            let some = Array(events[start..<min(start + piece, events.count)])
            try await store.write { try $0.deliveries.sendAgain(some, to: webhook.key) }
        }
        return events.count
    }

    // MARK: The body

    private static func read(_ reader: inout JSONObjectReader) -> Wish? {
        let failed = reader.take("failed").map { ($0, $0.bool()) }
        let account = reader.take("accountId")
        let from = reader.take("fromSeq")?.integer(in: 1...Int64.max)
        let to = reader.take("toSeq")?.integer(in: 1...Int64.max)
        let since = reader.take("since").flatMap(moment)
        let before = reader.take("before").flatMap(moment)
        guard reader.errors.isEmpty else { return nil }
        if let (field, isFailed) = failed, let isFailed {
            guard isFailed, account == nil, from == nil, to == nil else {
                field.fail(.invalid, "must be true, and alone or with since and before")
                return nil
            }
            return .failed(since: since, before: before)
        }
        if let account {
            guard since == nil, before == nil, let from, let to, from <= to,
                let id = account.text(maximum: 64).flatMap({ AccountID($0.span) })
            else {
                account.fail(.invalid, "must be an account's id, with fromSeq and toSeq in order and nothing else")
                return nil
            }
            return .range(.numbers(id, from...to))
        }
        guard from == nil, to == nil, let since else {
            reader.errors.add([], .missing, "must have failed, or accountId with fromSeq and toSeq, or since")
            return nil
        }
        return .range(.times(since: since, before: before))
    }

    private static func moment(_ field: JSONField) -> Timestamp? {
        guard let text = field.text(maximum: 64) else { return nil }
        let moment = text.count > 10 ? Timestamp(rfc3339: text.span) : nil
        if moment == nil { field.fail(.invalid, "must be a date and time (RFC 3339)") }
        return moment
    }
}
