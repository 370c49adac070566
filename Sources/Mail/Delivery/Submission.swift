// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Storage

/// What the author of a message may choose about its sending.
package struct SubmissionOptions: Hashable, Sendable {
    /// Whether a copy goes to the account's Sent folder.
    package var savesToSent = true
    /// Whether recipients that cannot be reached are refused one by one, and the others get the message all the same.
    package var isPartial = false

    package init() {}
}

/// Where the octets of an attachment come from.
package enum AttachmentSource: Sendable {
    case octets([UInt8])
    case spooled(SpooledBody)
    /// A stored message, or what else has a reader.
    case stored(BodyReader)
}

/// A message composed, spooled and read, but not yet accepted: nothing of it is in the store.
package struct PreparedSubmission: Sendable {
    let account: AccountKey
    let content: NewContent
    /// The octets as they would be sent.
    package let body: SpooledBody
    let sender: EmailAddress
    /// Each once.
    let recipients: [EmailAddress]
    let options: SubmissionOptions
    /// As the message writes it, without angle brackets.
    package let messageID: MessageID

}

/// What became of a submission when it was accepted.
package struct AcceptedSubmission: Hashable, Sendable {
    package let id: SubmissionID
    package let messageID: MessageID
    /// The copy in Sent.
    package let message: PlacementID?
    package let recipients: [Recipient]

    package struct Recipient: Hashable, Sendable {
        package let address: EmailAddress
        package let state: RecipientState
    }
}

/// Why a submission was not taken.
///
/// Nothing of it is then in the store.
package enum SubmissionError: Error, Hashable, Sendable {
    case noRecipients
    case tooManyRecipients(limit: Int)
    /// The author's address is not the account's.
    case foreignSender(EmailAddress)
    /// A finished message whose header section does not say who it is from, or for whom, in a way that can be read.
    case unreadableHeader(field: String)
    case headerTooLarge(limit: Int)
    /// These cannot be reached, each with its reason.
    case unreachable([UnreachableRecipient])
}

package struct UnreachableRecipient: Hashable, Sendable {
    package enum Reason: String, Hashable, Sendable {
        /// The domain is ours and has no such mailbox.
        case unknownMailbox = "unknown_mailbox"
        /// The domain is not ours, and nothing delivers to others.
        case noRoute = "no_route"
        case mailboxSuspended = "mailbox_suspended"
        case mailboxFull = "mailbox_full"
    }

    package let address: EmailAddress
    package let reason: Reason
}
