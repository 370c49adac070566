// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

package enum DeliveryState: String, CaseIterable, Hashable, Sendable {
    /// Failed, or to be sent again, and due at some time.
    case pending
    case delivered
    /// Not tried any more.
    case failed
}

/// An event as a webhook's delivery names it.
package struct DeliveryEvent: Hashable, Sendable {
    /// Its place in the log of all accounts.
    package let position: Int64
    package let account: AccountID
    package let accountKey: AccountKey
    package let seq: Int64
    package let type: String
    package let time: Timestamp

    package init(
        position: Int64,
        account: AccountID,
        accountKey: AccountKey,
        seq: Int64,
        type: String,
        time: Timestamp
    ) {
        self.position = position
        self.account = account
        self.accountKey = accountKey
        self.seq = seq
        self.type = type
        self.time = time
    }
}

/// How the last attempt ended.
package struct DeliveryAttempt: Hashable, Sendable {
    package let time: Timestamp
    package let milliseconds: Int64
    /// Of the HTTP answer; nil when there was none.
    package let status: Int?
    /// Why there was none, or why it does not count; nil for a success.
    package let error: String?
    /// The first octets of the answer's body.
    package let answer: [UInt8]?

    /// Octets kept of an answer.
    package static let maximumAnswerOctets = 1024

    package init(time: Timestamp, milliseconds: Int64, status: Int?, error: String?, answer: [UInt8]?) {
        self.time = time
        self.milliseconds = milliseconds
        self.status = status
        self.error = error
        self.answer = answer.map { Array($0.prefix(Self.maximumAnswerOctets)) }
    }
}

/// One event on its way to one webhook, or lately delivered there.
package struct DeliveryRow: Hashable, Sendable {
    /// The store's number of the row.
    package let key: Int64
    package let event: DeliveryEvent
    package let state: DeliveryState
    /// Attempts since it was first sent, or since it was asked for again.
    package let attempts: Int
    /// When it is tried next, while pending.
    package let due: Timestamp?
    package let last: DeliveryAttempt?
    package let updated: Timestamp

    static let select = """
        SELECT d.pk, d.event, a.id, d.account, d.seq, d.type, d.time, d.state, d.attempts, d.due, d.attempted, d.duration,
            d.status, d.error, d.answer, d.updated
        FROM deliveries d JOIN accounts a ON a.pk = d.account
        """

    init(_ row: consuming SQLiteRow) throws {
        key = row.int64(0)
        event = DeliveryEvent(
            position: row.int64(1),
            account: try row.id(2),
            accountKey: row.key(3),
            seq: row.int64(4),
            type: row.string(5),
            time: Timestamp(milliseconds: row.int64(6))
        )
        state = DeliveryState(rawValue: row.string(7)) ?? .failed
        attempts = row.int(8)
        due = row.optionalInt64(9).map(Timestamp.init(milliseconds:))
        if let attempted = row.optionalInt64(10) {
            last = DeliveryAttempt(
                time: Timestamp(milliseconds: attempted),
                milliseconds: row.int64(11),
                status: row.isNull(12) ? nil : row.int(12),
                error: row.optionalString(13),
                answer: row.optionalArray(14)
            )
        } else {
            last = nil
        }
        updated = Timestamp(milliseconds: row.int64(15))
    }
}

/// What became of one event at one webhook.
package struct DeliveryResult: Hashable, Sendable {
    package let event: DeliveryEvent
    package let state: DeliveryState
    package let attempts: Int
    /// When it is tried again; for a pending one.
    package let due: Timestamp?
    package let attempt: DeliveryAttempt

    package init(
        event: DeliveryEvent,
        state: DeliveryState,
        attempts: Int,
        due: Timestamp?,
        attempt: DeliveryAttempt
    ) {
        self.event = event
        self.state = state
        self.attempts = attempts
        self.due = due
        self.attempt = attempt
    }
}
