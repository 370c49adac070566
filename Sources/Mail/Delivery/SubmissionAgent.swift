// SPDX-License-Identifier: Apache-2.0

package import Intake
package import MIME
package import MailTypes
import Runtime
package import Storage
package import Wire

/// Takes messages from users: composes and spools them, then, in one transaction, delivers to the mailboxes here, queues what
/// goes out through the account's own server, keeps the copy in Sent, and notes what happened to each recipient.
package final class SubmissionAgent: Sendable {
    let store: Store
    private let reader: any MessageReading
    private let domains: LocalDomains
    private let hostname: Domain
    private let messageOctets: Int64
    private let routes: OutgoingRoutes

    /// RFC 5321 §4.5.3.1.8 asks for at least 100.
    package static let maximumRecipients = 1000
    /// How long delivery to others is tried, by default (RFC 5321 §4.5.4.1).
    package static let defaultLifetimeMilliseconds: Int64 = 5 * 86_400_000

    /// How long delivery to others is tried.
    package let lifetimeMilliseconds: Int64

    /// - Parameters:
    ///   - hostname: our name in trace fields.
    ///   - messageOctets: the most octets of a finished message, and of what a draft is made of.
    ///   - lifetimeMilliseconds: how long delivery to others is tried.
    ///   - routes: whose mail to others goes out.
    package init(
        store: Store,
        reader: any MessageReading,
        domains: LocalDomains,
        hostname: Domain,
        messageOctets: Int64,
        lifetimeMilliseconds: Int64 = SubmissionAgent.defaultLifetimeMilliseconds,
        routes: OutgoingRoutes
    ) {
        self.routes = routes
        self.lifetimeMilliseconds = lifetimeMilliseconds
        self.store = store
        self.reader = reader
        self.domains = domains
        self.hostname = hostname
        self.messageOctets = messageOctets
    }

    /// The limit holds for what comes in through a door; an attachment within it may grow by its base64.
    private var composedOctets: Int64 { messageOctets / 2 * 3 }

    // MARK: Preparing

    /// A draft to fill, dated now, with a Message-ID of the account's domain.
    package func draft(for account: AccountRow) throws -> Draft {
        guard let id = MessageID.random(at: account.address.domain) else {
            throw StoreError.corrupt("an account's domain cannot stand in a Message-ID")
        }
        return Draft(date: Timestamp(milliseconds: store.clock.now()), messageID: id)
    }

    /// Composes and spools a draft.
    ///
    /// `attachments` are the sources of the draft's attachments, in their order.
    ///
    /// Throws `DraftError`, ``SubmissionError``, `BodyTooLarge`.
    package func prepare(
        _ draft: Draft,
        attachments: [AttachmentSource],
        for account: AccountRow,
        options: SubmissionOptions
    ) async throws -> PreparedSubmission {
        let authors = (draft.from + [draft.sender].compactMap(\.self)).map(\.address)
        let recipients = try Self.check(draft.recipients, authors: authors, of: account)
        let composed = try ComposedMessage(draft)
        let spool = Spool(files: store.bodies, pool: store.blocking, limit: composedOctets)
        for segment in composed.segments {
            switch segment {
            case .octets(let octets): try spool.append(octets)
            case .base64(let index): try await append(attachments[index], to: spool, encoded: true)
            case .verbatim(let index): try await append(attachments[index], to: spool, encoded: false)
            }
        }
        return try await prepared(
            spool,
            messageID: draft.messageID,
            sender: draft.from.first?.address ?? account.address,
            recipients: recipients,
            for: account,
            options: options
        )
    }

    private static let pieceOctets: Int64 = 64 << 10

    private func append(_ source: AttachmentSource, to spool: Spool, encoded: Bool) async throws {
        let reader =
            switch source {
            case .octets(let octets): BodyReader(octets)
            case .spooled(let body): try body.reader()
            case .stored(let reader): reader
            }
        var encoder = Base64LineEncoder()
        // A message within the message goes in as it is, and stored mail has no line ends but CRLF.
        var normaliser = LineEndNormaliser()
        var piece = ByteBuffer()
        var out = ByteBuffer()
        var offset: Int64 = 0
        while offset < reader.size {
            let end = min(offset + Self.pieceOctets, reader.size)
            _ = try await reader.read(offset..<end, into: &piece, on: store.blocking)
            offset = end
            if encoded {
                encoder.encode(piece.bytes, into: &out)
            } else {
                normaliser.normalise(piece.bytes, into: &out)
            }
            try spool.append(out.bytes)
            piece.removeAll()
            out.removeAll()
        }
        encoder.finish(into: &out)
        normaliser.finish(into: &out)
        try spool.append(out.bytes)
    }

    /// Takes a finished message: the recipients are those of its To, Cc and Bcc; Bcc is taken out, what a message must
    /// have is added (RFC 6409 §8).
    ///
    /// `octets` gives it piece by piece, with CRLF line ends, and says when it ends by adding none.
    package func prepare(
        finished octets: (inout ByteBuffer) async throws -> Void,
        for account: AccountRow,
        options: SubmissionOptions
    ) async throws -> PreparedSubmission {
        let draft = try draft(for: account)
        let spool = Spool(files: store.bodies, pool: store.blocking, limit: messageOctets)
        var header: SubmissionHeader? = SubmissionHeader()
        var taken = 0
        var recipients: [EmailAddress] = []
        var messageID = draft.messageID
        func pass(_ complete: SubmissionHeader) throws {
            var complete = complete
            header = nil
            guard let authors = complete.authors else { throw SubmissionError.unreadableHeader(field: "From") }
            guard let named = complete.recipients else {
                throw SubmissionError.unreadableHeader(field: "To, Cc or Bcc")
            }
            guard let senders = complete.senders else { throw SubmissionError.unreadableHeader(field: "Sender") }
            recipients = try Self.check(named, authors: authors + senders, of: account)
            messageID = complete.messageID ?? messageID
            try spool.append(complete.completed(from: account.address, date: draft.date, messageID: messageID))
        }
        var piece = ByteBuffer()
        while true {
            try await octets(&piece)
            guard !piece.isEmpty else { break }
            if var section = header {
                taken += piece.count
                let isComplete = section.take(&piece)
                header = section
                if isComplete {
                    try pass(section)
                } else if taken > SubmissionHeader.maximumOctets {
                    throw SubmissionError.headerTooLarge(limit: SubmissionHeader.maximumOctets)
                }
            } else {
                try spool.append(piece.bytes)
                piece.removeAll()
            }
        }
        if var section = header {
            section.finish()
            try pass(section)
        }
        return try await prepared(
            spool,
            messageID: messageID,
            sender: account.address,
            recipients: recipients,
            for: account,
            options: options
        )
    }

    private static func check(
        _ recipients: [EmailAddress],
        authors: [EmailAddress],
        of account: AccountRow
    ) throws(SubmissionError) -> [EmailAddress] {
        if let stranger = authors.first(where: { !account.address.owns($0) }) { throw .foreignSender(stranger) }
        guard !recipients.isEmpty else { throw .noRecipients }
        guard recipients.count <= maximumRecipients else { throw .tooManyRecipients(limit: maximumRecipients) }
        return recipients
    }

    private func prepared(
        _ spool: Spool,
        messageID: MessageID,
        sender: EmailAddress,
        recipients: [EmailAddress],
        for account: AccountRow,
        options: SubmissionOptions
    ) async throws -> PreparedSubmission {
        // Read ahead of the transaction, so that the refusal of an unknown recipient can be worded.
        for recipient in recipients { _ = try await domains.contains(recipient.domain) }
        let body = try await spool.finish()
        return PreparedSubmission(
            account: account.key,
            content: try await reader.read(body),
            body: body,
            sender: sender,
            recipients: recipients,
            options: options,
            messageID: messageID
        )
    }

    // MARK: Accepting

    /// Within the caller's transaction: delivers to the mailboxes here, keeps the copy in Sent, notes each recipient.
    ///
    /// Throws ``SubmissionError/unreachable(_:)`` when a recipient cannot be reached, or with ``SubmissionOptions/isPartial``
    /// when none can: the transaction must then come to nothing.
    package func accept(_ prepared: PreparedSubmission, in transaction: Transaction) throws -> AcceptedSubmission {
        guard let account = try transaction.accounts.get(prepared.account) else { throw StoreError.notFound(.account) }
        let server = try transaction.remoteServers.get(.smtp, of: account.key)
        let isRelayed = try routes.lead(from: account, in: transaction)
        let routes = try prepared.recipients.map {
            ($0, try route(to: $0, size: prepared.content.size, isRelayed: isRelayed, in: transaction))
        }
        let unreachable = routes.compactMap { address, route in
            if case .none(let reason) = route { UnreachableRecipient(address: address, reason: reason) } else { nil }
        }
        guard unreachable.isEmpty || prepared.options.isPartial && unreachable.count < routes.count else {
            throw SubmissionError.unreachable(unreachable)
        }
        var copy: MessageRow?
        // What a server files by itself is seen by IMAP only.
        let isFiled = account.kind == .imap && server?.filesSent == true
        if prepared.options.savesToSent, !isFiled,
            let sent = try transaction.folders.find(.sent, in: account.key)
        {
            var content = prepared.content
            content.id = .random()
            if account.kind == .imap { content.identity = try MirroredReading.identity(of: content, prepared.body) }
            copy = try transaction.messages.append(
                to: sent,
                content,
                flags: MessageFlags(.seen),
                arrival: .added
            )
            if account.kind == .imap, let copy { try transaction.mirror.upload(copy) }
        }
        let id = SubmissionID.random()
        var delivered: Set<AccountID> = []
        let states = try routes.map { address, route -> (address: EmailAddress, state: RecipientState) in
            let mailbox: AccountID
            switch route {
            case .none: return (address, .refused)
            case .server: return (address, .queued)
            case .mailbox(let found): mailbox = found
            }
            if delivered.insert(mailbox).inserted {
                let trace = trace(of: prepared, id: id, recipient: routes.count == 1 ? address : nil, in: transaction)
                _ = try LocalDelivery(content: prepared.content, trace: trace, recipients: [mailbox]).perform(
                    transaction
                )
            }
            return (address, .delivered)
        }
        var submission = NewSubmission(
            account: account.key,
            sender: prepared.sender,
            octets: .spooled(prepared.body),
            messageID: prepared.messageID.octets,
            message: copy?.id,
            expires: Timestamp(milliseconds: transaction.now.milliseconds + lifetimeMilliseconds),
            recipients: states
        )
        submission.id = id
        try transaction.outbox.enqueue(submission)
        return AcceptedSubmission(
            id: id,
            messageID: prepared.messageID,
            message: copy?.id,
            recipients: states.map { AcceptedSubmission.Recipient(address: $0.address, state: $0.state) }
        )
    }

    private enum Route {
        case mailbox(AccountID)
        /// Through a server that takes what goes to others.
        case server
        case none(UnreachableRecipient.Reason)
    }

    /// - Parameter isRelayed: whether there is a server that takes what the sender's account sends to others.
    private func route(
        to address: EmailAddress,
        size: Int64,
        isRelayed: Bool,
        in transaction: Transaction
    ) throws -> Route {
        var account = try transaction.accounts.find(address: address)
        if account == nil, let untagged = address.withoutTag {
            account = try transaction.accounts.find(address: untagged)
        }
        guard let account, account.kind == .local else {
            if isRelayed { return .server }
            return .none(domains.containsKnown(address.domain) ? .unknownMailbox : .noRoute)
        }
        guard !account.isSuspended else { return .none(.mailboxSuspended) }
        if let quota = account.quota, account.used + size > quota { return .none(.mailboxFull) }
        return .mailbox(account.id)
    }

    /// What delivery puts in front (RFC 5321 §4.4): the return path, and who took the message how.
    private func trace(
        of prepared: PreparedSubmission,
        id: SubmissionID,
        recipient: EmailAddress?,
        in transaction: Transaction
    ) -> [UInt8] {
        var trace = ByteBuffer()
        trace.append("Return-Path: <")
        trace.append(prepared.sender.octets)
        trace.append(">\r\nReceived: by ")
        trace.append(hostname.octets)
        trace.append(" with HTTP\r\n\tid ")
        id.append(to: &trace)
        if let recipient {
            trace.append("\r\n\tfor <")
            trace.append(recipient.octets)
            trace.append(">")
        }
        trace.append("; ")
        trace.append(rfc5322: transaction.now)
        trace.appendLineEnd()
        return trace.array()
    }
}
