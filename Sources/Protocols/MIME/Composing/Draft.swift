// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// A person or list in a header: a display name, perhaps, and an address.
package struct Mailbox: Hashable, Sendable {
    package var name: String?
    package var address: EmailAddress

    package init(name: String? = nil, address: EmailAddress) {
        self.name = name
        self.address = address
    }
}

/// A message to be composed: what its author decides.
///
/// ``ComposedMessage`` makes octets of it.
package struct Draft: Sendable {
    package var from: [Mailbox] = []
    package var sender: Mailbox?
    package var replyTo: [Mailbox] = []
    package var to: [Mailbox] = []
    package var cc: [Mailbox] = []
    /// Recipients of the envelope only: never in the octets.
    package var bcc: [Mailbox] = []
    package var subject: String?
    package var text: String?
    package var html: String?
    package var attachments: [Attachment] = []
    package var date: Timestamp
    package var messageID: MessageID
    package var inReplyTo: [MessageID] = []
    package var references: [MessageID] = []
    /// Further fields in their order; names and values are checked when the message is composed.
    package var headers: [(name: String, value: String)] = []

    package init(date: Timestamp, messageID: MessageID) {
        self.date = date
        self.messageID = messageID
    }

    /// What is to be attached, without its octets: ``ComposedMessage`` says where they go, its driver brings them.
    package struct Attachment: Hashable, Sendable {
        package var filename: String?
        /// `type/subtype`, lower case; parameters are not taken.
        package var contentType: String
        /// Without angle brackets; makes the part addressable as `cid:` from the HTML.
        package var contentID: MessageID?
        package var isInline: Bool

        package init(
            filename: String? = nil,
            contentType: String = "application/octet-stream",
            contentID: MessageID? = nil,
            isInline: Bool = false
        ) {
            self.filename = filename
            self.contentType = contentType
            self.contentID = contentID
            self.isInline = isInline
        }
    }

    /// Everyone the envelope names, each address once, in the order of To, Cc and Bcc.
    package var recipients: [EmailAddress] {
        var seen: Set<EmailAddress> = []
        return (to + cc + bcc).map(\.address).filter { seen.insert($0).inserted }
    }
}

/// Why a draft cannot become a message.
///
/// Each case names the member that is to blame.
package enum DraftError: Error, Hashable, Sendable {
    /// No author.
    case missingFrom
    /// A value holds CR, LF, NUL or another control character.
    case controlCharacter(field: String)
    /// Not a field name (RFC 5322 §3.6.8), or one that Postern writes itself.
    case headerName(String)
    /// Not `type/subtype` in tokens, or a multipart type.
    case contentType(String)
    /// Several authors need a `Sender` (RFC 5322 §3.6.2).
    case missingSender
}
