// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

package typealias WebhookKey = RowKey<WebhookKind>

package enum WebhookState: String, CaseIterable, Hashable, Sendable {
    case active
    /// Stopped by its owner: events wait in the log.
    case paused
    /// Stopped by us, because its receiver said it is gone.
    case disabled
}

/// How much of a message an event brings along.
package enum WebhookPayload: String, CaseIterable, Hashable, Sendable {
    /// What the log has.
    case ids
    /// And the message as lists show it.
    case summary
    /// And its text.
    case full
}

/// Which kinds of signature are sent, as Standard Webhooks 1.0 names them.
package struct WebhookSignatures: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `v1`: HMAC-SHA256.
    package static let hmac = Self(rawValue: 1)
    /// `v1a`: Ed25519.
    package static let ed25519 = Self(rawValue: 2)

    package static let words: [(kind: WebhookSignatures, word: StaticString)] = [(.hmac, "v1"), (.ed25519, "v1a")]

    package init?(word: String) {
        guard let known = Self.words.first(where: { "\($0.word)" == word }) else { return nil }
        self = known.kind
    }
}

/// What an owner decides about a webhook.
package struct WebhookSettings: Hashable, Sendable {
    /// For people; may be empty.
    package var name: String
    package var url: String
    package var filter: WebhookFilter
    package var payload: WebhookPayload
    /// One event at a time, in their order: one that fails keeps the rest waiting.
    package var isOrdered: Bool
    package var signatures: WebhookSignatures
    /// Its own header fields, encrypted, with their names in the clear beside them; nil for none.
    package var headers: [UInt8]?
    package var headerNames: [String]

    package init(
        name: String = "",
        url: String,
        filter: WebhookFilter = WebhookFilter(),
        payload: WebhookPayload = .ids,
        isOrdered: Bool = false,
        signatures: WebhookSignatures = .hmac,
        headers: [UInt8]? = nil,
        headerNames: [String] = []
    ) {
        self.name = name
        self.url = url
        self.filter = filter
        self.payload = payload
        self.isOrdered = isOrdered
        self.signatures = signatures
        self.headers = headers
        self.headerNames = headerNames
    }
}

/// An endpoint that events are sent to, and how far it is.
package struct WebhookRow: Hashable, Sendable {
    package let key: WebhookKey
    package let id: WebhookID
    /// The only accounts its maker might touch; nil for all.
    package let scope: [AccountID]?
    package let settings: WebhookSettings
    package let state: WebhookState
    /// Why it is disabled.
    package let reason: String?
    /// The position in the log of all accounts up to which every event is settled: delivered, not wanted, or a row of
    /// `deliveries`.
    package let cursor: Int64
    /// Attempts in a row, the last ones, of which none came through.
    package let failures: Int
    /// Counts changes of what is sent where: settings, state and secrets.
    package let version: Int64
    package let created: Timestamp
    package let updated: Timestamp
    package let lastSuccess: Timestamp?
    package let lastFailure: Timestamp?

    static let select = """
        SELECT pk, id, scope, name, url, types, accounts, folders, query, payload, is_ordered, signatures, headers,
            header_names, state, reason, cursor, failures, version, created, updated, last_success, last_failure
        FROM webhooks
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.key(0)
        id = try row.id(1)
        scope = try row.optionalArray(2).map { try Self.ids($0) }
        var filter = WebhookFilter()
        filter.types = row.string(5).utf8.split(separator: ASCII.space).compactMap { String($0) }
        filter.accounts = try Self.ids(row.array(6))
        filter.folders = try Self.ids(row.array(7))
        filter.query = row.optionalString(8)
        settings = WebhookSettings(
            name: row.string(3),
            url: row.string(4),
            filter: filter,
            payload: WebhookPayload(rawValue: row.string(9)) ?? .ids,
            isOrdered: row.bool(10),
            signatures: WebhookSignatures(rawValue: UInt8(clamping: row.int64(11))),
            headers: row.optionalArray(12),
            headerNames: row.string(13).utf8.split(separator: ASCII.space).compactMap { String($0) }
        )
        state = WebhookState(rawValue: row.string(14)) ?? .paused
        reason = row.optionalString(15)
        cursor = row.int64(16)
        failures = row.int(17)
        version = row.int64(18)
        created = Timestamp(milliseconds: row.int64(19))
        updated = Timestamp(milliseconds: row.int64(20))
        lastSuccess = row.optionalInt64(21).map(Timestamp.init(milliseconds:))
        lastFailure = row.optionalInt64(22).map(Timestamp.init(milliseconds:))
    }

    private static func ids<Kind>(_ octets: [UInt8]) throws(StoreError) -> [Identifier<Kind>] {
        var ids: [Identifier<Kind>] = []
        for start in stride(from: 0, to: octets.count, by: Identifier<Kind>.octetCount) {
            let end = min(start + Identifier<Kind>.octetCount, octets.count)
            guard let id = Identifier<Kind>(octets: octets.span.extracting(start..<end)) else {
                throw .corrupt("a webhook's ids are malformed")
            }
            ids.append(id)
        }
        return ids
    }
}

/// One secret of a webhook, encrypted; several are good at the same time while the owner changes over.
package struct WebhookSecretRow: Hashable, Sendable {
    /// One of the kinds.
    package let kind: WebhookSignatures
    package let sealed: [UInt8]
    /// What checks signatures; of Ed25519 only.
    package let publicKey: [UInt8]?
    package let created: Timestamp
    /// When it is used no longer; nil for the newest.
    package let expires: Timestamp?

    init(_ row: consuming SQLiteRow) {
        kind = WebhookSignatures(rawValue: UInt8(clamping: row.int64(0)))
        sealed = row.array(1)
        publicKey = row.optionalArray(2)
        created = Timestamp(milliseconds: row.int64(3))
        expires = row.optionalInt64(4).map(Timestamp.init(milliseconds:))
    }
}

/// A secret that is to be stored.
package struct NewWebhookSecret: Sendable {
    package let kind: WebhookSignatures
    package let sealed: [UInt8]
    package let publicKey: [UInt8]?

    package init(kind: WebhookSignatures, sealed: [UInt8], publicKey: [UInt8]?) {
        self.kind = kind
        self.sealed = sealed
        self.publicKey = publicKey
    }
}
