// SPDX-License-Identifier: Apache-2.0

import Crypto
import Intake
import MailTypes
import Runtime
import Storage
import Wire

/// A report to the sender of a message about those it did not reach, ready to be filed.
struct Bounce: Sendable {
    /// No more of the message's header is sent back.
    private static let maximumHeaderOctets: Int64 = 32 << 10

    let submission: SubmissionRow
    let failures: Int
    /// Nil where the sender's inbox does not take it: the event has to do.
    private(set) var content: NewContent?

    var unfiled: Bounce {
        var bounce = self
        bounce.content = nil
        return bounce
    }

    /// Nil where nobody failed for good, or there is nobody to tell.
    static func prepare(_ settlement: Settlement, remote: String?, _ parts: CourierParts) async throws -> Bounce? {
        let failures = settlement.outcomes.filter(\.outcome.isFailure)
        guard !failures.isEmpty, let sender = settlement.submission.sender,
            let messageID = MessageID.random(at: parts.hostname)
        else { return nil }
        let (owner, body) = (settlement.submission.account, settlement.submission.body)
        let account = try await parts.store.read { try $0.accounts.get(owner) }
        guard let account else {
            return Bounce(submission: settlement.submission, failures: failures.count, content: nil)
        }
        let reader = try await parts.store.openBody(body)
        let message = OutgoingMessage(submission: settlement.submission, reader: reader, pool: parts.store.blocking)
        let report = DeliveryStatusNotification(
            reporter: parts.hostname,
            remote: remote,
            recipient: sender,
            submission: settlement.submission,
            failures: failures.map { .init(address: $0.recipient.address, outcome: $0.outcome) },
            header: try await message.header(limit: maximumHeaderOctets),
            now: parts.now,
            messageID: messageID,
            boundary: Array("report-".utf8) + Hex.encode(RandomOctets.make(16).span)
        )
        let spool = parts.store.spool()
        try spool.append(report.octets())
        let spooled = try await spool.finish()
        var content = try await parts.reader.read(spooled)
        if account.kind == .imap { content.identity = try MirroredReading.identity(of: content, spooled) }
        return Bounce(submission: settlement.submission, failures: failures.count, content: content)
    }

    /// Puts it into the sender's inbox and announces it.
    func file(in transaction: Transaction) throws {
        guard let account = try transaction.accounts.get(submission.account) else { return }
        let message = try content.map {
            try LocalDelivery(content: $0, trace: [], recipients: [account.id]).perform(transaction).first
        }
        // The inbox of an IMAP account is at its server: there it is put as soon as that can be.
        if account.kind == .imap, let message = message ?? nil { try transaction.mirror.upload(message) }
        try transaction.outbox.noteBounce(of: submission, recipients: failures, message: (message ?? nil)?.id)
    }
}
