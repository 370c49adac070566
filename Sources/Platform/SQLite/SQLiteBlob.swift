// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

/// A blob of one row, read or written in ranges without ever being in memory as a whole.
///
/// It keeps a transaction open while it
/// lives, and ends (``SQLiteError/Kind/interrupted``) when its row is changed.
public final class SQLiteBlob {
    private let handle: OpaquePointer
    /// Octets in the blob; fixed.
    public let count: Int

    /// The corresponding C function is `sqlite3_blob_open`.
    public init(
        _ connection: SQLiteConnection,
        table: String,
        column: String,
        row: Int64,
        writable: Bool = false
    ) throws(SQLiteError) {
        var opened: OpaquePointer?
        let code = sqlite3_blob_open(connection.handle, "main", table, column, row, writable ? 1 : 0, &opened)
        guard code == SQLITE_OK, let opened else { throw connection.failure(code) }
        handle = opened
        count = Int(sqlite3_blob_bytes(opened))
    }

    deinit { sqlite3_blob_close(handle) }

    /// Fills `target` from `offset` on, or up to the blob's end, and says how much that was.
    public func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(SQLiteError) -> Int {
        guard offset >= 0, offset < count else { return 0 }
        let length = min(target.count, count - offset)
        guard length > 0 else { return 0 }
        let code = sqlite3_blob_read(handle, target.baseAddress, Int32(length), Int32(offset))
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "blob read") }
        return length
    }

    /// Puts `bytes` at `offset`; they lie within the blob.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SQLiteError) {
        precondition(offset >= 0 && offset <= count - bytes.count)
        let code = sqlite3_blob_write(handle, bytes.baseAddress, Int32(bytes.count), Int32(offset))
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "blob write") }
    }
}
