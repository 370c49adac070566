// SPDX-License-Identifier: Apache-2.0

import JSON
package import MailTypes
import SQLite
package import Wire

extension Messages where View == Transaction {
    /// How a message came into a folder, which decides what its event is called.
    package enum Arrival: Hashable, Sendable {
        /// From somebody else.
        case received
        /// The account's owner put it there.
        case added
    }

    /// Puts a message into a folder: a new UID, a new id.
    ///
    /// Equal octets that the account has already are shared.
    ///
    /// Without `internalDate` it is now. Throws ``StoreError/notFound(_:)`` when the folder is gone,
    /// ``StoreError/overQuota`` when the account may not hold so much.
    @discardableResult
    package func append(
        to folder: FolderRow,
        _ new: NewContent,
        flags: MessageFlags = MessageFlags(),
        internalDate: Timestamp? = nil,
        trace: [UInt8] = [],
        arrival: Arrival? = .received
    ) throws -> MessageRow {
        let content = try view.contents.store(new, in: folder.account)
        let row = try place(
            Placement(
                folder: folder,
                content: content.key,
                thread: content.thread,
                size: new.size,
                flags: flags,
                internalDate: internalDate ?? view.now,
                trace: trace
            ),
            announcing: arrival.map { $0 == .received ? .messageReceived : .messageAdded },
            copyOf: nil
        )
        if new.isQuarantined {
            try view.events.append(.messageQuarantined, to: folder.account) { $0.placement(row, folder: folder.id) }
        }
        return row
    }

    /// Puts another placement of a message into a folder, with the same flags, internal date, content and thread.
    @discardableResult
    package func copy(_ message: MessageRow, to folder: FolderRow) throws -> MessageRow {
        let original = try existing(message)
        let trace = try connection.first(
            "SELECT trace FROM messages WHERE account = ?1 AND pk = ?2",
            original.account,
            original.key
        ) { $0.array(0) }
        return try place(
            Placement(
                folder: folder,
                content: original.content,
                thread: original.thread,
                size: original.size,
                flags: original.flags,
                internalDate: original.internalDate,
                trace: trace ?? []
            ),
            announcing: .messageAdded,
            copyOf: original.id
        )
    }

    /// Changes the flags of a message; what it then is.
    ///
    /// When nothing is different nothing happens, and its MODSEQ stays.
    ///
    /// With `ifModseq` only when it was not changed after that: else ``StoreError/preconditionFailed``.
    @discardableResult
    package func setFlags(of message: MessageRow, _ change: FlagChange, ifModseq: UInt64? = nil) throws -> MessageRow {
        let old = try existing(message, ifModseq: ifModseq)
        let flags = change.applied(to: old.flags)
        guard flags != old.flags else { return old }
        try check(flags)
        let modseq = try view.modseq(of: old.account)
        try connection.run(
            "UPDATE messages SET flags = ?3, keywords = ?4, modseq = ?5 WHERE account = ?1 AND pk = ?2",
            old.account,
            old.key,
            Int64(flags.system.rawValue),
            flags.keywordText,
            modseq
        )
        try ShownMembers.renew(old.key, connection)
        let unread = Int64(flags.unreadCount - old.flags.unreadCount)
        try countFolder(old.folder, of: old.account, total: 0, unread: unread, modseq: modseq)
        if unread != 0 { try view.threads.count(old.thread, of: old.account, total: 0, unread: unread, date: nil) }
        let changed = try existing(old)
        let folder = try folderID(old.folder, of: old.account)
        try view.events.append(.messageFlagsChanged, to: old.account) {
            $0.placement(changed, folder: folder)
            $0.flags(flags)
        }
        return changed
    }

    /// Moves a message: it keeps its id, and gets a new UID.
    ///
    /// Into the folder it is in already: nothing happens.
    @discardableResult
    package func move(_ message: MessageRow, to folder: FolderRow, ifModseq: UInt64? = nil) throws -> MessageRow {
        let old = try existing(message, ifModseq: ifModseq)
        guard folder.account == old.account else { throw StoreError.notFound(.folder) }
        guard folder.key != old.folder else { return old }
        let modseq = try view.modseq(of: old.account)
        let unread = Int64(old.flags.unreadCount)
        let place = try takeUID(in: folder, unread: unread, modseq: modseq)
        try bury(old, modseq: modseq)
        try countFolder(old.folder, of: old.account, total: -1, unread: -unread, modseq: modseq)
        try connection.run(
            "UPDATE messages SET folder = ?3, uid = ?4, modseq = ?5 WHERE account = ?1 AND pk = ?2",
            old.account,
            old.key,
            folder.key,
            place.uid,
            modseq
        )
        try ShownMembers.renew(old.key, connection)
        let moved = try existing(old)
        let from = try folderID(old.folder, of: old.account)
        try view.events.append(.messageMoved, to: old.account) {
            $0.placement(moved, folder: place.folder)
            $0.id("fromFolderId", from)
            $0.number("fromUid", Int64(old.uid))
        }
        return moved
    }

    /// Deletes a message for good.
    ///
    /// Its UID is noted as gone; its content goes with its last placement, a little later.
    package func expunge(_ message: MessageRow, ifModseq: UInt64? = nil) throws {
        let old = try existing(message, ifModseq: ifModseq)
        let modseq = try view.modseq(of: old.account)
        let unread = Int64(old.flags.unreadCount)
        try bury(old, modseq: modseq)
        try connection.run("DELETE FROM messages WHERE account = ?1 AND pk = ?2", old.account, old.key)
        try countFolder(old.folder, of: old.account, total: -1, unread: -unread, modseq: modseq)
        try view.threads.count(old.thread, of: old.account, total: -1, unread: -unread, date: nil)
        try view.threads.recomputeDate(old.thread, of: old.account)
        try view.withCounters(of: old.account) { try $0.use(-old.size) }
        try view.contents.release(old.content)
        let folder = try folderID(old.folder, of: old.account)
        try view.events.append(.messageDeleted, to: old.account) {
            $0.id("id", old.id)
            $0.id("folderId", folder)
            $0.number("uid", Int64(old.uid))
            $0.number("modseq", modseq)
        }
    }

    /// All messages of a folder that is about to be deleted, without an event for each.
    func expungeAll(of folder: FolderRow, modseq: Int64) throws {
        let (account, key) = (folder.account, folder.key)
        let used =
            try connection.first(
                "SELECT sum(size) FROM messages WHERE +account = ?1 AND folder = ?2",
                account,
                key
            ) { $0.int64(0) } ?? 0
        try view.withCounters(of: account) { try $0.use(-used) }
        try connection.run(
            """
            INSERT INTO expunged (account, folder, uid, modseq, message, time)
            SELECT account, folder, uid, ?3, pk, ?4 FROM messages WHERE +account = ?1 AND folder = ?2
            """,
            account,
            key,
            modseq,
            view.now.milliseconds
        )
        try connection.run(
            """
            INSERT OR REPLACE INTO released (content, time)
            SELECT content, ?3 FROM messages WHERE +account = ?1 AND folder = ?2
            """,
            account,
            key,
            view.now.milliseconds
        )
        try view.threads.recount(without: folder)
        try connection.run("DELETE FROM messages WHERE +account = ?1 AND folder = ?2", account, key)
    }

    // MARK: Steps

    private struct Placement {
        let folder: FolderRow
        let content: ContentKey
        let thread: ThreadKey
        let size: Int64
        let flags: MessageFlags
        let internalDate: Timestamp
        let trace: [UInt8]
    }

    private func place(_ new: Placement, announcing event: EventType?, copyOf: PlacementID?) throws -> MessageRow {
        try check(new.flags)
        let account = new.folder.account
        try view.withCounters(of: account) { try $0.use(new.size) }
        let modseq = try view.modseq(of: account)
        let unread = Int64(new.flags.unreadCount)
        let place = try takeUID(in: new.folder, unread: unread, modseq: modseq)
        let id = PlacementID.random()
        try connection.run(
            """
            INSERT INTO messages (id, account, folder, uid, modseq, flags, keywords, internal_date, saved_at, size, content,
                thread, trace) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            """,
            id,
            account,
            new.folder.key,
            place.uid,
            modseq,
            Int64(new.flags.system.rawValue),
            new.flags.keywordText,
            new.internalDate.milliseconds,
            view.now.milliseconds,
            new.size,
            new.content,
            new.thread,
            new.trace
        )
        let key = MessageKey(connection.lastInsertRowID)
        try ShownMembers.renew(key, connection)
        try view.threads.count(new.thread, of: account, total: 1, unread: unread, date: new.internalDate.milliseconds)
        let row = MessageRow(
            key: key,
            id: id,
            account: account,
            folder: new.folder.key,
            uid: UInt32(place.uid),
            modseq: UInt64(modseq),
            flags: new.flags,
            internalDate: new.internalDate,
            savedAt: view.now,
            size: new.size,
            content: new.content,
            thread: new.thread
        )
        if let event { try announce(event, row, folder: place.folder, copyOf: copyOf) }
        return row
    }

    private func announce(
        _ event: EventType,
        _ message: MessageRow,
        folder: FolderID,
        copyOf: PlacementID?
    ) throws {
        let ids: (content: ContentID, thread: ThreadID)? = try connection.first(
            "SELECT id, thread_id FROM contents WHERE pk = ?1 AND account = ?2",
            message.content,
            message.account
        ) { (try $0.id(0), try $0.id(1)) }
        guard let ids else { throw StoreError.corrupt("a message has no content") }
        try view.events.append(event, to: message.account) {
            $0.placement(message, folder: folder)
            $0.id("threadId", ids.thread)
            $0.id("contentId", ids.content)
            $0.flags(message.flags)
            $0.time("internalDate", message.internalDate)
            $0.time("savedAt", message.savedAt)
            $0.number("size", message.size)
            if let copyOf { $0.id("copyOf", copyOf) }
        }
    }

    private func check(_ flags: MessageFlags) throws(StoreError) {
        guard flags.keywords.count <= MessageFlags.maximumKeywords else { throw .wrongState("too many keywords") }
    }

    /// The message as it is now; throws when it is gone or was changed after `ifModseq`.
    func existing(_ message: MessageRow, ifModseq: UInt64? = nil) throws -> MessageRow {
        let row = try connection.first(
            built: MessageRow.select + " WHERE m.account = ?1 AND m.pk = ?2",
            [message.account, message.key]
        ) { try MessageRow($0) }
        guard let row else { throw StoreError.notFound(.message) }
        if let ifModseq, row.modseq > ifModseq { throw StoreError.preconditionFailed }
        return row
    }

    /// The folder's next UID, counted, and the folder's id.
    private func takeUID(in folder: FolderRow, unread: Int64, modseq: Int64) throws -> (uid: Int64, folder: FolderID) {
        let place = try connection.first(
            """
            UPDATE folders SET uid_next = uid_next + 1, total = total + 1, unread = unread + ?3, highest_modseq = ?4
            WHERE account = ?1 AND pk = ?2 RETURNING uid_next - 1, id
            """,
            folder.account,
            folder.key,
            unread,
            modseq
        ) { ($0.int64(0), try $0.id(1) as FolderID) }
        guard let place else { throw StoreError.notFound(.folder) }
        // The last number is never given, so that the next one is always a number too.
        guard place.0 < Int64(UInt32.max) else { throw StoreError.exhausted }
        try view.touch(folder.key, of: folder.account)
        return place
    }

    func countFolder(
        _ folder: FolderKey,
        of account: AccountKey,
        total: Int64,
        unread: Int64,
        modseq: Int64
    ) throws {
        try connection.run(
            """
            UPDATE folders SET total = total + ?3, unread = unread + ?4, highest_modseq = ?5 WHERE account = ?1 AND pk = ?2
            """,
            account,
            folder,
            total,
            unread,
            modseq
        )
        try view.touch(folder, of: account)
    }

    func folderID(_ folder: FolderKey, of account: AccountKey) throws -> FolderID {
        let id: FolderID? = try connection.first(
            "SELECT id FROM folders WHERE account = ?1 AND pk = ?2",
            account,
            folder
        ) { try $0.id(0) }
        guard let id else { throw StoreError.corrupt("a message is in no folder") }
        return id
    }

    /// Notes that a UID is gone.
    private func bury(_ message: MessageRow, modseq: Int64) throws {
        try connection.run(
            "INSERT INTO expunged (account, folder, uid, modseq, message, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            message.account,
            message.folder,
            Int64(message.uid),
            modseq,
            message.key,
            view.now.milliseconds
        )
    }
}

extension MessageRow {
    init(
        key: MessageKey,
        id: PlacementID,
        account: AccountKey,
        folder: FolderKey,
        uid: UInt32,
        modseq: UInt64,
        flags: MessageFlags,
        internalDate: Timestamp,
        savedAt: Timestamp,
        size: Int64,
        content: ContentKey,
        thread: ThreadKey
    ) {
        self.key = key
        self.id = id
        self.account = account
        self.folder = folder
        self.uid = uid
        self.modseq = modseq
        self.flags = flags
        self.internalDate = internalDate
        self.savedAt = savedAt
        self.size = size
        self.content = content
        self.thread = thread
    }
}

extension MessageFlags {
    var unreadCount: Int { system.contains(.seen) ? 0 : 1 }
}

extension EventData {
    mutating func placement(_ message: MessageRow, folder: FolderID) {
        id("id", message.id)
        id("folderId", folder)
        number("uid", Int64(message.uid))
        number("modseq", Int64(message.modseq))
    }

    mutating func flags(_ flags: MessageFlags) {
        json.key("flags")
        json.beginArray()
        for (flag, word) in SystemFlags.words where flags.system.contains(flag) { json.string(literal: word) }
        for keyword in flags.keywords { json.string(keyword) }
        json.endArray()
    }
}
