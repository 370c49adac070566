// SPDX-License-Identifier: Apache-2.0

package import Wire

/// What a client asks of a server (RFC 9051 §6 and the extensions).
package enum IMAPCommand: Sendable {
    case capability, noop, logout, startTLS, namespace
    /// In base64 already; without an initial response the server asks for it.
    case authenticate(mechanism: String, initialResponse: [UInt8]?)
    case login(user: [UInt8], password: Secret)
    case enable([IMAPCapability])
    case id([IMAPParameter])
    /// RFC 4978.
    case compress
    case select(IMAPSelection)
    /// Leaves the mailbox, and removes what is flagged `\Deleted`.
    case close
    case unselect
    case create(IMAPMailboxName, specialUse: IMAPListEntry.Attributes = [])
    case delete(IMAPMailboxName)
    case rename(IMAPMailboxName, to: IMAPMailboxName)
    case subscribe(IMAPMailboxName)
    case unsubscribe(IMAPMailboxName)
    case list(IMAPListRequest)
    case status(IMAPMailboxName, [IMAPMailboxStatus.Item])
    case append(IMAPAppend)
    /// Removes what is flagged `\Deleted`: all of it, or (UIDPLUS) those among these.
    case expunge(uids: IMAPNumberSet?)
    case search(IMAPSearchRequest)
    case sort(IMAPSortRequest)
    case thread(IMAPThreadRequest)
    case fetch(IMAPFetchRequest)
    case store(IMAPStoreRequest)
    case copy(IMAPMessages, to: IMAPMailboxName)
    case move(IMAPMessages, to: IMAPMailboxName)
    case idle
    /// Nil: tell nothing any more.
    case notify(IMAPNotifyRequest?)
    case quotaRoot(IMAPMailboxName)
    /// GETQUOTA (RFC 9208).
    case quota(root: [UInt8])
}

/// One SELECT or EXAMINE.
package struct IMAPSelection: Hashable, Sendable {
    /// What was known of the mailbox, for QRESYNC (RFC 7162).
    package struct Known: Hashable, Sendable {
        package var uidValidity: UInt32
        package var modSeq: UInt64
        /// Those of whom the server shall tell whether they are gone; nil for all.
        package var uids: IMAPNumberSet?

        package init(uidValidity: UInt32, modSeq: UInt64, uids: IMAPNumberSet? = nil) {
            self.uidValidity = uidValidity
            self.modSeq = modSeq
            self.uids = uids
        }
    }

    package var mailbox: IMAPMailboxName
    /// EXAMINE.
    package var isReadOnly: Bool
    /// Asks for MODSEQs (RFC 7162) where QRESYNC is not used.
    package var usesCondStore: Bool
    /// Only where QRESYNC was enabled.
    package var known: Known?

    package init(
        _ mailbox: IMAPMailboxName,
        isReadOnly: Bool = false,
        usesCondStore: Bool = false,
        known: Known? = nil
    ) {
        self.mailbox = mailbox
        self.isReadOnly = isReadOnly
        self.usesCondStore = usesCondStore
        self.known = known
    }
}

/// One LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).
package struct IMAPListRequest: Hashable, Sendable {
    package enum Selection: String, Hashable, Sendable {
        case subscribed = "SUBSCRIBED"
        case remote = "REMOTE"
        case specialUse = "SPECIAL-USE"
        case recursiveMatch = "RECURSIVEMATCH"
    }

    package enum Return: String, Hashable, Sendable {
        case subscribed = "SUBSCRIBED"
        case children = "CHILDREN"
        case specialUse = "SPECIAL-USE"
    }

    package enum Verb: Hashable, Sendable { case list, lsub, xlist }

    package var verb: Verb
    package var reference: [UInt8]
    /// Names with `*` and `%`, as they are on the wire; several only with LIST-EXTENDED.
    package var patterns: [[UInt8]]
    /// These three only with LIST-EXTENDED, SPECIAL-USE and LIST-STATUS.
    package var selections: [Selection]
    package var returns: [Return]
    package var status: [IMAPMailboxStatus.Item]

    package init(
        _ patterns: [[UInt8]] = [[ASCII.asterisk]],
        verb: Verb = .list,
        reference: [UInt8] = [],
        selections: [Selection] = [],
        returns: [Return] = [],
        status: [IMAPMailboxStatus.Item] = []
    ) {
        self.verb = verb
        self.reference = reference
        self.patterns = patterns
        self.selections = selections
        self.returns = returns
        self.status = status
    }
}

/// One APPEND; the message itself is supplied when it is wanted.
package struct IMAPAppend: Hashable, Sendable {
    package var mailbox: IMAPMailboxName
    package var flags: IMAPFlags
    package var internalDate: IMAPDateTime?
    /// Of the message, exactly.
    package var octets: UInt64
    /// The message's header is UTF-8, which UTF8=ACCEPT must have been enabled for (RFC 6855 §4).
    package var isUTF8: Bool
    /// It comes as a `literal8`, in which there may be NUL (RFC 3516 §4.4).
    package var isBinary: Bool

    package init(
        _ mailbox: IMAPMailboxName,
        octets: UInt64,
        flags: IMAPFlags = IMAPFlags(),
        internalDate: IMAPDateTime? = nil,
        isUTF8: Bool = false,
        isBinary: Bool = false
    ) {
        self.isBinary = isBinary
        self.mailbox = mailbox
        self.flags = flags
        self.internalDate = internalDate
        self.octets = octets
        self.isUTF8 = isUTF8
    }
}
