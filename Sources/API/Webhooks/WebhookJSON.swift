// SPDX-License-Identifier: Apache-2.0

import HTTP
import JSON
import MailTypes
import Storage
import Webhooks

/// A webhook as the API shows it: never its secrets, and of its header fields the names only.
enum WebhookJSON {
    static func tag(_ webhook: WebhookRow) -> EntityTag { EntityTag("w\(webhook.version)".utf8) }

    static func write(_ webhook: WebhookRow, _ secrets: [WebhookSecretRow], to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(webhook, publicKeys: secrets.compactMap(\.publicKey), to: &writer)
        writer.endObject()
    }

    /// Also what its receiver needs to check signatures: the only moment it is shown.
    static func write(_ webhook: WebhookRow, new secrets: [WebhookSecret], to writer: inout JSONWriter) {
        writer.beginObject()
        writeMembers(webhook, publicKeys: secrets.compactMap(\.publicKey), to: &writer)
        writer.key("secret")
        writer.string(secrets.first { $0.kind == .hmac }?.receiversText)
        writer.endObject()
    }

    private static func writeMembers(_ webhook: WebhookRow, publicKeys: [[UInt8]], to writer: inout JSONWriter) {
        let settings = webhook.settings
        writer.key("id")
        writer.string { webhook.id.append(to: &$0) }
        writer.key("name")
        writer.string(settings.name)
        writer.key("url")
        writer.string(settings.url)
        writer.key("state")
        writer.string(webhook.state.rawValue)
        writer.key("reason")
        writer.string(webhook.reason)
        writer.key("types")
        writer.strings(settings.filter.types)
        writer.key("accounts")
        writer.strings(settings.filter.accounts.map(\.description))
        writer.key("folders")
        writer.strings(settings.filter.folders.map(\.description))
        writer.key("q")
        writer.string(settings.filter.query)
        writer.key("payload")
        writer.string(settings.payload.rawValue)
        writer.key("ordered")
        writer.bool(settings.isOrdered)
        writer.key("signatures")
        writer.beginArray()
        for known in WebhookSignatures.words where settings.signatures.contains(known.kind) {
            writer.string(literal: known.word)
        }
        writer.endArray()
        writer.key("publicKeys")
        writer.beginArray()
        for key in publicKeys { writer.string(WebhookSecret.publicKeyText(key)) }
        writer.endArray()
        writer.key("headerNames")
        writer.strings(settings.headerNames)
        writer.key("failures")
        writer.number(webhook.failures)
        writer.key("lastSuccessAt")
        writer.timestamp(webhook.lastSuccess)
        writer.key("lastFailureAt")
        writer.timestamp(webhook.lastFailure)
        writer.key("createdAt")
        writer.timestamp(webhook.created)
        writer.key("updatedAt")
        writer.timestamp(webhook.updated)
    }

    /// How an attempt ended, as members.
    static func writeMembers(_ attempt: DeliveryAttempt, to writer: inout JSONWriter) {
        writer.key("at")
        writer.timestamp(attempt.time)
        writer.key("milliseconds")
        writer.number(attempt.milliseconds)
        writer.key("status")
        if let status = attempt.status { writer.number(status) } else { writer.null() }
        writer.key("error")
        writer.string(attempt.error)
        writer.key("answer")
        writer.string(attempt.answer)
    }

    static func write(_ delivery: DeliveryRow, to writer: inout JSONWriter) {
        let event = delivery.event
        writer.beginObject()
        writer.key("id")
        writer.string { EventID(account: event.account, seq: event.seq).append(to: &$0) }
        writer.key("accountId")
        writer.string { event.account.append(to: &$0) }
        writer.key("seq")
        writer.number(event.seq)
        writer.key("type")
        writer.string(event.type)
        writer.key("timestamp")
        writer.timestamp(event.time)
        writer.key("state")
        writer.string(delivery.state.rawValue)
        writer.key("attempts")
        writer.number(delivery.attempts)
        writer.key("nextAttemptAt")
        writer.timestamp(delivery.state == .pending ? delivery.due : nil)
        writer.key("lastAttempt")
        if let last = delivery.last {
            writer.beginObject()
            writeMembers(last, to: &writer)
            writer.endObject()
        } else {
            writer.null()
        }
        writer.endObject()
    }
}

extension JSONWriter {
    mutating func strings(_ values: [String]) {
        beginArray()
        for value in values { string(value) }
        endArray()
    }
}
