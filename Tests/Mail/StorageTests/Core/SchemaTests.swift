// SPDX-License-Identifier: Apache-2.0

import Files
import MailTypes
import SQLite
import Testing

@testable import Storage

@Suite struct SchemaTests {
    @Test func anEarlierStoreIsBroughtForwardStepByStep() throws {
        let connection = try SQLiteConnection(":memory:", .create)
        let first = "CREATE TABLE a (x INTEGER)"
        try Schema.bringUpToDate(connection, steps: [first])
        try connection.execute("INSERT INTO a VALUES (7)")
        #expect(try connection.pragma("user_version") == 1)
        let steps = [first, "ALTER TABLE a ADD COLUMN y INTEGER", "UPDATE a SET y = x + 1"]
        try Schema.bringUpToDate(connection, steps: steps)
        #expect(try connection.pragma("user_version") == 3)
        #expect(try connection.first("SELECT y FROM a") { $0.int(0) } == 8)
        try Schema.bringUpToDate(connection, steps: steps)
        #expect(try connection.pragma("user_version") == 3)
    }

    @Test func aStepThatFailsLeavesTheStoreAsItWas() throws {
        let connection = try SQLiteConnection(":memory:", .create)
        let first = "CREATE TABLE a (x INTEGER)"
        #expect(throws: SQLiteError.self) {
            try Schema.bringUpToDate(
                connection,
                steps: [first, "INSERT INTO a VALUES (1); INSERT INTO missing VALUES (1)"]
            )
        }
        #expect(try connection.pragma("user_version") == 1)
        #expect(try connection.first("SELECT count(*) FROM a") { $0.int(0) } == 0)
        #expect(!connection.isInTransaction)
    }

    /// A store as the first version made it, with an account in it.
    @Test func theFirstVersionsStoreIsBroughtForward() async throws {
        let directory = try TemporaryDirectory()
        let path = StoreConfiguration(directory: directory.path).databasePath
        do {
            let connection = try SQLiteConnection(path, .create)
            try Schema.bringUpToDate(connection, steps: Array(Schema.steps.prefix(1)))
            try connection.run(
                """
                INSERT INTO accounts (id, kind, address, address_key, alias, is_suspended, created, updated)
                VALUES (?1, 'local', 'ann@example.org', 'ann@example.org', 'ann', 0, 0, 0)
                """,
                AccountID.random()
            )
        }
        let test = try TestStore(directory)
        #expect(try await test.store.read { try $0.accounts.find(alias: "ann") } != nil)
        try await test.expectSound()
        // The way back: the file as it was.
        let copy = try SQLiteConnection(path + ".schema-1", .readOnly)
        #expect(try copy.pragma("user_version") == 1)
        #expect(try copy.first("SELECT count(*) FROM accounts") { $0.int(0) } == 1)
    }

    /// Before there was `messages.shown`, what lists show was put together from the rows each time.
    @Test func messagesOfAnEarlierStoreGetWhatListsShow() async throws {
        let directory = try TemporaryDirectory()
        let path = StoreConfiguration(directory: directory.path).databasePath
        var shown: [[UInt8]] = []
        do {
            let test = try TestStore(directory)
            let inbox = try await test.folder(.inbox, of: try await test.account())
            for number in 0..<3 { try await test.deliver("number \(number)", to: inbox, date: Int64(number)) }
            shown = try await test.shown(in: inbox)
        }
        try #require(shown.count == 3)
        do {
            let connection = try SQLiteConnection(path, .readWrite)
            let step = try #require(Schema.steps.firstIndex(of: Schema.addingShown))
            try connection.execute("ALTER TABLE messages DROP COLUMN shown; PRAGMA user_version = \(step)")
            try Schema.bringUpToDate(connection, steps: Array(Schema.steps.prefix(step + 1)))
            try connection.execute("PRAGMA user_version = \(Schema.version)")
        }
        let test = try TestStore(directory)
        let ann = try #require(try await test.store.read { try $0.accounts.find(alias: "ann") })
        #expect(try await test.shown(in: try await test.folder(.inbox, of: ann)) == shown)
        try await test.expectSound()
    }

    @Test func aLaterStoreIsRefused() throws {
        let directory = try TemporaryDirectory()
        do { _ = try TestStore(directory) }
        let path = StoreConfiguration(directory: directory.path).databasePath
        do { try SQLiteConnection(path, .readWrite).execute("PRAGMA user_version = 999") }
        #expect(throws: StoreError.newerSchema(found: 999, known: Schema.version)) { try TestStore(directory) }
    }

    @Test func anotherProgramsFileIsRefused() throws {
        let directory = try TemporaryDirectory()
        let path = StoreConfiguration(directory: directory.path).databasePath
        do { try SQLiteConnection(path, .create).execute("CREATE TABLE notes (text TEXT)") }
        #expect(throws: StoreError.foreignFile) { try TestStore(directory) }
    }

    @Test func aDamagedFileIsRefused() throws {
        let directory = try TemporaryDirectory()
        try File(StoreConfiguration(directory: directory.path).databasePath, .createNew).write(Array("rubbish".utf8))
        #expect(throws: StoreError.self) { try TestStore(directory) }
    }
}
