// SPDX-License-Identifier: Apache-2.0

/// One `NOTIFY SET` (RFC 5465): of which mailboxes the server shall tell what.
package struct IMAPNotifyRequest: Hashable, Sendable {
    package enum Mailboxes: Hashable, Sendable {
        case selected
        /// The selected one, but EXPUNGE only where it is safe.
        case selectedDelayed
        case inboxes, personal, subscribed
        case subtree([IMAPMailboxName])
        case mailboxes([IMAPMailboxName])
    }

    package enum Event: String, CaseIterable, Hashable, Sendable {
        case messageNew = "MessageNew"
        case messageExpunge = "MessageExpunge"
        case flagChange = "FlagChange"
        case mailboxName = "MailboxName"
        case subscriptionChange = "SubscriptionChange"
        case mailboxMetadataChange = "MailboxMetadataChange"
        case serverMetadataChange = "ServerMetadataChange"
        case annotationChange = "AnnotationChange"
    }

    package struct Group: Hashable, Sendable {
        package var mailboxes: Mailboxes
        /// None: tell nothing of them.
        package var events: [Event]
        /// What is told of a new message in the selected mailbox.
        package var newMessageItems: [IMAPFetchRequest.Item]

        package init(
            _ mailboxes: Mailboxes,
            _ events: [Event],
            newMessageItems: [IMAPFetchRequest.Item] = []
        ) {
            self.mailboxes = mailboxes
            self.events = events
            self.newMessageItems = newMessageItems
        }
    }

    /// Tell at once how things stand, by a STATUS of each mailbox.
    package var wantsStatus: Bool
    package var groups: [Group]

    package init(wantsStatus: Bool, _ groups: [Group]) {
        self.wantsStatus = wantsStatus
        self.groups = groups
    }
}
