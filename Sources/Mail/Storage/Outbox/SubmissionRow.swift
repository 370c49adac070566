// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// How delivery to one recipient stands.
package enum RecipientState: String, CaseIterable, Hashable, Sendable {
    /// Not tried yet.
    case queued
    case delivered
    /// Tried, and to be tried again.
    case deferred
    case refused
    case expired
    /// The message was sent to its end and no answer came.
    case unknown
    case cancelled

    /// Whether nothing more happens by itself, unless a next try is due.
    package var isFinal: Bool { self != .queued && self != .deferred }

    var event: EventType {
        switch self {
        case .queued: .messageQueued
        case .delivered: .messageDelivered
        case .deferred: .messageDeferred
        case .refused: .messageRefused
        case .expired: .messageExpired
        case .unknown: .messageUnknown
        case .cancelled: .messageCancelled
        }
    }
}

/// One recipient of a submission.
package struct RecipientRow: Hashable, Sendable {
    /// The store's number of the row.
    package let key: Int64
    package let account: AccountKey
    package let submission: SubmissionKey
    package let address: EmailAddress
    package let state: RecipientState
    /// Tries so far.
    package let attempts: Int
    /// When it is to be tried next; nil when it is not.
    package let due: Timestamp?
    /// The reply code of the last try, if there was a reply.
    package let code: Int?
    /// Its text, or why there was none.
    package let reply: String?
    package let updated: Timestamp
    /// The part of the dialogue that the last try ended in, as a word.
    package let phase: String?
    /// The enhanced status code of the last try (RFC 3463): `5.1.1`.
    package let status: String?
    /// Since when the end of the message is on its way; nil once it is known what came of that.
    package let ending: Timestamp?
    /// Tries whose end nobody answered.
    package let doubts: Int

    static let select = """
        SELECT r.pk, r.account, r.submission, r.address, r.state, r.attempts, r.due, r.code, r.reply, r.updated, r.phase,
            r.status, r.ending, r.doubts
        FROM recipients r
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.int64(0)
        account = row.key(1)
        submission = row.key(2)
        guard let address = EmailAddress(row.string(3)), let state = RecipientState(rawValue: row.string(4)) else {
            throw StoreError.corrupt("a recipient's address or state is malformed")
        }
        self.address = address
        self.state = state
        attempts = row.int(5)
        due = row.optionalInt64(6).map(Timestamp.init(milliseconds:))
        code = row.optionalInt64(7).map(Int.init)
        reply = row.optionalString(8)
        updated = Timestamp(milliseconds: row.int64(9))
        phase = row.optionalString(10)
        status = row.optionalString(11)
        ending = row.optionalInt64(12).map(Timestamp.init(milliseconds:))
        doubts = row.int(13)
    }
}

/// How a try to deliver to one recipient ended.
package struct RecipientOutcome: Hashable, Sendable {
    package var state: RecipientState
    /// The recipient will not get the message, and the sender is to be told.
    package var isFailure: Bool { state == .refused || state == .expired }
    /// When the next try is; nil for none.
    package var due: Timestamp?
    /// The part of the dialogue it ended in, as a word.
    package var phase: String?
    /// The reply code, if there was a reply.
    package var code: Int?
    /// The enhanced status code (RFC 3463).
    package var status: String?
    /// The other side's words, or why there are none.
    package var reply: String?

    package init(
        _ state: RecipientState,
        due: Timestamp? = nil,
        phase: String? = nil,
        code: Int? = nil,
        status: String? = nil,
        reply: String? = nil
    ) {
        self.state = state
        self.due = due
        self.phase = phase
        self.code = code
        self.status = status
        self.reply = reply
    }
}

/// A message on its way out, or there.
package struct SubmissionRow: Hashable, Sendable {
    package let key: SubmissionKey
    package let id: SubmissionID
    package let account: AccountKey
    /// The return path; nil for the null one.
    package let sender: EmailAddress?
    /// The number of the row with its octets.
    package let body: Int64
    package let messageID: [UInt8]?
    /// The copy in a folder, if one was made.
    ///
    /// It may be gone by now.
    package let message: PlacementID?
    /// Fields that the octets are sent behind, each ended by CRLF: where the message came from.
    package let trace: [UInt8]
    package let created: Timestamp
    /// When delivery gives up.
    package let expires: Timestamp
    package let modseq: UInt64
    package let recipients: [RecipientRow]

    static let select = """
        SELECT o.pk, o.id, o.account, o.sender, o.body, o.message_id, o.message, o.envelope, o.created, o.expires, o.modseq
        FROM outbox o
        """

    init(_ row: consuming SQLiteRow, recipients: (SubmissionKey) throws -> [RecipientRow]) throws {
        key = row.key(0)
        id = try row.id(1)
        account = row.key(2)
        sender = EmailAddress(row.string(3))
        body = row.int64(4)
        messageID = row.optionalArray(5)
        message = row.isNull(6) ? nil : try row.id(6)
        trace = row.array(7)
        created = Timestamp(milliseconds: row.int64(8))
        expires = Timestamp(milliseconds: row.int64(9))
        modseq = UInt64(bitPattern: row.int64(10))
        self.recipients = try recipients(key)
    }
}

/// A message to be sent.
package struct NewSubmission: Sendable {
    package enum Octets: Sendable {
        case spooled(SpooledBody)
        /// Those of a row: what a message's ``MessageView/body`` says.
        case row(Int64)
    }

    package var id = SubmissionID.random()
    package var account: AccountKey
    /// The return path; nil for the null one.
    package var sender: EmailAddress?
    package var octets: Octets
    package var messageID: [UInt8]?
    package var message: PlacementID?
    /// Fields that the octets are sent behind, each ended by CRLF.
    package var trace: [UInt8] = []
    package var expires: Timestamp
    /// Each once.
    ///
    /// Those not queued were answered at once: delivered here, refused.
    package var recipients: [(address: EmailAddress, state: RecipientState)]

    package init(
        account: AccountKey,
        sender: EmailAddress?,
        octets: Octets,
        messageID: [UInt8]? = nil,
        message: PlacementID? = nil,
        expires: Timestamp,
        recipients: [(address: EmailAddress, state: RecipientState)]
    ) {
        self.account = account
        self.sender = sender
        self.octets = octets
        self.messageID = messageID
        self.message = message
        self.expires = expires
        self.recipients = recipients
    }
}
