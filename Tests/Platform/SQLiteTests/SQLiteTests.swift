// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import SQLite

@Suite struct SQLiteConnectionTests {
    private func memory() throws -> SQLiteConnection {
        let connection = try SQLiteConnection(":memory:", .create)
        try connection.configure(busyMilliseconds: 0)
        try connection.execute("CREATE TABLE t (pk INTEGER PRIMARY KEY, b BLOB, s TEXT, n INTEGER UNIQUE)")
        return connection
    }

    @Test func valuesComeBackAsTheyWere() throws {
        let connection = try memory()
        let bytes: [UInt8] = [0, 255, 13, 10]
        try connection.run("INSERT INTO t VALUES (1, ?1, ?2, ?3)", bytes, "grüße\u{0}x", Int64.min)
        try connection.run("INSERT INTO t VALUES (2, ?1, ?2, ?3)", [UInt8](), "", Int64?.none)
        let rows = try connection.all("SELECT b, s, n FROM t ORDER BY pk") { row in
            (row.optionalArray(0), row.optionalString(1), row.optionalInt64(2))
        }
        #expect(rows[0].0 == bytes)
        #expect(rows[0].1 == "grüße\u{0}x")
        #expect(rows[0].2 == Int64.min)
        #expect(rows[1].0 == [])
        #expect(rows[1].1?.isEmpty == true)
        #expect(rows[1].2 == nil)
    }

    @Test func constraintsAreToldApart() throws {
        let connection = try memory()
        try connection.run("INSERT INTO t (n) VALUES (?1)", 7)
        let error = #expect(throws: SQLiteError.self) { try connection.run("INSERT INTO t (n) VALUES (?1)", 7) }
        #expect(error?.kind == .constraint)
        #expect(error?.isUniqueViolation == true)
    }

    @Test func aFailedSavepointTakesBackItsOwnWorkOnly() throws {
        struct Refused: Error {}
        let connection = try memory()
        try connection.run("BEGIN IMMEDIATE")
        try connection.savepoint { _ = try connection.run("INSERT INTO t (n) VALUES (?1)", 1) }
        #expect(throws: Refused.self) {
            try connection.savepoint {
                try connection.run("INSERT INTO t (n) VALUES (?1)", 2)
                throw Refused()
            }
        }
        try connection.savepoint { _ = try connection.run("INSERT INTO t (n) VALUES (?1)", 3) }
        try connection.run("COMMIT")
        #expect(try connection.all("SELECT n FROM t ORDER BY n") { $0.int(0) } == [1, 3])
    }

    @Test func aQueryInsideTheSameQueryIsSafe() throws {
        let connection = try memory()
        for n in 0..<3 { try connection.run("INSERT INTO t (n) VALUES (?1)", n) }
        func numbers(_ body: (Int) throws -> Void) throws {
            try connection.forEach("SELECT n FROM t ORDER BY n") { row in
                try body(row.int(0))
                return true
            }
        }
        var pairs: [[Int]] = []
        try numbers { outer in try numbers { inner in pairs.append([outer, inner]) } }
        #expect(pairs.count == 9)
        #expect(pairs.last == [2, 2])
    }

    @Test func theProgressHandlerStopsALongQuery() throws {
        let connection = try memory()
        var asked = 0
        connection.onProgress(every: 1000) {
            asked += 1
            return asked > 10
        }
        let error = #expect(throws: SQLiteError.self) {
            _ = try connection.first(
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
            ) { $0.int(0) }
        }
        #expect(error?.kind == .interrupted)
        connection.onProgress(every: 0, nil)
        #expect(try connection.first("SELECT 5") { $0.int(0) } == 5)
    }

    @Test func aFullDatabaseSaysSoAndGoesOn() throws {
        let connection = try memory()
        try connection.execute("PRAGMA max_page_count = 12")
        let error = #expect(throws: SQLiteError.self) {
            for _ in 0..<100 { try connection.run("INSERT INTO t (b) VALUES (zeroblob(4000))") }
        }
        #expect(error?.kind == .full)
        try connection.execute("PRAGMA max_page_count = 1000")
        try connection.run("INSERT INTO t (b) VALUES (zeroblob(4000))")
    }

    @Test func blobsAreReadAndWrittenInRanges() throws {
        let connection = try memory()
        try connection.run("INSERT INTO t (pk, b) VALUES (9, zeroblob(100000))")
        let blob = try SQLiteBlob(connection, table: "t", column: "b", row: 9, writable: true)
        #expect(blob.count == 100_000)
        let pattern: [UInt8] = [1, 2, 3]
        try pattern.withUnsafeBytes { try blob.write($0, at: 99_997) }
        var target = [UInt8](repeating: 9, count: 10)
        #expect(try target.withUnsafeMutableBytes { try blob.read(at: 99_995, into: $0) } == 5)
        #expect(target == [0, 0, 1, 2, 3, 9, 9, 9, 9, 9])
        #expect(throws: SQLiteError.self) { try SQLiteBlob(connection, table: "t", column: "b", row: 10) }
    }

    @Test(arguments: [
        (SQLiteError(code: 13, message: ""), SQLiteError.Kind.full), (.init(code: 10 | 4 << 8, message: ""), .ioError),
        (.init(code: 5 | 2 << 8, message: ""), .busy), (.init(code: 26, message: ""), .corrupt),
        (.init(code: 9, message: ""), .interrupted), (.init(code: 8, message: ""), .readOnly),
        (.init(code: 1, message: ""), .misuse),
    ]) func kindOf(_ error: SQLiteError, _ kind: SQLiteError.Kind) {
        #expect(error.kind == kind)
    }
}
