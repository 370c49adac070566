// SPDX-License-Identifier: Apache-2.0

internal import CSQLite

extension SQLiteConnection {
    /// Copies all pages into the database of `target`, which then equals ours.
    ///
    /// Within a read transaction of ours that state is copied, whatever others write meanwhile; they are not held up. After
    /// each `pages` pages `pause` is called. The corresponding C functions are `sqlite3_backup_init`, `_step` and `_finish`.
    public func copy(to target: SQLiteConnection, pages: Int32, pause: () throws -> Void) throws {
        guard let backup = sqlite3_backup_init(target.handle, "main", handle, "main") else {
            throw target.failure(sqlite3_errcode(target.handle))
        }
        var isFinished = false
        defer { if !isFinished { sqlite3_backup_finish(backup) } }
        while true {
            let code = sqlite3_backup_step(backup, pages)
            if code == SQLITE_DONE { break }
            guard code == SQLITE_OK else { throw target.failure(code) }
            try pause()
        }
        isFinished = true
        let code = sqlite3_backup_finish(backup)
        guard code == SQLITE_OK else { throw target.failure(code) }
    }
}
