// SPDX-License-Identifier: Apache-2.0

import Accounts
import Delivery
import Intake
import Logging
import MailTypes
import Runtime
import SASL
import SMTP
import SMTPSessions
import Sockets
import Storage
import Transport
import Wire

/// What all connections of our SMTP listeners share.
struct SMTPReceiverContext: Sendable {
    var configuration: SMTPReceiverConfiguration
    let store: Store
    let passwords: PasswordAuthenticator
    let reader: any MessageReading
    let domains: LocalDomains
    let observer: (any MailServerObserver)?
    let logger: Logger
}

/// Decides for one SMTP connection: our mailboxes are known, only our users' mail goes on to others, and what is accepted is
/// stored first.
final class SMTPReceiver: SMTPServerDelegate {
    private let context: SMTPReceiverContext
    private let service: SMTPServerConfiguration.Service
    private let connection: Connection
    private let logger: Logger

    /// Who logged in.
    private var login: LoginRecord?
    private var mail: SMTPMail?
    /// The recipients' accounts, each once, in the order of RCPT; and the only recipient's address as it was written.
    private var recipients: [AccountID] = []
    private var onlyRecipient: EmailAddress?
    private var recipientCount = 0
    /// Those of other servers, each once.
    private var others: [EmailAddress] = []
    private var messageID: MessageID?
    private var spool: Spool?
    private var header: SubmissionHeader?

    init(_ context: SMTPReceiverContext, service: SMTPServerConfiguration.Service, connection: Connection) {
        self.context = context
        self.service = service
        self.connection = connection
        var logger = context.logger
        logger[metadataKey: "remote"] = "\(connection.peer)"
        logger[metadataKey: "service"] = service == .submission ? "submission" : "smtp"
        self.logger = logger
        context.observer?.connectionOpened(service)
    }

    func replied(_ record: SMTPServerRecord) { context.observer?.replied(record, service) }

    // MARK: Logging in

    func authenticate(
        _ credentials: SASLCredentials,
        _ session: SMTPSession
    ) async -> SMTPAuthenticationVerdict {
        let outcome = await context.passwords.authenticate(
            name: credentials.authenticationID,
            password: credentials.password,
            from: LoginSource(addressOctets: connection.peer.addressOctets)
        )
        switch outcome {
        case .accepted(let record):
            login = record
            note(.accepted, account: record.account)
            return .accept(login: record.address.octets)
        case .refused:
            note(.refused)
            return .refuse
        case .throttled:
            note(.throttled)
            return .throttled
        case .unavailable:
            note(.unavailable)
            return .unavailable
        }
    }

    private func note(_ result: AuthenticationResult, account: AccountID? = nil) {
        context.observer?.authenticationEnded(result)
        let metadata: Logger.Metadata = account.map { ["account": "\($0)"] } ?? [:]
        logger.info("SMTP login \(result.rawValue)", metadata: metadata)
    }

    // MARK: The envelope

    func mail(_ mail: SMTPMail, _ session: SMTPSession) async -> SMTPVerdict {
        forget()
        if let login, let sender = mail.reversePath, !login.address.owns(sender) {
            return .refuse(SMTPReply(550, .init(5, 7, 1), "Sender address does not belong to the login"))
        }
        if let reply = reasonAgainstMail(of: mail.size) { return .refuse(reply) }
        self.mail = mail
        return .accept()
    }

    /// The store's state and the disk's, before anything is taken.
    private func reasonAgainstMail(of size: UInt64?) -> SMTPReply? {
        switch context.store.state {
        case .open: break
        case .failed: return .storeFailed
        case .closed: return .shuttingDown
        }
        do throws(StoreError) {
            try context.store.checkRoom(for: size ?? 0)
            return nil
        } catch {
            return .diskFull
        }
    }

    func recipient(_ rcpt: SMTPRcpt, _ session: SMTPSession) async -> SMTPVerdict {
        do {
            guard let account = try await account(for: rcpt), account.kind == .local else {
                if let other = try await other(rcpt) {
                    accept(other)
                    return .accept()
                }
                return .refuse(try await refusal(of: rcpt))
            }
            guard !account.isSuspended else {
                return .refuse(SMTPReply(550, .init(5, 2, 1), "Mailbox disabled"))
            }
            if let quota = account.quota, account.used + Int64(clamping: mail?.size ?? 0) > quota {
                return .refuse(SMTPReply(452, .init(4, 2, 2), "Mailbox full"))
            }
            accept(rcpt, account)
            return .accept()
        } catch {
            return verdict(on: error)
        }
    }

    /// The recipient, where it is somebody else's and the login may send to others.
    private func other(_ rcpt: SMTPRcpt) async throws -> EmailAddress? {
        guard service == .submission, let login, let address = rcpt.address else { return nil }
        if try await context.domains.contains(address.domain) { return nil }
        let routes = context.configuration.routes
        return try await context.store.read { snapshot in
            guard let account = try snapshot.accounts.get(login.account) else { return nil }
            return try routes.lead(from: account, in: snapshot) ? address : nil
        }
    }

    private func accept(_ other: EmailAddress) {
        recipientCount += 1
        onlyRecipient = recipientCount == 1 ? other : nil
        if !others.contains(other) { others.append(other) }
    }

    private func accept(_ rcpt: SMTPRcpt, _ account: AccountRow) {
        recipientCount += 1
        onlyRecipient = recipientCount == 1 ? rcpt.address ?? account.address : nil
        if !recipients.contains(account.id) { recipients.append(account.id) }
    }

    private func account(for rcpt: SMTPRcpt) async throws -> AccountRow? {
        let address = rcpt.address
        let isTagged = context.configuration.deliversTagged
        let isPostmaster = try await isPostmasterHere(address)
        let named = context.configuration.postmaster
        return try await context.store.read { snapshot in
            if let address {
                if let account = try snapshot.accounts.find(address: address) { return account }
                if isTagged, let untagged = address.withoutTag,
                    let account = try snapshot.accounts.find(address: untagged)
                {
                    return account
                }
            }
            return isPostmaster ? try Self.postmaster(named, snapshot) : nil
        }
    }

    /// Whether it is `Postmaster` without a domain, or of a domain of ours.
    private func isPostmasterHere(_ address: EmailAddress?) async throws -> Bool {
        guard let address else { return true }
        guard ASCII.equalsIgnoringCase(address.localPart, "postmaster") else { return false }
        return try await context.domains.contains(address.domain)
    }

    /// The account that was named, or else the oldest local one: a server must know its postmaster (RFC 5321 §4.5.1).
    private static func postmaster(_ named: EmailAddress?, _ snapshot: Snapshot) throws -> AccountRow? {
        if let named { return try snapshot.accounts.find(address: named) }
        var after: AccountKey?
        while true {
            let accounts = try snapshot.accounts.list(after: after, limit: 100)
            if let oldest = accounts.first(where: { $0.kind == .local }) { return oldest }
            guard let last = accounts.last else { return nil }
            after = last.key
        }
    }

    private func refusal(of rcpt: SMTPRcpt) async throws -> SMTPReply {
        guard let address = rcpt.address else { return .noPostmaster }
        if try await context.domains.contains(address.domain) {
            return SMTPReply(550, .init(5, 1, 1), "No such user here")
        }
        guard service == .submission else { return SMTPReply(550, .init(5, 7, 1), "Relaying denied") }
        return SMTPReply(550, .init(5, 4, 4), "No route to other domains is configured")
    }

    // MARK: The message

    func messageBegins(_ session: SMTPSession) async -> SMTPVerdict {
        let limit = Int64(clamping: context.configuration.limits.messageOctets) + Int64(Self.roomForAddedFields)
        spool = Spool(files: context.store.bodies, pool: context.store.blocking, limit: limit)
        header = service == .submission ? SubmissionHeader() : nil
        return .accept()
    }

    /// Octets that a submission's missing fields may add.
    private static let roomForAddedFields = 2048

    func message(_ octets: inout ByteBuffer) async -> SMTPReply? {
        do {
            if header != nil {
                guard header?.take(&octets) ?? true else { return nil }
                return try passHeader()
            }
            try spool?.append(octets.bytes)
            octets.removeAll()
            return nil
        } catch {
            return reply(to: error)
        }
    }

    /// The header section of a submission is complete: it goes to the spool, or the message is refused.
    private func passHeader() throws -> SMTPReply? {
        guard var complete = header, let login else { return .storeFailed }
        header = nil
        guard let authors = complete.authors else {
            return SMTPReply(550, .init(5, 6, 0), "From is not one list of addresses")
        }
        guard authors.allSatisfy(login.address.owns) else {
            return SMTPReply(550, .init(5, 7, 1), "From does not belong to the login")
        }
        guard let senders = complete.senders, senders.allSatisfy(login.address.owns) else {
            return SMTPReply(550, .init(5, 7, 1), "Sender does not belong to the login")
        }
        let date = Timestamp(milliseconds: context.store.clock.now())
        let sender = mail?.reversePath ?? login.address
        guard let messageID = complete.messageID ?? MessageID.random(at: sender.domain) else { return .storeFailed }
        self.messageID = messageID
        let octets = complete.completed(from: sender, date: date, messageID: messageID)
        try spool?.append(octets.span)
        return nil
    }

    func messageEnds(_ session: SMTPSession) async -> SMTPVerdict {
        do {
            if header != nil {
                header?.finish()
                if let reply = try passHeader() {
                    context.observer?.messageEnded(.refused, octets: spool?.size ?? 0)
                    forget()
                    return .refuse(reply)
                }
            }
            guard let spool else { return .refuse(.storeFailed) }
            self.spool = nil
            return try await deliver(try await spool.finish(), session)
        } catch {
            let verdict = verdict(on: error)
            context.observer?.messageEnded(verdict.isLasting ? .refused : .deferred, octets: 0)
            forget()
            return verdict
        }
    }

    private func deliver(_ body: SpooledBody, _ session: SMTPSession) async throws -> SMTPVerdict {
        let content = try await context.reader.read(body)
        let trace = trace(session, id: content.id.description)
        let delivery = LocalDelivery(content: content, trace: trace.octets, recipients: recipients)
        let relayed = relayed(body, behind: trace)
        let messages = try await context.store.write { transaction in
            try relayed?.enqueue(in: transaction)
            return try delivery.perform(transaction)
        }
        context.observer?.messageEnded(.accepted, octets: body.size)
        let placed = messages.map { $0.id.description }
        logger.info(
            "message accepted",
            metadata: [
                "trace": "\(content.id)", "messages": "\(placed.prefix(20).joined(separator: " "))",
                "octets": "\(body.size)",
                "recipients": "\(recipientCount)",
            ]
        )
        forget()
        return .accept("Ok: taken as \(content.id)")
    }

    /// What goes to other servers, to be queued.
    private func relayed(_ body: SpooledBody, behind trace: SMTPTrace) -> RelayedMessage? {
        guard let login, !others.isEmpty else { return nil }
        return RelayedMessage(
            account: login.account,
            sender: mail?.reversePath,
            body: body,
            trace: trace.received,
            messageID: messageID,
            recipients: others,
            lifetimeMilliseconds: context.configuration.lifetimeMilliseconds
        )
    }

    private func trace(_ session: SMTPSession, id: String) -> SMTPTrace {
        let octets = connection.peer.addressOctets
        let peer: InternetAddress? =
            switch octets.count {
            case 4: .ipv4(octets)
            case 16: .ipv6(octets)
            default: nil
            }
        let tls = connection.tlsVersion.map { version in
            connection.tlsCipher.map { "\(version) \($0)" } ?? version
        }
        return SMTPTrace(
            reversePath: mail?.reversePath,
            session: session,
            peer: peer,
            hostName: context.configuration.hostName,
            tls: tls,
            id: id,
            recipient: onlyRecipient,
            isUTF8: mail?.isUTF8 ?? false,
            date: Timestamp(milliseconds: context.store.clock.now())
        )
    }

    func messageAborted() {
        context.observer?.messageEnded(.aborted, octets: spool?.size ?? 0)
        spool = nil
        header = nil
    }

    private func forget() {
        mail = nil
        recipients = []
        onlyRecipient = nil
        recipientCount = 0
        others = []
        messageID = nil
        spool = nil
        header = nil
    }

    // MARK: Errors

    private func verdict(on error: any Error) -> SMTPVerdict {
        let reply = reply(to: error)
        return reply.code == 421 ? .close(reply) : .refuse(reply)
    }

    private func reply(to error: any Error) -> SMTPReply {
        switch error {
        case StoreError.closed, is CancellationError: return .shuttingDown
        case StoreError.diskFull, StoreError.busy: return .diskFull
        case StoreError.overQuota: return SMTPReply(452, .init(4, 2, 2), "Mailbox full")
        case let error as BodyTooLarge: return SMTPReply(552, .init(5, 3, 4), "Message exceeds \(error.limit) octets")
        default:
            logger.error("message not taken", metadata: ["err": "\(error)"])
            return .storeFailed
        }
    }
}

extension SMTPVerdict {
    /// Whether the client is told not to try again.
    fileprivate var isLasting: Bool {
        switch self {
        case .accept: false
        case .refuse(let reply), .close(let reply): reply.code >= 500
        }
    }
}

extension SMTPRcpt {
    /// Nil for `Postmaster` without a domain.
    fileprivate var address: EmailAddress? {
        switch path {
        case .postmaster: nil
        case .mailbox(let address): address
        }
    }
}

extension SMTPReply {
    static let diskFull = SMTPReply(452, .init(4, 3, 1), "Insufficient system storage")
    static let storeFailed = SMTPReply(451, .init(4, 3, 0), "Temporary failure, try again later")
    static let shuttingDown = SMTPReply(421, .init(4, 3, 2), "Shutting down, try again later")
    static let noPostmaster = SMTPReply(550, .init(5, 1, 1), "Nobody is postmaster here")
}
