// SPDX-License-Identifier: Apache-2.0

import JSON
package import MailTypes
import Wire

/// Which events a webhook wants; what is empty or nil excludes nothing.
package struct WebhookFilter: Hashable, Sendable {
    /// Words of ``EventType``, or a group of them: `message.*`.
    package var types: [String] = []
    package var accounts: [AccountID] = []
    /// Folders that the event tells of: where a message is, or was before it moved.
    package var folders: [FolderID] = []
    /// A search that the event's message must be found by, in the language of `q`; other events are not wanted then.
    package var query: String?

    package init() {}

    /// Whether `type` is a word or a group that can be asked for.
    package static func isKnown(type: String) -> Bool {
        if EventType(rawValue: type) != nil { return true }
        guard type.hasSuffix(".*") else { return false }
        return EventType.allCases.contains { $0.rawValue.utf8.starts(with: type.utf8.dropLast()) }
    }

    /// Whether the event is wanted, as far as the log's own words tell: all but ``query``.
    func wants(type: Span<UInt8>, of account: AccountID, data: Span<UInt8>) -> Bool {
        guard accounts.isEmpty || accounts.contains(account) else { return false }
        guard types.isEmpty || Self.matches(types, type) else { return false }
        guard !folders.isEmpty else { return true }
        return EventDataReader.folders(of: data).contains(where: folders.contains)
    }

    private static func matches(_ wanted: [String], _ type: Span<UInt8>) -> Bool {
        for wanted in wanted {
            let word = Array(wanted.utf8)
            let stem = word.count - 1
            if word.last != ASCII.asterisk {
                if type.elementsEqual(word) { return true }
            } else if type.count >= stem, type.extracting(0..<stem).elementsEqual(word.dropLast()) {
                return true
            }
        }
        return false
    }
}

/// Reads out of an event's data what decides who gets it.
package enum EventDataReader {
    private static func object(_ data: Span<UInt8>) -> JSONObject? { (try? JSONValue(parsing: data))?.object }

    static func folders(of data: Span<UInt8>) -> [FolderID] {
        guard let object = object(data) else { return [] }
        return [object["folderId"], object["fromFolderId"]].compactMap { $0?.string }
            .compactMap { FolderID($0.span) }
    }

    /// The webhook that a `webhook.…` event tells of.
    static func webhook(of data: Span<UInt8>) -> WebhookID? {
        object(data)?["webhookId"]?.string.flatMap { WebhookID($0.span) }
    }

    /// The message that a `message.…` event tells of.
    package static func message(of data: Span<UInt8>) -> PlacementID? {
        object(data)?["id"]?.string.flatMap { PlacementID($0.span) }
    }
}

extension Span where Element == UInt8 {
    fileprivate func elementsEqual(_ other: some Collection<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var index = 0
        for byte in other {
            guard self[index] == byte else { return false }
            index += 1
        }
        return true
    }
}

extension WebhookRow {
    /// Whether the event is for this webhook: within its maker's accounts, wanted by its filter, and not about itself.
    func wants(_ event: borrowing EventView) throws -> Bool {
        let account = try event.account
        guard scope?.contains(account) ?? true else { return false }
        guard settings.filter.wants(type: event.type, of: account, data: event.data) else { return false }
        return event.type.count < 8 || !event.type.extracting(0..<8).equals("webhook.")
            || EventDataReader.webhook(of: event.data) != id
    }
}
