// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// One connection to one database file.
///
/// It is used by one thread at a time (`SQLITE_OPEN_NOMUTEX`): its owner sees to that.
public final class SQLiteConnection {
    public enum Mode: Sendable {
        case readOnly
        case readWrite
        /// As ``readWrite``, and the file is made when it is missing.
        case create
    }

    let handle: OpaquePointer
    public let path: String
    /// Prepared statements by the address of their SQL.
    private var byAddress: [UInt: SQLiteStatement] = [:]
    /// The same for SQL put together at run time, which comes in few forms.
    private var byText: [Text: SQLiteStatement] = [:]
    private var progress: ProgressHandler?

    /// SQL as a key.
    ///
    /// To hash all of it would cost more than to compare it with the one other text of its length.
    private struct Text: Hashable {
        let sql: String
        func hash(into hasher: inout Hasher) { hasher.combine(sql.utf8.count) }
    }

    /// Has SQLite keep no account of its memory, which would be a lock around each allocation.
    ///
    /// It counts only before the first connection.
    private static let isLibraryConfigured = csqlite_keep_no_memory_statistics() == SQLITE_OK

    /// Statements kept for SQL put together at run time.
    private static let maximumTexts = 256

    /// Opens the file.
    ///
    /// The corresponding C function is `sqlite3_open_v2`.
    public init(_ path: String, _ mode: Mode) throws(SQLiteError) {
        let flags =
            switch mode {
            case .readOnly: SQLITE_OPEN_READONLY
            case .readWrite: SQLITE_OPEN_READWRITE
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            }
        _ = Self.isLibraryConfigured
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let opened else {
            let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(opened)
            throw SQLiteError(code: code, message: message)
        }
        handle = opened
        self.path = path
    }

    deinit {
        byAddress.removeAll()
        byText.removeAll()
        // A statement or blob still held elsewhere keeps the connection alive until it goes too.
        sqlite3_close_v2(handle)
    }

    func failure(_ code: Int32) -> SQLiteError { .of(code, handle) }

    func check(_ code: Int32) throws(SQLiteError) {
        if code != SQLITE_OK { throw failure(code) }
    }

    /// Runs statements without parameters and results, one after the other.
    ///
    /// The corresponding C function is `sqlite3_exec`.
    public func execute(_ script: String) throws(SQLiteError) {
        try check(sqlite3_exec(handle, script, nil, nil, nil))
    }

    // MARK: Statements

    /// Compiles one statement.
    ///
    /// The caller owns it.
    public func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        try SQLiteStatement(self, sql: sql)
    }

    /// Takes the statement of `sql` from the cache, or compiles it; ``giveBack(_:sql:)`` returns it.
    ///
    /// One that runs already is not taken again, so that a query inside a query is safe.
    @usableFromInline func take(_ sql: StaticString) throws(SQLiteError) -> SQLiteStatement {
        guard let cached = byAddress[UInt(bitPattern: sql.utf8Start)], !cached.isTaken else {
            return try prepare(String(describing: sql))
        }
        cached.isTaken = true
        return cached
    }

    @usableFromInline func giveBack(_ statement: SQLiteStatement, sql: StaticString) {
        if isReturned(statement) { return }
        byAddress[UInt(bitPattern: sql.utf8Start)] = statement
    }

    @usableFromInline func take(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        guard let cached = byText[Text(sql: sql)], !cached.isTaken else { return try prepare(sql) }
        cached.isTaken = true
        return cached
    }

    @usableFromInline func giveBack(_ statement: SQLiteStatement, sql: String) {
        if isReturned(statement) { return }
        if byText.count >= Self.maximumTexts { byText.removeAll() }
        byText[Text(sql: sql)] = statement
    }

    /// Makes a statement ready to run again; false when it is new to the cache.
    private func isReturned(_ statement: SQLiteStatement) -> Bool {
        statement.reset()
        defer { statement.isTaken = false }
        return statement.isTaken
    }

    /// Rows the last INSERT, UPDATE or DELETE changed.
    public var changes: Int { Int(sqlite3_changes64(handle)) }
    public var lastInsertRowID: Int64 { sqlite3_last_insert_rowid(handle) }
    /// Whether a transaction is open.
    ///
    /// After some errors SQLite has rolled it back by itself.
    public var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    // MARK: Savepoints

    /// Runs `body` in a savepoint: what it throws takes back what it did, and nothing else.
    public func savepoint<R>(_ body: () throws -> R) throws -> R {
        try run("SAVEPOINT step")
        do {
            let result = try body()
            try run("RELEASE step")
            return result
        } catch {
            // After a full disk or an I/O error SQLite may have ended the whole transaction, and with it the savepoint.
            if isInTransaction {
                try run("ROLLBACK TO step")
                try run("RELEASE step")
            }
            throw error
        }
    }

    // MARK: Stopping a statement

    private final class ProgressHandler {
        let shallStop: () -> Bool
        init(_ shallStop: @escaping () -> Bool) { self.shallStop = shallStop }
    }

    /// Asks `shallStop` about every `steps` steps of SQLite's virtual machine; true ends the running statement with
    /// ``SQLiteError/Kind/interrupted``.
    ///
    /// Nil removes it. The corresponding C function is `sqlite3_progress_handler`.
    public func onProgress(every steps: Int32, _ shallStop: (() -> Bool)?) {
        progress = shallStop.map(ProgressHandler.init)
        guard let progress else {
            sqlite3_progress_handler(handle, 0, nil, nil)
            return
        }
        sqlite3_progress_handler(
            handle,
            steps,
            { context in
                guard let context else { return 0 }
                return Unmanaged<ProgressHandler>.fromOpaque(context).takeUnretainedValue().shallStop() ? 1 : 0
            },
            Unmanaged.passUnretained(progress).toOpaque()
        )
    }

    // MARK: The file

    /// What an integer pragma says.
    public func pragma(_ name: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare("PRAGMA \(name)")
        return try statement.step() ? statement.int64(0) : nil
    }

    /// Sets WAL mode, syncs at every commit, and our other habits.
    ///
    /// `readOnly` connections take what the file says.
    public func configure(busyMilliseconds: Int32, cacheKibibytes: Int = 8192) throws(SQLiteError) {
        sqlite3_busy_timeout(handle, busyMilliseconds)
        try execute(
            """
            PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF;
            PRAGMA cache_size = -\(cacheKibibytes); PRAGMA temp_store = MEMORY;
            """
        )
        guard sqlite3_db_readonly(handle, "main") == 0 else { return }
        try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864")
    }

    /// Pages in the write-ahead log after the last commit here, once ``checkpointByHand()`` was called.
    public private(set) var logPages = 0

    /// Ends SQLite's own checkpoints within COMMIT, whose errors nobody would see: the owner calls ``checkpoint(_:)`` when
    /// ``logPages`` says so.
    public func checkpointByHand() {
        sqlite3_wal_hook(
            handle,
            { context, _, _, pages in
                if let context {
                    Unmanaged<SQLiteConnection>.fromOpaque(context).takeUnretainedValue().logPages = Int(pages)
                }
                return SQLITE_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    public enum CheckpointMode: Sendable {
        /// As much as can be done without waiting for anybody.
        case passive
        /// Waits for readers and empties the log.
        case truncate
    }

    /// Copies what the write-ahead log holds into the database.
    ///
    /// Returns the pages in the log and those copied by now.
    /// The corresponding C function is `sqlite3_wal_checkpoint_v2`.
    public func checkpoint(_ mode: CheckpointMode) throws(SQLiteError) -> (pages: Int, copied: Int) {
        var pages: Int32 = 0
        var copied: Int32 = 0
        let how = mode == .passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE
        // Not of what is attached besides: that is for its own writer.
        try check(sqlite3_wal_checkpoint_v2(handle, "main", how, &pages, &copied))
        return (Int(pages), Int(copied))
    }
}
