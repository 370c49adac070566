// SPDX-License-Identifier: Apache-2.0

package import MailTypes

/// What a message at a server is recognised by, in whatever folder and under whatever UID.
package struct RemoteIdentity: Hashable, Sendable {
    /// The server's own word for it (RFC 8474 §5.1), where it has one.
    package var emailID: [UInt8]?
    /// A digest of its Message-ID, size and header.
    package var fingerprint: [UInt8]

    package init(emailID: [UInt8]?, fingerprint: [UInt8]) {
        self.emailID = emailID
        self.fingerprint = fingerprint
    }
}

/// The octets of a message, spooled or still at its server, and what was read from them.
package struct NewContent: Sendable {
    package var id: ContentID
    /// Nil where the octets are at the server.
    package var hash: BodyHash? { body?.hash }
    /// Octets.
    package var size: Int64
    /// What a list shows: the members of a JSON object, without its braces.
    package var summary: [UInt8]
    /// What a single message shows besides: the same.
    package var detail: [UInt8]
    /// Where the parts are in the octets, for their reader.
    package var layout: [UInt8]
    /// As the message writes it, angle brackets included; nil when it has none.
    package var messageID: [UInt8]?
    /// The messages it says it follows: `References`, then `In-Reply-To`.
    package var references: [[UInt8]]
    /// The subject without `Re:` and the like.
    package var baseSubject: String
    package var hasAttachments: Bool
    /// Not parsed, because a parse of it ended the process once.
    package var isQuarantined: Bool
    package var body: SpooledBody?
    /// Of a message at a server.
    package var identity: RemoteIdentity?

    package init(
        id: ContentID = .random(),
        summary: [UInt8],
        detail: [UInt8],
        layout: [UInt8],
        messageID: [UInt8]?,
        references: [[UInt8]],
        baseSubject: String,
        hasAttachments: Bool,
        isQuarantined: Bool = false,
        body: SpooledBody
    ) {
        self.id = id
        size = body.size
        self.summary = summary
        self.detail = detail
        self.layout = layout
        self.messageID = messageID
        self.references = references
        self.baseSubject = baseSubject
        self.hasAttachments = hasAttachments
        self.isQuarantined = isQuarantined
        self.body = body
    }

    /// A message whose octets are at its server.
    package init(
        id: ContentID = .random(),
        size: Int64,
        identity: RemoteIdentity,
        summary: [UInt8],
        detail: [UInt8],
        layout: [UInt8],
        messageID: [UInt8]?,
        references: [[UInt8]],
        baseSubject: String,
        hasAttachments: Bool
    ) {
        self.id = id
        self.size = size
        self.identity = identity
        self.summary = summary
        self.detail = detail
        self.layout = layout
        self.messageID = messageID
        self.references = references
        self.baseSubject = baseSubject
        self.hasAttachments = hasAttachments
        isQuarantined = false
        body = nil
    }
}
