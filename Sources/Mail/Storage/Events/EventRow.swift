// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import SQLite
package import Wire

/// What happened.
///
/// The words are those of the API.
package enum EventType: String, CaseIterable, Hashable, Sendable {
    /// Mail arrived.
    case messageReceived = "message.received"
    /// A message was put there by the account's owner: a draft, a copy of what was sent, an import, a copy.
    case messageAdded = "message.added"
    case messageFlagsChanged = "message.flags_changed"
    case messageMoved = "message.moved"
    case messageDeleted = "message.deleted"
    case messageQueued = "message.queued"
    case messageDelivered = "message.delivered"
    case messageDeferred = "message.deferred"
    case messageRefused = "message.refused"
    case messageExpired = "message.expired"
    case messageUnknown = "message.unknown"
    case messageCancelled = "message.cancelled"
    case messageBounced = "message.bounced"
    case messageQuarantined = "message.quarantined"
    /// It was read after all: it has another content and thread.
    case messageUnquarantined = "message.unquarantined"
    /// A message that came late showed two threads to be one.
    case threadMerged = "thread.merged"
    case folderCreated = "folder.created"
    case folderRenamed = "folder.renamed"
    case folderDeleted = "folder.deleted"
    /// A folder of a remote account was compared with its server anew: what changed is not said one by one.
    case folderResynced = "folder.resynced"
    case accountCreated = "account.created"
    case accountUpdated = "account.updated"
    case accountDeleted = "account.deleted"
    /// No connection to a remote account's server can be made, or none lasts.
    case accountUnreachable = "account.unreachable"
    /// Its server does not take the credentials.
    case accountAuthenticationFailed = "account.authentication_failed"
    /// It was not seen for too long what its server has.
    case accountStale = "account.stale"
    /// It is reached again, or seen.
    case accountRecovered = "account.recovered"
    /// The store was restored from a backup: what was announced after event `lastSeq` is undone.
    ///
    /// The one event in front of which numbers are left out.
    case accountRestored = "account.restored"
    /// A webhook's receiver said that it is gone; nothing is sent to it any more.
    case webhookDisabled = "webhook.disabled"
    /// Every attempt at a webhook fails; it is only probed from now on.
    case webhookFailing = "webhook.failing"
    case webhookRecovered = "webhook.recovered"
    /// Events left the log before a webhook had got them.
    case webhookEventsDropped = "webhook.events_dropped"
}

/// One line of the log, lent: its data are octets of JSON.
package struct EventView: ~Copyable {
    private let row: SQLiteRow

    init(_ row: consuming SQLiteRow) { self.row = row }

    static let select = """
        SELECT e.pk, a.id, e.seq, e.time, e.type, e.data FROM events e JOIN accounts a ON a.pk = e.account
        """

    /// The place in the log of all accounts: ascending, with gaps.
    package var position: Int64 { row.int64(0) }
    package var account: AccountID { get throws { try row.id(1) } }
    /// The place in the account's log: from 1, without gaps.
    package var seq: Int64 { row.int64(2) }
    package var time: Timestamp { Timestamp(milliseconds: row.int64(3)) }
    /// The word of an ``EventType``.
    package var type: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(4) } }
    /// A JSON object.
    package var data: Span<UInt8> { @_lifetime(borrow self) get { row.bytes(5) } }
}
