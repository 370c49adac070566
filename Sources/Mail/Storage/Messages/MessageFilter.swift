// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite
package import Wire

/// Which messages are meant: those that meet all conditions that are not nil.
package struct MessageFilter: Hashable, Sendable {
    package var folder: FolderKey?
    /// Not in any of these, such as Trash and Junk.
    package var excludedFolders: [FolderKey] = []
    package var thread: ThreadKey?
    package var unread: Bool?
    package var flagged: Bool?
    package var answered: Bool?
    package var draft: Bool?
    /// Received at that time or later.
    package var since: Timestamp?
    /// Received earlier than that.
    package var before: Timestamp?
    package var hasAttachments: Bool?
    /// Only what changed after that MODSEQ.
    package var changedSince: UInt64?
    /// Only these, as a search found them.
    package var keys: [MessageKey]?

    package init(folder: FolderKey? = nil, thread: ThreadKey? = nil, unread: Bool? = nil) {
        self.folder = folder
        self.thread = thread
        self.unread = unread
    }

    /// SQL conditions and their parameters, of which `account` is ?1, and the folder, where there is one, ?2.
    func conditions(
        in account: AccountKey,
        after cursor: MessageCursor?
    ) -> (sql: String, parameters: [any SQLiteBindable]) {
        // With `+` the condition holds but no index is chosen by it: that of the folder or thread is the one.
        var sql = folder == nil && thread == nil ? "m.account = ?1" : "+m.account = ?1"
        var parameters: [any SQLiteBindable] = [account]
        func add(_ condition: String, _ value: (any SQLiteBindable)?) {
            guard let value else { return }
            parameters.append(value)
            sql += " AND \(condition) ?\(parameters.count)"
        }
        func flag(_ bit: SystemFlags, _ wanted: Bool?) {
            if let wanted { sql += " AND m.flags & \(bit.rawValue) \(wanted ? "<>" : "=") 0" }
        }
        add("m.folder =", folder)
        for folder in excludedFolders { add("m.folder <>", folder) }
        add("m.thread =", thread)
        // The same words as in the partial indexes, so that those are used.
        flag(.seen, unread.map { !$0 })
        flag(.flagged, flagged)
        flag(.answered, answered)
        flag(.draft, draft)
        add("m.internal_date >=", since?.milliseconds)
        add("m.internal_date <", before?.milliseconds)
        add("c.has_attachments =", hasAttachments)
        add("m.modseq >", changedSince.map { Int64(clamping: $0) })
        if let keys {
            parameters.append("[" + keys.map { "\($0.value)" }.joined(separator: ",") + "]")
            sql += " AND m.pk IN (SELECT value FROM json_each(?\(parameters.count)))"
        }
        if let cursor {
            parameters += [cursor.internalDate, cursor.key]
            sql += " AND (m.internal_date, m.pk) < (?\(parameters.count - 1), ?\(parameters.count))"
        }
        return (sql, parameters)
    }
}
