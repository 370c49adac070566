// SPDX-License-Identifier: Apache-2.0

import Wire

/// Members of a message's JSON that an answer is to have.
struct MessageFields: OptionSet, Hashable, Sendable {
    let rawValue: UInt64
    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The names, in the order in which the members are written.
    ///
    /// Those from `messageId` to `hasAttachments` come from the stored summary, those from `headers` to `defects` from
    /// the stored detail.
    static let names: [StaticString] = [
        "id", "folderId", "uid", "modseq", "threadId", "contentId", "flags", "internalDate", "savedAt", "size",
        "messageId", "subject", "from", "sender", "replyTo", "to", "cc", "bcc", "date", "inReplyTo", "references",
        "preview", "hasAttachments",
        "headers", "attachments", "structure", "defects",
        "text", "html", "textTruncated", "quarantined",
    ]

    static let id = Self(rawValue: 1 << 0)
    static let folderID = Self(rawValue: 1 << 1)
    static let uid = Self(rawValue: 1 << 2)
    static let modseq = Self(rawValue: 1 << 3)
    static let threadID = Self(rawValue: 1 << 4)
    static let contentID = Self(rawValue: 1 << 5)
    static let flags = Self(rawValue: 1 << 6)
    static let internalDate = Self(rawValue: 1 << 7)
    static let savedAt = Self(rawValue: 1 << 8)
    static let size = Self(rawValue: 1 << 9)
    /// `messageId` … `hasAttachments`.
    static let summary = Self(rawValue: (1 << 23) - (1 << 10))
    /// `headers` … `defects`.
    static let detail = Self(rawValue: (1 << 27) - (1 << 23))
    static let text = Self(rawValue: 1 << 27)
    static let html = Self(rawValue: 1 << 28)
    static let textTruncated = Self(rawValue: 1 << 29)
    static let quarantined = Self(rawValue: 1 << 30)

    /// What takes the octets of the message.
    static let content: Self = [.text, .html, .textTruncated]
    /// What a list shows where nothing is asked.
    static let list = Self(rawValue: (1 << 23) - 1)
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
