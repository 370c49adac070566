// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Storage

/// Puts a message into the inboxes of all its recipients: into all of them or none.
package struct LocalDelivery: Sendable {
    private let content: NewContent
    private let trace: [UInt8]
    /// Each once.
    private let recipients: [AccountID]

    package init(content: NewContent, trace: [UInt8], recipients: [AccountID]) {
        self.content = content
        self.trace = trace
        self.recipients = recipients
    }

    /// The new messages, in the recipients' order.
    package func perform(_ transaction: Transaction) throws -> [MessageRow] {
        try recipients.map { id in
            guard let account = try transaction.accounts.get(id) else { throw StoreError.notFound(.account) }
            guard let inbox = try transaction.folders.find(.inbox, in: account.key) else {
                throw StoreError.notFound(.folder)
            }
            // A content belongs to one account; its octets may be shared.
            var content = content
            content.id = .random()
            return try transaction.messages.append(to: inbox, content, trace: trace)
        }
    }
}
