// SPDX-License-Identifier: Apache-2.0

/// What one listener offers and how much it bears with.
package struct IMAPServerConfiguration: Sendable {
    /// Our name in the greeting: of printable ASCII.
    package var hostName: String
    /// Whether a certificate is at hand, so that STARTTLS can be offered.
    package var offersStartTLS: Bool
    /// Passwords are taken in the clear too; else LOGINDISABLED is announced there.
    package var takesPasswordsInClear = false
    /// What is announced to who is logged in, besides what the machine does itself and what IMAP4rev2 includes.
    ///
    /// Whoever answers commands answers these. A command of an extension that is not among them is refused.
    package var capabilities: [IMAPCapability]
    /// Of one message, in octets; announced as APPENDLIMIT (RFC 7889).
    package var appendLimit: UInt64
    /// What we say to ID.
    package var id: [IMAPParameter]
    package var limits: Limits

    package init(
        hostName: String,
        offersStartTLS: Bool,
        capabilities: [IMAPCapability] = [],
        appendLimit: UInt64 = 64 << 20,
        id: [IMAPParameter] = [],
        limits: Limits = Limits()
    ) {
        self.hostName = hostName
        self.offersStartTLS = offersStartTLS
        self.capabilities = capabilities
        self.appendLimit = appendLimit
        self.id = id
        self.limits = limits
    }

    package struct Limits: Sendable {
        package var beforeLogin = IMAPCommandReader.Limits.beforeLogin
        package var afterLogin = IMAPCommandReader.Limits()
        /// Commands that are none, or not now, after which a session ends.
        package var errors = 50
        /// Commands that lead nowhere before somebody is logged in.
        package var junkCommands = 100
        package var authenticationFailures = 3
        /// Messages of one APPEND (RFC 3502); together they have no more octets than one may have.
        package var messagesPerAppend = 100
        /// Of errors and junk commands while the server is overloaded.
        package var errorsUnderLoad = 1
        package var junkCommandsUnderLoad = 10
        /// How often ``IMAPServerConfiguration/appendLimit`` a message may be that is read over, because the client sends it
        /// without asking; a longer one ends the session.
        package var skippedMessages: UInt64 = 4

        package init() {}
    }
}

/// What is known of the client, for whoever answers.
package struct IMAPServerSession: Sendable {
    package internal(set) var isTLS: Bool
    /// By ENABLE: of IMAP4rev2, UTF8=ACCEPT, CONDSTORE and QRESYNC.
    package internal(set) var enabled: Set<IMAPCapability> = []
    /// CONDSTORE is in use: by ENABLE, or by a command that asks for MODSEQs (RFC 7162 §3.1).
    package internal(set) var usesModSeq = false
    /// Which one is selected; nil for none.
    package internal(set) var mailbox: IMAPMailboxName?
    /// The selected one cannot be changed.
    package internal(set) var isReadOnly = false

    init(isTLS: Bool) { self.isTLS = isTLS }

    /// Names of mailboxes, and strings in quotation marks, are UTF-8.
    package var isUTF8: Bool { enabled.contains(.utf8Accept) || isRev2 }
    /// The client speaks IMAP4rev2: there is no RECENT, and SEARCH is answered by ESEARCH.
    package var isRev2: Bool { enabled.contains(.imap4rev2) }
    /// VANISHED stands for EXPUNGE.
    package var usesQResync: Bool { enabled.contains(.qresync) }
}

/// What somebody decided about credentials.
package enum IMAPLoginVerdict: Hashable, Sendable {
    case accept
    /// Wrong, as far as the client may know.
    case refuse
    /// They could not be checked now.
    case unavailable
    /// Too many wrong ones came from there: not checked.
    case throttled
}

/// One answer given, for counting.
package struct IMAPServerRecord: Hashable, Sendable {
    package let verb: IMAPVerb
    package let condition: IMAPStatus.Condition
}

/// What was answered.
package enum IMAPVerb: String, CaseIterable, Sendable {
    /// The greeting.
    case connect
    /// What is said of the session as a whole.
    case session
    /// No command that we know, or that could be read.
    case unknown
    case capability, noop, logout, starttls, authenticate, login, enable, id, compress, namespace, select, examine,
        close
    case unselect, create, delete, rename, subscribe, unsubscribe, list, lsub, status, append, expunge, search, sort,
        thread
    case fetch, store, copy, move, idle, notify, quota

    init(_ command: IMAPCommand) {
        self =
            switch command {
            case .capability: .capability
            case .noop: .noop
            case .logout: .logout
            case .startTLS: .starttls
            case .namespace: .namespace
            case .authenticate: .authenticate
            case .login: .login
            case .enable: .enable
            case .id: .id
            case .compress: .compress
            case .select(let selection): selection.isReadOnly ? .examine : .select
            case .close: .close
            case .unselect: .unselect
            case .create: .create
            case .delete: .delete
            case .rename: .rename
            case .subscribe: .subscribe
            case .unsubscribe: .unsubscribe
            case .list(let request): request.verb == .lsub ? .lsub : .list
            case .status: .status
            case .append: .append
            case .expunge: .expunge
            case .search: .search
            case .sort: .sort
            case .thread: .thread
            case .fetch: .fetch
            case .store: .store
            case .copy: .copy
            case .move: .move
            case .idle: .idle
            case .notify: .notify
            case .quotaRoot, .quota: .quota
            }
    }
}
