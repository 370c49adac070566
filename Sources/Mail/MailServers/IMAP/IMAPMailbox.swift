// SPDX-License-Identifier: Apache-2.0

import Accounts
import IMAP
import IMAPSessions
import Intake
import Logging
import MailTypes
import SASL
import Sockets
import Storage
import Transport
import Wire

/// Answers for one IMAP connection from the folders of who logged in.
///
/// All that is read comes from the store as it is at that moment, and all that is changed goes there by what the API calls
/// too: what others do is seen here as soon as the protocol allows it to be told, and what is done here is an event there.
/// The commands are in extensions, each beside those of its kind.
final class IMAPMailbox: IMAPServerDelegate {
    /// Messages that are read, or changed in one transaction, at a time.
    static let batch = 500

    let context: IMAPServiceContext
    let connection: Connection
    var logger: Logger
    private var login: AccountRow?
    var selected: SelectedMailbox?
    /// `$`: what the last SEARCH with SAVE found, ascending (RFC 5182).
    var saved: [UInt32] = []
    var uploads = Uploads()
    /// Messages whose octets a search looked into.
    var looked = 0
    /// Items of FETCH that were made of octets, and are to be kept.
    var made: [FetchItems] = []
    private var subscription: StoreSubscription?

    init(_ context: IMAPServiceContext, connection: Connection) {
        self.context = context
        self.connection = connection
        logger = context.logger
        logger[metadataKey: "remote"] = "\(connection.peer)"
    }

    var store: Store { context.store }

    /// Whose mailboxes these are.
    var account: AccountRow {
        get throws {
            guard let login else { throw StoreError.notFound(.account) }
            return login
        }
    }

    func replied(_ record: IMAPServerRecord) { context.observer?.replied(record) }

    // MARK: Logging in

    func authenticate(_ credentials: SASLCredentials, _ session: IMAPServerSession) async -> IMAPLoginVerdict {
        let outcome = await context.passwords.authenticate(
            name: credentials.authenticationID,
            password: credentials.password,
            from: LoginSource(addressOctets: connection.peer.addressOctets)
        )
        switch outcome {
        case .accepted(let record):
            logger[metadataKey: "account"] = "\(record.account)"
            guard let account = try? await store.read({ try $0.accounts.get(record.account) }), account.kind != .imap,
                context.sessions.begin(account.key, limit: context.configuration.maximumPerAccount)
            else {
                note(.unavailable)
                return .unavailable
            }
            login = account
            note(.accepted)
            return .accept
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

    private func note(_ result: AuthenticationResult) {
        context.observer?.authenticationEnded(result)
        logger.info("IMAP login \(result.rawValue)")
    }

    func sessionEnded() {
        subscription?.cancel()
        subscription = nil
        uploads = Uploads()
        selected = nil
        if let login { context.sessions.end(login.key) }
        login = nil
    }

    func enabled(_ session: IMAPServerSession) {}

    // MARK: Commands

    func perform(
        _ command: IMAPCommand,
        tag: [UInt8],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        do {
            return try await answer(command, tag: tag, session, responses)
        } catch let refusal as Refusal {
            return refusal.status
        } catch let error as StoreError {
            return status(of: error)
        } catch let error as BodyError {
            logger.error("message not read", metadata: ["err": "\(error)"])
            return IMAPStatus(.no, .unavailable, "A message cannot be read")
        }
    }

    private func answer(
        _ command: IMAPCommand,
        tag: [UInt8],
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) async throws -> IMAPStatus {
        switch command {
        case .noop:
            try await tellNews(session, responses)
            return .done
        case .namespace:
            var namespaces = IMAPNamespaces()
            namespaces.personal = [IMAPNamespaces.Namespace(prefix: [], separator: ASCII.slash)]
            responses.write(.namespace(namespaces))
            return .done
        case .select(let selection): return try await select(selection, session, responses)
        case .close: return try await close(session)
        case .unselect:
            selected = nil
            return .done
        case .create(let name, let use): return try await create(name, use, session)
        case .delete(let name): return try await delete(name, session)
        case .rename(let name, let new): return try await rename(name, to: new, session)
        case .subscribe(let name): return try await subscribe(name, session)
        case .unsubscribe(let name): return try await unsubscribe(name, session)
        case .list(let request): return try await list(request, session, responses)
        case .status(let name, let items): return try await status(name, items, session, responses)
        case .expunge(let uids): return try await expunge(uids, session, responses)
        case .search(let request): return try await search(request, tag: tag, session, responses)
        case .fetch(let request): return try await fetch(request, session, responses)
        case .store(let request): return try await store(request, session, responses)
        case .copy(let messages, let name): return try await copy(messages, to: name, session, responses)
        case .move(let messages, let name): return try await move(messages, to: name, session, responses)
        case .quotaRoot(let name): return try await quotaRoot(name, session, responses)
        case .quota(let root): return try await quota(root, responses)
        case .capability, .logout, .startTLS, .authenticate, .login, .enable, .id, .compress, .append, .idle, .notify,
            .sort, .thread:
            return IMAPStatus(.bad, nil, "Not known here")
        }
    }

    // MARK: News

    func update(_ session: IMAPServerSession, _ responses: IMAPServerResponses) async throws {
        try await tellNews(session, responses)
    }

    func idling(_ isIdle: Bool) {
        subscription?.cancel()
        subscription = nil
        guard isIdle, let login, let folder = selected?.folder.key else { return }
        let socket = connection.socket
        subscription = store.subscribe(to: login.id) { change in
            guard change.folders.contains(folder) else { return }
            socket.loop.post { socket.wake() }
        }
    }

    /// The same behind a change that will last, whatever becomes of this: where it cannot be read it is told with the next
    /// command.
    func tellNewsBehindChange(
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses,
        expunged: Bool = true
    ) async throws {
        do {
            try await tellNews(session, responses, expunged: expunged)
        } catch let error as StoreError {
            logger.info("news not told", metadata: ["err": "\(error)"])
        }
    }

    /// Tells what is new in the selected mailbox; what is gone only where the command allows it (RFC 9051 §7.5.1).
    func tellNews(
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses,
        expunged: Bool = true
    ) async throws {
        guard let mailbox = selected else { return }
        let (folder, modSeq, uidNext) = (mailbox.folder, mailbox.modSeq, mailbox.uidNext)
        let changes = try await store.read { snapshot in
            try SelectedMailbox.changes(in: folder, since: modSeq, from: uidNext, snapshot)
        }
        guard let news = selected?.take(changes, tellsExpunged: expunged) else { return }
        tellExpunged(news, session, responses)
        if news.hasNew { tellExists(session, responses) }
        if news.hasNewKeywords { tellFlags(responses) }
        for row in news.changed {
            tellFlags(of: row, isUID: true, session, responses)
            try await responses.relieve()
        }
    }

    private func tellExpunged(
        _ news: SelectedMailbox.News,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) {
        guard !news.expunged.isEmpty else { return }
        let gone = Set(news.expungedUIDs)
        saved.removeAll { gone.contains($0) }
        guard !session.usesQResync else {
            return responses.write(.vanished(IMAPNumberSet(news.expungedUIDs), isEarlier: false))
        }
        for number in news.expunged { responses.write(.expunge(number)) }
    }

    private func tellExists(_ session: IMAPServerSession, _ responses: IMAPServerResponses) {
        guard let mailbox = selected else { return }
        responses.write(.exists(mailbox.count))
        claimRecent()
        if !session.isRev2 { responses.write(.recent(selected?.recentCount ?? 0)) }
    }

    /// What nobody was told of is recent here, and, unless it only looks on, in no other session.
    func claimRecent() {
        guard let mailbox = selected else { return }
        let (folder, next) = (mailbox.folder.key, mailbox.uidNext)
        if !mailbox.isReadOnly {
            if let range = context.recent.claim(folder, below: next) { selected?.addRecent(range) }
        } else {
            let start = max(context.recent.first(in: folder), (mailbox.recent.last?.upperBound ?? 0) &+ 1)
            if start < next { selected?.addRecent(start...next - 1) }
        }
    }

    /// FLAGS and PERMANENTFLAGS, where there are keywords that were not told.
    func tellFlags(_ responses: IMAPServerResponses) {
        guard let mailbox = selected else { return }
        var flags = IMAPFlags(mailbox.keywords)
        flags.flags.system = [.seen, .answered, .flagged, .draft, .deleted]
        responses.write(.flags(flags))
        if mailbox.isReadOnly {
            flags = IMAPFlags()
        } else {
            flags.allowsNewKeywords = true
        }
        responses.write(.status(IMAPStatus(.ok, .permanentFlags(flags), "Flags that stay")))
    }

    /// `* n FETCH (FLAGS (…))`, with the UID and the MODSEQ where they are wanted.
    func tellFlags(
        of row: MailboxRow,
        isUID: Bool,
        withFlags: Bool = true,
        _ session: IMAPServerSession,
        _ responses: IMAPServerResponses
    ) {
        guard let mailbox = selected, let place = mailbox.place(of: row.uid) else { return }
        responses.encoder.beginFetch(UInt32(place) + 1)
        if isUID { responses.encoder.item(.uid(row.uid)) }
        if withFlags { responses.encoder.item(.flags(mailbox.flags(of: row))) }
        if session.usesModSeq { responses.encoder.item(.modSeq(row.modseq)) }
        responses.encoder.endFetch()
    }

    // MARK: Errors

    /// Ends a command with this answer.
    struct Refusal: Error {
        let status: IMAPStatus

        init(_ condition: IMAPStatus.Condition = .no, _ code: IMAPResponseCode? = nil, _ text: String) {
            status = IMAPStatus(condition, code, text)
        }
    }

    func status(of error: StoreError) -> IMAPStatus {
        switch error {
        case .notFound(.folder): IMAPStatus(.no, .nonExistent, "There is no such mailbox")
        case .notFound(.account), .closed: IMAPStatus(.no, .unavailable, "The account is not available")
        case .alreadyExists: IMAPStatus(.no, .alreadyExists, "There is such a mailbox already")
        case .invalidName(let reason): IMAPStatus(.no, .cannot, "The name cannot be a mailbox's: \(reason)")
        case .notEmpty: IMAPStatus(.no, .hasChildren, "There are mailboxes below it")
        case .protected: IMAPStatus(.no, .cannot, "A mailbox with a special use keeps its name and stays")
        case .overQuota: IMAPStatus(.no, .overQuota, "The account's quota is used up")
        case .exhausted, .wrongState: IMAPStatus(.no, .limit, "That is more than can be kept")
        case .busy, .tooSlow, .diskFull: IMAPStatus(.no, .unavailable, "Try again later")
        default: unforeseen(error)
        }
    }

    func unforeseen(_ error: any Error) -> IMAPStatus {
        logger.error("IMAP command not done", metadata: ["err": "\(error)"])
        return IMAPStatus(.no, .unavailable, "Try again later")
    }
}

extension IMAPStatus {
    static var done: Self { IMAPStatus(.ok, nil, "Done") }
    static var readOnly: Self { IMAPStatus(.no, .cannot, "The mailbox was opened to be read only") }
}
