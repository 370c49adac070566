// SPDX-License-Identifier: Apache-2.0

import Files
import Logging
import MailTypes
import Runtime
import SQLite
import Wire

@testable import Storage

/// The words of a test's content: its `detail` has the fields, one per line, its body the text.
struct LineExtractor: SearchTextExtractor {
    var version: Int64 = 1

    func text(of content: StoredContent) throws -> SearchableText {
        let lines = content.detail.split(separator: ASCII.lf, omittingEmptySubsequences: false).map { Array($0) }
        guard lines.count == 6 else { throw BodyError.unknown }
        var text = SearchableText()
        text.subject = lines[0]
        text.from = lines[1]
        text.to = lines[2]
        text.cc = lines[3]
        text.bcc = lines[4]
        text.filenames = lines[5]
        var body = ByteBuffer()
        try content.body?.read(0..<(content.body?.size ?? 0), into: &body)
        text.body = body.array()
        return text
    }
}

/// A message of a test's account, as plain values.
struct TestMessage: Sendable {
    var subject = ""
    var from = ""
    var to = ""
    var cc = ""
    var bcc = ""
    var filenames = ""
    var body = ""
    /// Seconds since 1970.
    var second: Int64 = 1_700_000_000
    var size: Int64 = 1000
    var flags: SystemFlags = []
    var folder = 0
    var hasAttachments = false
}

/// A store with one account and two folders, whose rows are written without the layers above, and its search.
final class SearchFixture: Sendable {
    static let account = AccountKey(1)
    static let folders = [FolderKey(1), FolderKey(2)]

    let directory: TemporaryDirectory
    let store: Store

    init() async throws {
        directory = try TemporaryDirectory()
        store = try Store.open(StoreConfiguration(directory: directory.path), clock: .system, logger: .silent)
        try await store.write { tx in
            try tx.connection.run(
                """
                INSERT INTO accounts (pk, id, kind, address, address_key, is_suspended, created, updated)
                VALUES (1, ?1, 'local', 'a@example.com', 'a@example.com', 0, 0, 0)
                """,
                AccountID.random()
            )
            for (key, name) in zip(Self.folders, ["Inbox", "Archive"]) {
                try tx.connection.run(
                    """
                    INSERT INTO folders (pk, id, account, name, role, uid_validity, highest_modseq)
                    VALUES (?1, ?2, 1, ?3, ?4, 1, 0)
                    """,
                    key,
                    FolderID.random(),
                    name,
                    name.lowercased()
                )
            }
            try tx.connection.run("INSERT INTO threads (pk, id, account) VALUES (1, ?1, 1)", ThreadID.random())
        }
    }

    deinit { store.close() }

    func service(version: Int64 = 1, waiting milliseconds: Int = 20_000) throws -> SearchService {
        var configuration = SearchService.Configuration()
        configuration.catchUpMilliseconds = milliseconds
        return try SearchService(
            store: store,
            extractor: LineExtractor(version: version),
            configuration: configuration,
            logger: .silent
        )
    }

    var indexPath: String {
        get throws {
            let name = try Files.list(directory.path + "/search").first { $0.hasSuffix(".sqlite") }
            return "\(directory.path)/search/\(name ?? "")"
        }
    }

    // MARK: Changes

    func add(_ message: TestMessage) async throws -> MessageKey { try await add([message])[0] }

    func add(_ messages: [TestMessage]) async throws -> [MessageKey] {
        try await store.write { tx in try messages.map { try Self.add($0, tx) } }
    }

    private static func add(_ message: TestMessage, _ tx: Transaction) throws -> MessageKey {
        let lines = [message.subject, message.from, message.to, message.cc, message.bcc, message.filenames]
        try tx.connection.run(
            "INSERT INTO bodies (hash, size, refs, data) VALUES (?1, ?2, 1, ?3)",
            ContentID.random().octets,
            message.body.utf8.count,
            Array(message.body.utf8)
        )
        try tx.connection.run(
            """
            INSERT INTO contents (id, account, body, thread, thread_id, size, has_attachments, is_quarantined, summary,
                base_subject, detail, layout) VALUES (?1, 1, ?2, 1, (SELECT id FROM threads), ?3, ?4, 0, x'', '', ?5, x'')
            """,
            ContentID.random(),
            tx.connection.lastInsertRowID,
            message.size,
            message.hasAttachments,
            Array(lines.joined(separator: "\n").utf8)
        )
        return try place(content: tx.connection.lastInsertRowID, message, tx)
    }

    private static func place(content: Int64, _ message: TestMessage, _ tx: Transaction) throws -> MessageKey {
        try tx.connection.run("UPDATE folders SET uid_next = uid_next + 1 WHERE pk = ?1", folders[message.folder])
        try tx.connection.run(
            """
            INSERT INTO messages (id, account, folder, uid, modseq, flags, keywords, internal_date, saved_at, size, content,
                thread, trace)
            SELECT ?1, 1, ?2, uid_next, ?3, ?4, '', ?5, 0, ?6, ?7, 1, x'' FROM folders WHERE pk = ?2
            """,
            PlacementID.random(),
            folders[message.folder],
            tx.modseq(of: account),
            Int64(message.flags.rawValue),
            message.second * 1000,
            message.size,
            content
        )
        return MessageKey(tx.connection.lastInsertRowID)
    }

    func copy(_ key: MessageKey, _ message: TestMessage) async throws -> MessageKey {
        try await store.write { tx in
            let content = try tx.connection.first("SELECT content FROM messages WHERE pk = ?1", key) { $0.int64(0) }
            guard let content else { throw StoreError.notFound(.message) }
            return try Self.place(content: content, message, tx)
        }
    }

    func setFlags(_ key: MessageKey, _ flags: SystemFlags) async throws {
        try await store.write { tx in
            try tx.connection.run(
                "UPDATE messages SET flags = ?2, modseq = ?3 WHERE pk = ?1",
                key,
                Int64(flags.rawValue),
                tx.modseq(of: Self.account)
            )
        }
    }

    func move(_ key: MessageKey, to folder: Int) async throws {
        try await store.write { tx in
            try Self.bury(key, tx)
            try tx.connection.run("UPDATE folders SET uid_next = uid_next + 1 WHERE pk = ?1", Self.folders[folder])
            try tx.connection.run(
                """
                UPDATE messages SET folder = ?2, uid = (SELECT uid_next FROM folders WHERE pk = ?2), modseq = ?3
                WHERE pk = ?1
                """,
                key,
                Self.folders[folder],
                tx.modseq(of: Self.account)
            )
        }
    }

    private static func bury(_ key: MessageKey, _ tx: Transaction) throws {
        try tx.connection.run(
            """
            INSERT INTO expunged (account, folder, uid, modseq, message, time)
            SELECT account, folder, uid, ?2, pk, 0 FROM messages WHERE pk = ?1
            """,
            key,
            tx.modseq(of: account)
        )
    }

    /// Deletes the message, and its content too if nobody else has it and `sweeping`.
    func delete(_ key: MessageKey, sweeping: Bool) async throws {
        try await store.write { tx in
            let content = try tx.connection.first("SELECT content FROM messages WHERE pk = ?1", key) { $0.int64(0) }
            try Self.bury(key, tx)
            try tx.connection.run("DELETE FROM messages WHERE pk = ?1", key)
            guard sweeping else { return }
            try tx.connection.run(
                "DELETE FROM contents WHERE pk = ?1 AND pk NOT IN (SELECT content FROM messages)",
                content
            )
        }
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension SearchService {
    /// All pages of a query, one after the other.
    func all(_ text: String, folder: FolderKey? = nil, pageSize: Int = 1000) async throws -> [MessageKey] {
        let query = try SearchQuery(parsing: Array(text.utf8).span)
        var found: [MessageKey] = []
        var cursor: SearchCursor?
        repeat {
            let page = try await search(SearchFixture.account, query, folder: folder, limit: pageSize, after: cursor)
            guard !page.isDegraded else { throw StoreError.busy }
            found += page.messages.map(\.key)
            cursor = try page.next.map { cursor in
                guard let again = SearchCursor(octets: cursor.octets.span) else { throw StoreError.busy }
                return again
            }
        } while cursor != nil
        return found
    }
}
