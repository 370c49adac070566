// SPDX-License-Identifier: Apache-2.0

import Wire

/// Members of a message's JSON that an answer is to have.
struct MessageFields: OptionSet, Hashable, Sendable {
    let rawValue: UInt64
    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The names, in the order in which the members are written.
    ///
    /// Those from `id` to `hasAttachments` come from what the store has ready for lists, those from `headers` to `defects`
    /// from the stored detail.
    static let names: [StaticString] = [
        "id", "folderId", "uid", "modseq", "threadId", "contentId", "flags", "internalDate", "savedAt", "size",
        "messageId", "subject", "from", "sender", "replyTo", "to", "cc", "bcc", "date", "inReplyTo", "references",
        "preview", "hasAttachments",
        "headers", "attachments", "structure", "defects",
        "text", "html", "textTruncated", "quarantined",
    ]

    /// `id` … `hasAttachments`: what a list shows where nothing is asked.
    static let list = Self(rawValue: (1 << 23) - 1)
    /// `headers` … `defects`.
    static let detail = Self(rawValue: (1 << 27) - (1 << 23))
    static let text = Self(rawValue: 1 << 27)
    static let html = Self(rawValue: 1 << 28)
    static let textTruncated = Self(rawValue: 1 << 29)
    static let quarantined = Self(rawValue: 1 << 30)

    /// What takes the octets of the message.
    static let content: Self = [.text, .html, .textTruncated]
    static let all = Self(rawValue: (1 << 31) - 1)

    /// The member of that name.
    init?(name: Span<UInt8>) {
        for index in Self.names.indices where name.equals(Self.names[index]) {
            self.init(rawValue: 1 << UInt64(index))
            return
        }
        return nil
    }

    /// Reads the parameter `fields`; nil where it is absent.
    static func read(_ query: inout QueryReader) -> MessageFields? {
        guard let names = query.list("fields", maximum: 40) else { return nil }
        var fields: MessageFields = []
        for name in names {
            guard let field = MessageFields(name: name.span), fields.isDisjoint(with: field) else {
                query.fail("fields", "invalid", "must be names of members of a message, each once")
                return nil
            }
            fields.formUnion(field)
        }
        return fields
    }
}
