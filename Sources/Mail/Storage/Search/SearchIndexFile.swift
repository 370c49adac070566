// SPDX-License-Identifier: Apache-2.0

import Crypto
import SQLite
import Wire

/// One account's index, open: a SQLite file with a full-text table, fed from the store's tables, which are attached as
/// `store` and only read.
///
/// A *document* is a content at a second: its row number is the second × 2^20 + a counter, so newest first is the order of
/// the rows. A *placement* says that a message is such a document; a copy shares it, a move changes nothing here.
///
/// It is used by one thread at a time.
final class SearchIndexFile {
    /// The file is of no use: to be thrown away and made anew.
    enum Damage: Error {
        /// Of another format, or made with another reader of texts.
        case outdated
        /// Ahead of the store: of a store that is no longer this one.
        case ahead
        /// Of an account that is no longer there.
        case accountGone
    }

    /// How far the feed came in the order of the account's changes: everything up to this message of this MODSEQ.
    struct Position: Hashable {
        var modseq: Int64
        var message: Int64

        /// Everything up to this MODSEQ is in the index.
        var complete: Int64 { message == .max ? modseq : modseq - 1 }
    }

    private static let format: Int64 = 1
    /// Bits of a document's number behind its second.
    static let counterBits: Int64 = 20
    private static let counterMask: Int64 = 1 << counterBits - 1

    let connection: SQLiteConnection
    /// The account's row in the store.
    let account: AccountKey
    private let extractor: any SearchTextExtractor
    private let bodies: BodyFiles

    /// Opens the file, or makes it.
    ///
    /// Throws ``Damage`` or a `SQLiteError` of kind `corrupt` when it is to be thrown away.
    init(
        path: String,
        storePath: String,
        account: AccountKey,
        extractor: any SearchTextExtractor,
        bodies: BodyFiles
    ) throws {
        connection = try SQLiteConnection(path, .create)
        self.account = account
        self.extractor = extractor
        self.bodies = bodies
        try connection.configure(busyMilliseconds: 5000, cacheKibibytes: 4096)
        // Derived data: a lost commit is fed again, as the position is in the same transaction.
        try connection.execute("PRAGMA synchronous = NORMAL")
        try connection.run("ATTACH ?1 AS store", storePath)
        try makeTables()
    }

    private func makeTables() throws {
        guard try connection.pragma("user_version") == 0 else {
            guard try connection.pragma("user_version") == Self.format, try state(.extractor) == extractor.version
            else {
                throw Damage.outdated
            }
            return
        }
        try connection.execute(
            """
            BEGIN;
            CREATE VIRTUAL TABLE words USING fts5(
                subject, sender, recipient, cc, bcc, body, filename, content = '', columnsize = 0,
                tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'");
            CREATE TABLE documents (pk INTEGER PRIMARY KEY, content INTEGER, digest INTEGER NOT NULL);
            CREATE INDEX documents_by_content ON documents (content);
            CREATE TABLE placements (document INTEGER NOT NULL, message INTEGER NOT NULL UNIQUE,
                PRIMARY KEY (document, message)) WITHOUT ROWID;
            CREATE TABLE state (name INTEGER PRIMARY KEY, value INTEGER NOT NULL);
            PRAGMA user_version = \(Self.format);
            """
        )
        try set(.extractor, extractor.version)
        try connection.execute("COMMIT")
    }

    // MARK: State

    private enum State: Int64 { case extractor = 1, modseq, message, dead }

    private func state(_ name: State) throws -> Int64 {
        try connection.first("SELECT value FROM state WHERE name = ?1", name.rawValue) { $0.int64(0) } ?? 0
    }

    private func set(_ name: State, _ value: Int64) throws {
        try connection.run("INSERT OR REPLACE INTO state VALUES (?1, ?2)", name.rawValue, value)
    }

    func position() throws -> Position { Position(modseq: try state(.modseq), message: try state(.message)) }

    /// Documents that are in the full-text table though no message has them: their text was gone when they were.
    func deadDocuments() throws -> Int64 { try state(.dead) }

    func documents() throws -> Int64 {
        try connection.first("SELECT COUNT(*) FROM documents WHERE content IS NOT NULL") { $0.int64(0) } ?? 0
    }

    func placements() throws -> Int64 {
        try connection.first("SELECT COUNT(*) FROM placements") { $0.int64(0) } ?? 0
    }

    /// The MODSEQ of the account's last committed change, and nil when the account was deleted.
    func highestModseq() throws -> Int64? {
        try connection.first("SELECT modseq FROM store.accounts WHERE pk = ?1 AND deleted IS NULL", account) {
            $0.int64(0)
        }
    }

    // MARK: Feeding

    /// How much one ``feed(within:)`` takes.
    private static let batchMessages = 512
    private static let batchTexts = 128

    /// Takes in the next changes, in one transaction, for as long as `mayGoOn` says (at least one).
    ///
    /// True when there are more.
    func feed(while mayGoOn: () -> Bool) throws -> Bool {
        // Deferred: the store, attached, is only read, and must not be locked.
        try connection.execute("BEGIN")
        do {
            let hasMore = try feedWithin(mayGoOn)
            try connection.execute("COMMIT")
            return hasMore
        } catch {
            if connection.isInTransaction { try connection.execute("ROLLBACK") }
            throw error
        }
    }

    private struct Change {
        let message: Int64
        let content: Int64
        let internalDate: Int64
        let modseq: Int64
    }

    private func feedWithin(_ mayGoOn: () -> Bool) throws -> Bool {
        let start = try position()
        guard let highest = try highestModseq() else { throw Damage.accountGone }
        guard start.modseq <= highest else { throw Damage.ahead }
        guard start.complete < highest else { return false }
        let changes = try changes(after: start)
        var end = start
        var texts = 0
        for change in changes {
            if try place(change) { texts += 1 }
            end = Position(modseq: change.modseq, message: change.message)
            if texts >= Self.batchTexts || (texts > 0 && !mayGoOn()) { break }
        }
        let isLast = changes.count < Self.batchMessages && (changes.last.map { end.message == $0.message } ?? true)
        if isLast { end = Position(modseq: highest, message: .max) }
        try removeExpunged(from: start.modseq, through: end.modseq)
        try set(.modseq, end.modseq)
        try set(.message, end.message)
        return !isLast
    }

    private func changes(after start: Position) throws -> [Change] {
        try connection.all(
            """
            SELECT pk, content, internal_date, modseq FROM store.messages
            WHERE account = ?1 AND (modseq, pk) > (?2, ?3) ORDER BY modseq, pk LIMIT ?4
            """,
            account,
            start.modseq,
            start.message,
            Self.batchMessages
        ) { Change(message: $0.int64(0), content: $0.int64(1), internalDate: $0.int64(2), modseq: $0.int64(3)) }
    }

    /// Puts a message in its place; true when its text had to be read.
    private func place(_ change: Change) throws -> Bool {
        let second = Timestamp(milliseconds: change.internalDate).seconds.clamped(toBits: 63 - Self.counterBits)
        let present = try connection.first(
            "SELECT d.pk, d.content FROM placements AS p JOIN documents AS d ON d.pk = p.document WHERE p.message = ?1",
            change.message
        ) { (document: $0.int64(0), content: $0.optionalInt64(1)) }
        if let present {
            if present.content == change.content, present.document >> Self.counterBits == second { return false }
            try remove(message: change.message)
        }
        let first = second << Self.counterBits
        let shared = try connection.first(
            "SELECT pk FROM documents WHERE content = ?1 AND pk BETWEEN ?2 AND ?3",
            change.content,
            first,
            first | Self.counterMask
        ) { $0.int64(0) }
        let document = try shared ?? add(change, second: second)
        try connection.run("INSERT INTO placements VALUES (?1, ?2)", document, change.message)
        return shared == nil
    }

    private func add(_ change: Change, second: Int64) throws -> Int64 {
        // The message's own number decides, so that an index built anew numbers its documents alike.
        var document = second << Self.counterBits | change.message & Self.counterMask
        while try connection.first("SELECT 1 FROM documents WHERE pk = ?1", document, body: { _ in true }) ?? false {
            document = second << Self.counterBits | (document + 1) & Self.counterMask
        }
        let text = try text(of: change.content) ?? IndexedText(SearchableText())
        try connection.run(
            """
            INSERT INTO words (rowid, subject, sender, recipient, cc, bcc, body, filename)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """,
            document,
            text.columns[0],
            text.columns[1],
            text.columns[2],
            text.columns[3],
            text.columns[4],
            text.columns[5],
            text.columns[6]
        )
        try connection.run("INSERT INTO documents VALUES (?1, ?2, ?3)", document, change.content, text.digest)
        return document
    }

    /// The text of a content; without words when it cannot be read, nil when the content is gone.
    private func text(of content: Int64) throws -> IndexedText? {
        let row = try connection.first(
            """
            SELECT c.summary, c.detail, c.layout, c.is_quarantined, b.hash, b.size, b.data
            FROM store.contents AS c LEFT JOIN store.bodies AS b ON b.pk = c.body WHERE c.pk = ?1 AND c.account = ?2
            """,
            content,
            account
        ) { row -> StoredContent? in
            // A body that cannot be read shall not stop the index; one that is at the server is not read for it.
            let body =
                row.isNull(4)
                ? nil
                : try? BodyReader(
                    hash: row.array(4),
                    size: row.int64(5),
                    data: row.optionalArray(6),
                    files: bodies
                )
            guard body != nil || row.isNull(4) else { return nil }
            return StoredContent(
                summary: row.array(0),
                detail: row.array(1),
                layout: row.array(2),
                isQuarantined: row.bool(3),
                body: body
            )
        }
        guard let row else { return nil }
        return IndexedText(row.flatMap { try? extractor.text(of: $0) } ?? SearchableText())
    }

    private func removeExpunged(from first: Int64, through last: Int64) throws {
        let gone = try connection.all(
            """
            SELECT e.message FROM store.expunged AS e
            WHERE e.account = ?1 AND e.modseq BETWEEN ?2 AND ?3
            AND NOT EXISTS (SELECT 1 FROM store.messages AS m WHERE m.pk = e.message)
            """,
            account,
            first,
            last
        ) { $0.int64(0) }
        for message in gone { try remove(message: message) }
    }

    private func remove(message: Int64) throws {
        guard
            let document = try connection.first(
                "SELECT document FROM placements WHERE message = ?1",
                message,
                body: { $0.int64(0) }
            )
        else { return }
        try connection.run("DELETE FROM placements WHERE document = ?1 AND message = ?2", document, message)
        let isShared = try connection.first("SELECT 1 FROM placements WHERE document = ?1", document) { _ in true }
        if isShared == nil { try remove(document: document) }
    }

    /// Takes a document's words out, which needs exactly the text that was put in; where that is gone, or another by now,
    /// the words stay, found by nobody, until the index is built anew.
    private func remove(document: Int64) throws {
        let row = try connection.first("SELECT content, digest FROM documents WHERE pk = ?1", document) {
            (content: $0.optionalInt64(0), digest: $0.int64(1))
        }
        guard let row, let content = row.content else { return }
        guard let text = try text(of: content), text.digest == row.digest else {
            try connection.run("UPDATE documents SET content = NULL WHERE pk = ?1", document)
            return try set(.dead, state(.dead) + 1)
        }
        try connection.run(
            """
            INSERT INTO words (words, rowid, subject, sender, recipient, cc, bcc, body, filename)
            VALUES ('delete', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
            """,
            document,
            text.columns[0],
            text.columns[1],
            text.columns[2],
            text.columns[3],
            text.columns[4],
            text.columns[5],
            text.columns[6]
        )
        try connection.run("DELETE FROM documents WHERE pk = ?1", document)
    }

    /// Puts the full-text table's pieces together, once much was fed.
    func optimize() throws { try connection.run("INSERT INTO words (words) VALUES ('optimize')") }
}

/// The words of one document, column by column, as the index has them.
private struct IndexedText {
    let columns: [SQLiteText]
    /// Tells this text from others.
    let digest: Int64

    init(_ text: SearchableText) {
        columns = [text.subject, text.from, text.to, text.cc, text.bcc, text.body, text.filenames].map { column in
            var words = ByteBuffer()
            SearchWords.append(column.span, to: &words)
            return SQLiteText(words.array())
        }
        var hash = SHA256()
        for column in columns {
            hash.update(column.utf8.span)
            hash.update([ASCII.lf].span)
        }
        digest = hash.finalize().prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    }
}

extension Int64 {
    /// The nearest number that has so many bits and a sign.
    fileprivate func clamped(toBits bits: Int64) -> Int64 { Swift.min(Swift.max(self, -1 << bits), 1 << bits - 1) }
}
