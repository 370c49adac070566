// SPDX-License-Identifier: Apache-2.0

import Files
import Logging
import SQLite

/// The database as an earlier version left it, put aside before this one changes it, where that is cheap: the way back.
struct SchemaCopy {
    let configuration: StoreConfiguration
    let logger: Logger

    /// A larger database is not copied at a start: its operator makes a backup.
    private static let largestOctets: UInt64 = 1 << 30

    /// Copies the database to `postern.sqlite.schema-N` when its schema N is about to be left behind.
    ///
    /// What goes wrong is logged: each step forward is a transaction, and needs no copy to be safe.
    func keep(of connection: SQLiteConnection) {
        do {
            let found = try connection.pragma("user_version") ?? 0
            guard found > 0, found < Schema.version, try connection.pragma("application_id") == Schema.applicationID
            else { return }
            let path = "\(configuration.databasePath).schema-\(found)"
            guard !Files.exists(path) else { return }
            guard hasRoom else {
                logger.warning("the database is brought to a later schema without a copy: there is no room for one")
                return
            }
            try write(connection, to: path)
            logger.notice("the database was copied before its schema changes", metadata: ["path": "\(path)"])
        } catch {
            logger.warning("the database could not be copied before its schema changes", metadata: ["err": "\(error)"])
        }
    }

    private var hasRoom: Bool {
        let size = (try? Files.status(configuration.databasePath).size).map { UInt64(clamping: $0) } ?? .max
        let free = (try? Files.freeSpace(configuration.directory)) ?? 0
        return size <= Self.largestOctets && free / 2 > size
    }

    private func write(_ connection: SQLiteConnection, to path: String) throws {
        let unfinished = path + ".new"
        if Files.exists(unfinished) { try Files.remove(unfinished) }
        try connection.execute("BEGIN")
        defer { _ = try? connection.execute("ROLLBACK") }
        do {
            let target = try SQLiteConnection(unfinished, .create)
            try connection.copy(to: target, pages: 1024) {}
            try target.execute("PRAGMA journal_mode = DELETE")
        }
        try File(unfinished, .readWrite).sync()
        try Files.rename(unfinished, to: path)
        try Files.syncDirectory(configuration.directory)
    }
}
