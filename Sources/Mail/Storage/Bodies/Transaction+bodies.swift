// SPDX-License-Identifier: Apache-2.0

import SQLite

extension Transaction {
    /// Counts one more user of the body: the row there is, or a new one.
    ///
    /// Its number.
    package func retainBody(_ body: SpooledBody) throws -> Int64 {
        let known = try connection.first(
            "UPDATE bodies SET refs = refs + 1 WHERE hash = ?1 RETURNING pk",
            body.hash.octets
        ) { $0.int64(0) }
        if let known { return known }
        try connection.run(
            "INSERT INTO bodies (hash, size, refs, data) VALUES (?1, ?2, 1, ?3)",
            body.hash.octets,
            body.size,
            try body.octetsForRow()
        )
        return connection.lastInsertRowID
    }

    /// Counts one user of the body less; the last one's going removes the row.
    ///
    /// A file is left to the sweeper.
    package func releaseBody(_ body: Int64) throws {
        try connection.run("UPDATE bodies SET refs = refs - 1 WHERE pk = ?1", body)
        try connection.run("DELETE FROM bodies WHERE pk = ?1 AND refs <= 0", body)
    }
}
