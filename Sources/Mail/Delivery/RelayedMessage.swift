// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Storage
import Wire

/// A message that a user's mail program handed in, for recipients at other servers.
package struct RelayedMessage: Sendable {
    private let account: AccountID
    private let sender: EmailAddress?
    private let body: SpooledBody
    private let trace: [UInt8]
    private let messageID: MessageID?
    private let recipients: [EmailAddress]
    private let lifetimeMilliseconds: Int64

    /// - Parameters:
    ///   - sender: the return path; nil for the null one, to which no report goes.
    ///   - trace: the fields it goes out behind.
    ///   - recipients: each once.
    package init(
        account: AccountID,
        sender: EmailAddress?,
        body: SpooledBody,
        trace: [UInt8],
        messageID: MessageID?,
        recipients: [EmailAddress],
        lifetimeMilliseconds: Int64
    ) {
        self.account = account
        self.sender = sender
        self.body = body
        self.trace = trace
        self.messageID = messageID
        self.recipients = recipients
        self.lifetimeMilliseconds = lifetimeMilliseconds
    }

    /// Puts it into the outbox of its sender's account.
    package func enqueue(in transaction: Transaction) throws {
        guard let owner = try transaction.accounts.get(account) else { throw StoreError.notFound(.account) }
        var submission = NewSubmission(
            account: owner.key,
            sender: sender,
            octets: .spooled(body),
            messageID: messageID?.octets,
            expires: Timestamp(milliseconds: transaction.now.milliseconds + lifetimeMilliseconds),
            recipients: recipients.map { ($0, .queued) }
        )
        submission.trace = trace
        try transaction.outbox.enqueue(submission)
    }
}
