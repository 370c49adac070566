// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// A compiled statement and its bound parameters.
///
/// Parameters count from 1, columns from 0.
public final class SQLiteStatement {
    @usableFromInline let handle: OpaquePointer
    /// Whether it is in a connection's cache, and somebody runs it.
    var isTaken = false

    /// `SQLITE_TRANSIENT`: SQLite copies what is bound before the call returns.
    private static var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    init(_ connection: SQLiteConnection, sql: String) throws(SQLiteError) {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK else { throw connection.failure(code) }
        guard let prepared else { throw SQLiteError(code: SQLITE_MISUSE, message: "no statement: \(sql)") }
        handle = prepared
    }

    deinit { sqlite3_finalize(handle) }

    private func failure(_ code: Int32) -> SQLiteError { .of(code, sqlite3_db_handle(handle)) }

    private func check(_ code: Int32) throws(SQLiteError) {
        if code != SQLITE_OK { throw failure(code) }
    }

    // MARK: Parameters

    public func bind(_ index: Int32, _ value: Int64) throws(SQLiteError) {
        try check(sqlite3_bind_int64(handle, index, value))
    }

    public func bindNull(_ index: Int32) throws(SQLiteError) {
        try check(sqlite3_bind_null(handle, index))
    }

    public func bind(_ index: Int32, blob bytes: UnsafeRawBufferPointer) throws(SQLiteError) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else {
            // A null pointer would bind NULL.
            return try check(sqlite3_bind_zeroblob(handle, index, 0))
        }
        try check(sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), Self.copied))
    }

    public func bind(_ index: Int32, blob bytes: Span<UInt8>) throws(SQLiteError) {
        try bytes.withUnsafeBytes { (bytes) throws(SQLiteError) in try bind(index, blob: bytes) }
    }

    /// Binds text that is well-formed UTF-8.
    public func bind(_ index: Int32, text bytes: UnsafeRawBufferPointer) throws(SQLiteError) {
        let empty: StaticString = ""
        let base = bytes.isEmpty ? UnsafeRawPointer(empty.utf8Start) : bytes.baseAddress.unsafelyUnwrapped
        try check(
            sqlite3_bind_text64(
                handle,
                index,
                base.assumingMemoryBound(to: CChar.self),
                UInt64(bytes.count),
                Self.copied,
                UInt8(SQLITE_UTF8)
            )
        )
    }

    // MARK: Running

    /// Runs to the next row, or to the end (false).
    public func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw failure(code)
        }
    }

    /// Ends the run, forgets the parameters; the statement can run again.
    public func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    /// An integer column of the current row.
    public func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    /// Gives out the current row, for the time of `body`.
    @inlinable public func withRow<R>(_ body: (consuming SQLiteRow) throws -> R) rethrows -> R {
        try body(SQLiteRow(handle: handle))
    }
}

/// The current row of a running statement.
///
/// It is given to a closure and must not outlive it. What it gives out as a span cannot outlive the row.
public struct SQLiteRow: ~Copyable {
    @usableFromInline let handle: OpaquePointer

    @usableFromInline init(handle: OpaquePointer) { self.handle = handle }

    public func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// NULL is 0.
    public func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    public func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }

    public func optionalInt64(_ column: Int32) -> Int64? { isNull(column) ? nil : int64(column) }

    public func bool(_ column: Int32) -> Bool { sqlite3_column_int64(handle, column) != 0 }

    /// The octets of a text or blob, borrowed.
    ///
    /// NULL is empty.
    @_lifetime(borrow self)
    public func bytes(_ column: Int32) -> Span<UInt8> {
        let base = sqlite3_column_blob(handle, column)
        let count = Int(sqlite3_column_bytes(handle, column))
        let view = UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count)
        return _overrideLifetime(Span<UInt8>(_unsafeBytes: view), borrowing: self)
    }

    /// A copy of the octets.
    public func array(_ column: Int32) -> [UInt8] { bytes(column).withUnsafeBufferPointer { [UInt8]($0) } }

    public func optionalArray(_ column: Int32) -> [UInt8]? { isNull(column) ? nil : array(column) }

    /// The text; it was stored as well-formed UTF-8.
    public func string(_ column: Int32) -> String {
        bytes(column).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    public func optionalString(_ column: Int32) -> String? { isNull(column) ? nil : string(column) }
}
