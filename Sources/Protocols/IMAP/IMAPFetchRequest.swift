// SPDX-License-Identifier: Apache-2.0

/// Messages by UID or by sequence number.
package enum IMAPMessages: Hashable, Sendable {
    case uids(IMAPNumberSet)
    case sequence(IMAPNumberSet)
    /// `$`: what the last SEARCH that said SAVE found (RFC 5182).
    case saved(isUID: Bool)

    package var isUID: Bool {
        switch self {
        case .uids: true
        case .sequence: false
        case .saved(let isUID): isUID
        }
    }
}

/// One FETCH.
package struct IMAPFetchRequest: Hashable, Sendable {
    package enum Item: Hashable, Sendable {
        case uid, flags, internalDate, size, envelope, bodyStructure
        /// The structure without its extension data.
        case body
        case modSeq
        case emailID, threadID
        case saveDate
        /// RFC 8970, also where the server has first to make it.
        case preview
        case binarySize([UInt32])
        case gmailMessageID, gmailThreadID, gmailLabels
        /// A section, by default without setting `\Seen`; its octets from `origin` on, at most `length` of them.
        case section(IMAPSection, length: UInt32? = nil, setsSeen: Bool = false)
    }

    package var messages: IMAPMessages
    package var items: [Item]
    /// RFC 7162: only what changed since then.
    package var changedSince: UInt64?
    /// RFC 7162: with `changedSince` and QRESYNC enabled, tells also what is gone.
    package var wantsVanished: Bool
    /// RFC 9394: only those of the messages from one place to another, as ``IMAPSearchRequest/Return/partial(_:)`` counts them.
    package var partial: ClosedRange<Int32>?

    package init(
        _ messages: IMAPMessages,
        _ items: [Item],
        changedSince: UInt64? = nil,
        wantsVanished: Bool = false,
        partial: ClosedRange<Int32>? = nil
    ) {
        self.partial = partial
        self.messages = messages
        self.items = items
        self.changedSince = changedSince
        self.wantsVanished = wantsVanished
    }
}

/// One STORE.
package struct IMAPStoreRequest: Hashable, Sendable {
    package enum Operation: Hashable, Sendable { case replace, add, remove }

    package var messages: IMAPMessages
    package var operation: Operation
    package var flags: IMAPFlags
    /// The new flags are not told.
    package var isSilent: Bool
    /// RFC 7162: leaves alone what changed since then.
    package var unchangedSince: UInt64?

    package init(
        _ messages: IMAPMessages,
        _ operation: Operation,
        _ flags: IMAPFlags,
        isSilent: Bool = false,
        unchangedSince: UInt64? = nil
    ) {
        self.messages = messages
        self.operation = operation
        self.flags = flags
        self.isSilent = isSilent
        self.unchangedSince = unchangedSince
    }
}
