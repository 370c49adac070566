// SPDX-License-Identifier: Apache-2.0

import Intake
import JSON
import MailTypes
package import Storage
package import Webhooks
package import Wire

/// Events as webhooks send them: the form that the event API has, with as much of the message as was asked for.
package struct WebhookBodies: WebhookBodyWriter {
    private let store: Store

    package init(store: Store) { self.store = store }

    package func event(at position: Int64, payload: WebhookPayload) async throws -> WebhookEventBody? {
        let text = payload == .full ? try await text(ofEventAt: position) : nil
        return try await store.read { snapshot in
            try snapshot.deliveries.event(at: position) { event in
                let (account, message) = (try event.account, EventDataReader.message(of: event.data))
                var writer = JSONWriter(capacity: 1024)
                try event.write(to: &writer) { writer in
                    guard payload != .ids, let message else { return }
                    try Self.write(message, of: account, text, payload, in: snapshot, to: &writer)
                }
                var id = ByteBuffer()
                EventID(account: account, seq: event.seq).append(to: &id)
                return WebhookEventBody(id: id.array(), body: writer.finish().array())
            }
        }
    }

    /// Writes the members `message` and, of full events, `text`; both null once the message is gone.
    private static func write(
        _ message: PlacementID,
        of account: AccountID,
        _ text: MessageReader.Text?,
        _ payload: WebhookPayload,
        in snapshot: Snapshot,
        to writer: inout JSONWriter
    ) throws {
        writer.key("message")
        var isThere = false
        if let account = try snapshot.accounts.get(account) {
            isThere =
                try snapshot.messages.get(message, in: account.key) { message in
                    MessageJSON.write(message, .list, to: &writer)
                    return true
                } ?? false
        }
        if !isThere { writer.null() }
        guard payload == .full else { return }
        writer.key("text")
        writer.string(text?.octets)
        writer.key("textTruncated")
        writer.bool(text?.isTruncated ?? false)
    }

    private func text(ofEventAt position: Int64) async throws -> MessageReader.Text? {
        let stored: StoredMessage? = try await store.read { snapshot in
            let place = try snapshot.deliveries.event(at: position) { event in
                (account: try event.account, message: EventDataReader.message(of: event.data))
            }
            guard let place, let message = place.message, let account = try snapshot.accounts.get(place.account) else {
                return nil
            }
            return try snapshot.messages.get(message, in: account.key) { try StoredMessage($0) }
        }
        guard let stored, !stored.isQuarantined else { return nil }
        return try await stored.reader(store).text(limit: GetMessage.maximumTextOctets)
    }

    package func test(of webhook: WebhookRow, now: Timestamp) -> WebhookEventBody {
        var id = ByteBuffer()
        id.append("evt_test_")
        PlacementID.random().appendDigits(to: &id)
        let octets = id.array()
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("type")
        writer.string(literal: "webhook.test")
        writer.key("timestamp")
        writer.timestamp(now)
        writer.key("id")
        writer.string(octets)
        writer.key("data")
        writer.beginObject()
        writer.key("webhookId")
        writer.string { webhook.id.append(to: &$0) }
        writer.endObject()
        writer.endObject()
        return WebhookEventBody(id: octets, body: writer.finish().array())
    }
}
