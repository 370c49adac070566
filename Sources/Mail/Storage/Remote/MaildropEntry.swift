// SPDX-License-Identifier: Apache-2.0

import SQLite
package import Wire

/// A message that an account's POP3 server has or had, and what became of it here.
package struct MaildropEntry: Hashable, Sendable {
    package enum State: String, CaseIterable, Hashable, Sendable {
        /// It has yet to be fetched.
        case waiting
        /// Our copy is stored; ``MaildropEntry/message`` is nil once that was deleted for good.
        case here
        /// It cannot be taken, and stays where it is.
        case left
        /// The server has confirmed that it deleted it.
        case removed
    }

    package let key: MaildropKey
    /// Its unique-id (RFC 1939 §7).
    package let uid: [UInt8]
    /// Octets, as LIST says.
    package let size: Int64
    package let state: State
    /// It was there before the account was: its coming is not announced.
    package let isOld: Bool
    package let message: MessageKey?
    /// When our copy was stored.
    package let fetched: Timestamp?
    /// Tries that failed.
    package let attempts: Int
    /// Not to be tried before then.
    package let retry: Timestamp?
    /// The server does not list it any more.
    package let isGone: Bool

    static let select = """
        SELECT pk, uid, size, state, is_old, message, fetched, attempts, retry, gone IS NOT NULL FROM maildrop
        """

    init(_ row: consuming SQLiteRow) throws {
        guard let state = State(rawValue: row.string(3)) else {
            throw StoreError.corrupt("the state of a message at a POP3 server is unknown")
        }
        key = row.key(0)
        uid = row.array(1)
        size = row.int64(2)
        self.state = state
        isOld = row.bool(4)
        message = row.optionalInt64(5).map { MessageKey($0) }
        fetched = row.optionalInt64(6).map(Timestamp.init(milliseconds:))
        attempts = row.int(7)
        retry = row.optionalInt64(8).map(Timestamp.init(milliseconds:))
        isGone = row.bool(9)
    }
}

/// What names rows of the maildrop.
package enum MaildropKind {}
package typealias MaildropKey = RowKey<MaildropKind>

/// How much of a maildrop is not here.
package struct MaildropBacklog: Hashable, Sendable {
    /// Listed, and not fetched yet.
    package var waiting = 0
    /// Listed, tried in vain, and to be tried again.
    package var failing = 0
    /// Listed, and left there for good.
    package var left = 0
    /// Why the last of those are not here.
    package var reason: String?

    package init() {}
}
