// SPDX-License-Identifier: Apache-2.0

import Wire
package import MailTypes
import SQLite

/// How far a change of many messages came in one transaction.
package struct BulkOutcome: Hashable, Sendable {
    /// Messages it was done to.
    package let count: Int
    /// Where to go on, in another transaction; nil when all are done.
    package let next: MessageCursor?
}

// A change of many messages is done in pieces, a transaction each, so that nobody waits long behind it.
extension Messages where View == Transaction {
    /// Messages changed in one transaction at most.
    package static var bulkLimit: Int { 500 }

    package func setFlags(
        matching filter: MessageFilter,
        in account: AccountKey,
        _ change: FlagChange,
        after cursor: MessageCursor? = nil
    ) throws -> BulkOutcome {
        try each(filter, account, cursor) { try setFlags(of: $0, change) }
    }

    package func move(
        matching filter: MessageFilter,
        in account: AccountKey,
        to folder: FolderRow,
        after cursor: MessageCursor? = nil
    ) throws -> BulkOutcome {
        try each(filter, account, cursor) { try move($0, to: folder) }
    }

    /// Copies made meanwhile are not copied again only if `filter` cannot match them: give a folder other than the target.
    package func copy(
        matching filter: MessageFilter,
        in account: AccountKey,
        to folder: FolderRow,
        after cursor: MessageCursor? = nil
    ) throws -> BulkOutcome {
        try each(filter, account, cursor) { try copy($0, to: folder) }
    }

    package func expunge(
        matching filter: MessageFilter,
        in account: AccountKey,
        after cursor: MessageCursor? = nil
    ) throws -> BulkOutcome {
        try each(filter, account, cursor) { try expunge($0) }
    }

    private func each(
        _ filter: MessageFilter,
        _ account: AccountKey,
        _ cursor: MessageCursor?,
        _ change: (MessageRow) throws -> Void
    ) throws -> BulkOutcome {
        let rows = try rows(matching: filter, in: account, after: cursor, limit: Self.bulkLimit)
        for row in rows { try change(row) }
        let last = rows.count == Self.bulkLimit ? rows.last : nil
        return BulkOutcome(
            count: rows.count,
            next: last.map { MessageCursor(internalDate: $0.internalDate.milliseconds, key: $0.key.value) }
        )
    }
}
