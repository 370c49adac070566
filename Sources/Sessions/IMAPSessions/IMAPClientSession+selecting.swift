// SPDX-License-Identifier: Apache-2.0

package import IMAP
import Wire

/// How a mailbox was when it was selected.
package struct IMAPSelected: Hashable, Sendable {
    package let mailbox: IMAPMailboxName
    /// Nil where the server says none: then UIDs cannot be relied on.
    package internal(set) var uidValidity: UInt32?
    /// Nil with servers that do not say.
    package internal(set) var uidNext: UInt32?
    /// Nil where the mailbox has no MODSEQs (NOMODSEQ), or the server no CONDSTORE.
    package internal(set) var highestModSeq: UInt64?
    package internal(set) var exists: UInt32 = 0
    /// The flags that messages here have.
    package internal(set) var flags = IMAPFlags()
    /// Those that can be changed for good; nil where the server does not say, which means all.
    package internal(set) var permanentFlags: IMAPFlags?
    package internal(set) var isReadOnly = false
    /// RFC 8474.
    package internal(set) var mailboxID: [UInt8]?
    /// UIDs change from session to session (RFC 4315).
    package internal(set) var uidsAreSticky = true
    /// QRESYNC: what is gone since.
    package internal(set) var vanished: [ClosedRange<UInt32>] = []
}

extension IMAPClientSession {
    /// Selects a mailbox, and leaves the one selected before.
    ///
    /// - Parameters:
    ///   - known: what is known of it, where QRESYNC was enabled; it is left away otherwise.
    ///   - changed: is told of messages that changed since then.
    ///
    /// Where it fails none is selected.
    package func select(
        _ mailbox: IMAPMailboxName,
        isReadOnly: Bool = false,
        known: IMAPSelection.Known? = nil,
        changed: (IMAPFetchedMessage) async throws -> Void = { _ in }
    ) async throws -> IMAPSelected {
        let hasQResync = enabled.contains(.qresync)
        let selection = IMAPSelection(
            mailbox,
            isReadOnly: isReadOnly,
            usesCondStore: capabilities.contains(.condStore) && !enabled.contains(.condStore) && !hasQResync,
            known: hasQResync ? known : nil
        )
        var selected = IMAPSelected(mailbox: mailbox)
        selected.isReadOnly = isReadOnly
        // What comes before CLOSED is of the mailbox that was selected before (RFC 7162 §3.2.11).
        var undecided: [IMAPFetchedMessage] = []
        var isUndecided = hasQResync && selectedMailbox != nil
        func decide() async throws {
            isUndecided = false
            for message in undecided { try await changed(message) }
            undecided = []
        }
        selectedMailbox = nil
        let status = try await perform(.select(selection)) { told in
            switch told {
            case .response(.status(let status)) where status.code == .closed:
                selected = IMAPSelected(mailbox: mailbox)
                selected.isReadOnly = isReadOnly
                for message in undecided { onUpdate(.message(message)) }
                undecided = []
                isUndecided = false
            case .response(.vanished(let uids, _)): try Self.add(uids.ranges, to: &selected.vanished)
            case .response(let response): selected.take(response)
            case .message(let message) where isUndecided:
                undecided.append(message.change)
                // No server has so much to tell of what it is about to close: this one does not say CLOSED.
                if undecided.count >= 1_000 { try await decide() }
            case .message(let message): try await changed(message)
            case .sectionBegins, .sectionOctets, .sectionEnds, .idling, .wantsOctets, .timeIsUp: break
            }
        }
        try await decide()
        selected.take(.status(status))
        selectedMailbox = mailbox
        return selected
    }

    /// Leaves the mailbox without removing what is flagged `\Deleted`.
    package func unselect() async throws {
        guard capabilities.contains(.unselect) else { throw IMAPSessionError.unsupported(.unselect) }
        try await perform(.unselect)
        selectedMailbox = nil
    }
}

extension IMAPFetchedMessage {
    /// What a SELECT tells of a message, and nothing else that may come with it.
    fileprivate var change: IMAPFetchedMessage {
        var change = IMAPFetchedMessage(sequenceNumber: sequenceNumber)
        (change.uid, change.flags, change.modSeq) = (uid, flags, modSeq)
        return change
    }
}

extension IMAPSelected {
    fileprivate mutating func take(_ response: IMAPResponse) {
        switch response {
        case .exists(let number): exists = number
        case .flags(let flags): self.flags = flags
        case .status(let status):
            switch status.code {
            case .uidValidity(let validity): uidValidity = validity
            case .uidNext(let uid): uidNext = uid
            case .highestModSeq(let modSeq): highestModSeq = modSeq
            case .noModSeq: highestModSeq = nil
            case .permanentFlags(let flags): permanentFlags = flags
            case .readOnly: isReadOnly = true
            case .readWrite: isReadOnly = false
            case .mailboxID(let id): mailboxID = id
            case .uidNotSticky: uidsAreSticky = false
            default: break
            }
        default: break
        }
    }
}
