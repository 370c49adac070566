// SPDX-License-Identifier: Apache-2.0

internal import CSQLite
internal import Glibc

/// What SQLite answered when it did not do what was asked.
public struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What the caller decides by.
    public enum Kind: Hashable, Sendable {
        /// The disk, or the page count allowed, is used up.
        case full
        /// Reading, writing or syncing failed: what is on the disk is unknown.
        case ioError
        /// Somebody else holds the lock.
        case busy
        /// The file is damaged, or no database.
        case corrupt
        /// A row would break a constraint of the schema.
        case constraint
        /// The progress handler stopped the statement.
        case interrupted
        /// A string or blob is beyond the limit.
        case tooBig
        /// The file cannot be opened.
        case cannotOpen
        /// Opened for reading only.
        case readOnly
        /// Memory ran out.
        case outOfMemory
        /// Our mistake: SQL, schema or the order of calls.
        case misuse
    }

    /// The extended result code.
    public let code: Int32
    /// SQLite's words.
    public let message: String

    public init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    /// What the connection says about its last call.
    ///
    /// A quota or file size limit that is used up counts as a full disk too,
    /// which SQLite calls an I/O error.
    static func of(_ code: Int32, _ connection: OpaquePointer?) -> SQLiteError {
        let message = connection.map { String(cString: sqlite3_errmsg($0)) } ?? "no connection"
        if code & 0xFF == SQLITE_IOERR, let connection {
            let reason = sqlite3_system_errno(connection)
            if reason == ENOSPC || reason == EDQUOT || reason == EFBIG {
                return SQLiteError(code: SQLITE_FULL, message: message)
            }
        }
        return SQLiteError(code: code, message: message)
    }

    public var kind: Kind {
        switch code & 0xFF {
        case SQLITE_FULL: .full
        case SQLITE_IOERR: .ioError
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: .busy
        case SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT: .corrupt
        case SQLITE_CONSTRAINT: .constraint
        case SQLITE_INTERRUPT, SQLITE_ABORT: .interrupted
        case SQLITE_TOOBIG: .tooBig
        case SQLITE_CANTOPEN: .cannotOpen
        case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: .readOnly
        case SQLITE_NOMEM: .outOfMemory
        default: .misuse
        }
    }

    /// Whether a UNIQUE or PRIMARY KEY constraint was the reason.
    public var isUniqueViolation: Bool {
        code == SQLITE_CONSTRAINT | 8 << 8 || code == SQLITE_CONSTRAINT | 6 << 8 || code == SQLITE_CONSTRAINT | 10 << 8
    }

    public var description: String { "SQLite \(code): \(message)" }
}
