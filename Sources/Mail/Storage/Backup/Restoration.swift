// SPDX-License-Identifier: Apache-2.0

import Files
package import Runtime
import SQLite
import Wire

/// Makes a store of a backup: in a new directory, with everything that tells clients that it is an earlier state.
///
/// Ids, idempotency keys and messages are as they were. Every folder has a new UIDVALIDITY. Each account's numbers of events
/// and changes go on behind any that were given after the backup, with one `account.restored` event at the point of return.
/// Deliveries that waited are held until they are released.
package struct Restoration: Sendable {
    package struct Report: Hashable, Sendable {
        package let manifest: BackupManifest
        /// Recipients whose delivery waits, and is now held.
        package let held: Int
    }

    /// Stands in a data directory whose restoration has not ended.
    static let markName = "restoring"
    /// How far the counters of events and changes jump: further than any store counts between two backups.
    static let jump: Int64 = 1_000_000_000

    private let backup: BackupDirectory
    private let configuration: StoreConfiguration
    private let clock: Clock

    package init(from backup: BackupDirectory, to configuration: StoreConfiguration, clock: Clock) {
        self.backup = backup
        self.configuration = configuration
        self.clock = clock
    }

    private var mark: String { "\(configuration.directory)/\(Self.markName)" }

    /// Blocks until it is done, lasting.
    ///
    /// Throws ``BackupError``, or ``StoreError/locked`` where a server runs on the directory. What was cut off is refused as a
    /// store, and is to be removed by hand.
    package func run() throws -> Report {
        let manifest = try backup.manifest()
        let findings = try backup.verify()
        guard findings.isEmpty else { throw BackupError.unsound(findings) }
        guard try Files.isEmptyDirectory(configuration.directory) else {
            throw BackupError.occupied(configuration.directory)
        }
        do {
            try Files.makeDirectories(configuration.directory)
            try Files.replaceContents(of: mark, with: [])
            try copyFiles()
            let held = try bringDatabase(manifest)
            try Files.syncDirectory(configuration.directory)
            try Files.remove(mark)
            try Files.syncDirectory(configuration.directory)
            return Report(manifest: manifest, held: held)
        } catch let error as FileError {
            throw BackupError.file(configuration.directory, error)
        }
    }

    private func copyFiles() throws(FileError) {
        let bodies = "\(configuration.directory)/bodies"
        try Files.makeDirectories(bodies)
        for folder in try Files.list(backup.bodiesPath) {
            try Files.makeDirectories("\(bodies)/\(folder)")
            for name in try Files.list("\(backup.bodiesPath)/\(folder)") {
                try Files.linkOrCopy("\(backup.bodiesPath)/\(folder)/\(name)", to: "\(bodies)/\(folder)/\(name)")
            }
            try Files.syncDirectory("\(bodies)/\(folder)")
        }
        guard Files.exists(backup.filesPath) else { return }
        for name in try SmallFiles.names(in: backup.filesPath) {
            let target = "\(configuration.directory)/\(name)"
            try Files.makeDirectories(Files.parent(of: target))
            try Files.copy("\(backup.filesPath)/\(name)", to: target)
            try Files.syncDirectory(Files.parent(of: target))
        }
    }

    private func bringDatabase(_ manifest: BackupManifest) throws -> Int {
        try Files.copy(backup.databasePath, to: configuration.databasePath)
        let connection = try SQLiteConnection(configuration.databasePath, .readWrite)
        try connection.configure(busyMilliseconds: 5000)
        try Schema.bringUpToDate(connection)
        try connection.run("BEGIN IMMEDIATE")
        let transaction = Transaction(
            connection: connection,
            now: Timestamp(milliseconds: clock.now()),
            configuration: configuration
        )
        try transaction.announceReturn(to: manifest.created, jump: Self.jump)
        let held = try transaction.outbox.hold()
        _ = try transaction.finish()
        try connection.run("COMMIT")
        _ = try connection.checkpoint(.truncate)
        return held
    }
}

extension Transaction {
    /// Makes of this state one that no client takes for the state it knew: new UIDVALIDITY, numbers that were never given, and
    /// an event that says so.
    func announceReturn(to time: Timestamp, jump: Int64) throws {
        try connection.run("UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'events'", jump)
        // Numbers of what a client may have seen of the state that is lost: MODSEQ, versions, events.
        try connection.run(
            """
            UPDATE accounts SET modseq = modseq + ?1, version = version + ?1, skipped = ?1, seq = seq + ?1,
                last_uid_validity = max(last_uid_validity + 1, ?2)
            """,
            jump,
            now.seconds
        )
        try connection.run(
            """
            UPDATE folders SET uid_validity = (SELECT last_uid_validity FROM accounts a WHERE a.pk = folders.account)
            """
        )
        let accounts: [(AccountKey, Int64)] = try connection.all(
            "SELECT pk, seq FROM accounts WHERE deleted IS NULL"
        ) { ($0.key(0), $0.int64(1)) }
        for (account, seq) in accounts {
            let number = try events.append(.accountRestored, to: account) {
                $0.number("lastSeq", seq - jump)
                $0.time("backupCreatedAt", time)
            }
            try connection.run("UPDATE accounts SET restored_seq = ?2 WHERE pk = ?1", account, number)
        }
        // A deleted account's log has ended: its last number stays that of its last event.
        try connection.run("UPDATE accounts SET seq = seq - ?1, skipped = 0 WHERE deleted IS NOT NULL", jump)
    }
}
