// SPDX-License-Identifier: Apache-2.0

import Files
import MailTypes
import Runtime
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct BackupTests {
    private let place: TemporaryDirectory

    init() throws { place = try TemporaryDirectory() }

    private var backup: BackupDirectory { BackupDirectory(path: place.path + "/backup") }
    private static let large = String(repeating: "long ", count: 100_000)

    /// A store with a small and a large message, and a small file besides.
    private func filled() async throws -> (TestStore, AccountRow, FolderRow) {
        let test = try TestStore()
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        try await test.deliver("small", to: inbox)
        try await test.deliver(Self.large, to: inbox)
        try File(test.directory.path + "/admin-token", .createNew).write(Array("pst_x".utf8))
        try Files.makeDirectories(test.directory.path + "/tls")
        try File(test.directory.path + "/tls/key.pem", .createNew).write(Array("key".utf8))
        return (test, account, inbox)
    }

    @discardableResult
    private func restore(to directory: String) throws -> Restoration.Report {
        let clock = Clock(now: { 1_800_000_100_000 }, monotonic: Clock.system.monotonic)
        return try Restoration(from: backup, to: StoreConfiguration(directory: directory), clock: clock).run()
    }

    @Test func whatIsRestoredIsWhatWasThere() async throws {
        let (test, account, inbox) = try await filled()
        let message = try #require(try await test.store.read { try $0.messages.latest(in: account.key) })
        let manifest = try await test.store.backUp(to: backup.path)
        #expect(manifest.accounts == 1 && manifest.messages == 2 && manifest.bodyFiles == 1)
        #expect(try backup.verify() == [])
        // What comes later is not in it.
        try await test.deliver("later", to: inbox)

        let directory = try TemporaryDirectory()
        try restore(to: directory.path + "/data")
        #expect(try Files.contents(directory.path + "/data/admin-token", limit: 100) == Array("pst_x".utf8))
        #expect(try Files.contents(directory.path + "/data/tls/key.pem", limit: 100) == Array("key".utf8))
        let store = try Store.open(
            StoreConfiguration(directory: directory.path + "/data"),
            clock: .system,
            logger: TestStore.silent
        )
        defer { store.close() }
        #expect(try await store.verify() == [])
        let restored = try #require(try await store.read { try $0.accounts.get(account.id) })
        let folder = try #require(try await store.read { try $0.folders.get(inbox.id, in: restored.key) })
        #expect(folder.total == 2)
        #expect(folder.uidValidity > inbox.uidValidity)
        let found = try #require(try await store.read { try $0.messages.find(message.id, in: restored.key) })
        #expect(found.uid == message.uid && found.flags == message.flags)
        // Another change never gets a number that the lost state may have given.
        let seen = FlagChange.change(add: MessageFlags(.seen), remove: MessageFlags())
        let changed = try await store.write { try $0.messages.setFlags(of: found, seen) }
        #expect(changed.modseq > message.modseq + 1_000_000)
    }

    @Test func consumersOfEventsMeetTheReturn() async throws {
        let (test, account, inbox) = try await filled()
        let known = try await test.events(of: account)
        _ = try await test.store.backUp(to: backup.path)
        try await test.deliver("lost", to: inbox)
        let lost = try #require(try await test.events(of: account).last)
        let position = try await test.store.read { try $0.events.lastPosition() }

        let directory = try TemporaryDirectory()
        try restore(to: directory.path)
        let again = try TestStore(directory)
        let all = try await again.events(of: account)
        #expect(all.dropLast() == known[...])
        let announced = try #require(all.last)
        #expect(announced.type == "account.restored")
        #expect(announced.data.contains(#"{"lastSeq":\#(known.count),"backupCreatedAt":"20"#))
        // Who was ahead of the backup meets it too, in the account's log and in the log of all.
        #expect(try await again.events(of: account, after: lost.seq) == [announced])
        try await again.store.read { snapshot in
            var types: [String] = []
            try snapshot.events.list(afterPosition: position, limit: 10) {
                types.append($0.type.repairedUTF8String())
                return true
            }
            #expect(types == ["account.restored"])
        }
        try await again.expectSound()
    }

    @Test func eventsLeftOutDoNotCountAsKept() async throws {
        let (test, account, inbox) = try await filled()
        _ = try await test.store.backUp(to: backup.path)
        let before = try await test.events(of: account).count
        let directory = try TemporaryDirectory()
        try restore(to: directory.path)
        let again = try TestStore(directory) { $0.eventsPerAccount = 3 }
        try await again.store.sweep()
        #expect(try await again.events(of: account, after: Int64(before) - 2).map(\.type).last == "account.restored")
        #expect(try await again.store.read { try $0.events.bounds(of: account.key) }.oldest == Int64(before) - 1)
        for n in 0..<3 { try await again.deliver("\(n)", to: inbox) }
        try await again.store.sweep()
        let kept = try await again.store.read { try $0.events.bounds(of: account.key) }
        #expect(kept.newest - kept.oldest == 2)
        try await again.expectSound()
    }

    @Test func deliveriesThatWaitAreHeldUntilReleased() async throws {
        let (test, account, _) = try await filled()
        let body = try #require(try await test.content("out").body)
        let address = try #require(EmailAddress("zoe@example.net"))
        try await test.store.write { transaction in
            _ = try transaction.outbox.enqueue(
                NewSubmission(
                    account: account.key,
                    sender: account.address,
                    octets: .spooled(body),
                    expires: Timestamp(milliseconds: 1_900_000_000_000),
                    recipients: [(address, .queued)]
                )
            )
        }
        _ = try await test.store.backUp(to: backup.path)
        let directory = try TemporaryDirectory()
        #expect(try restore(to: directory.path).held == 1)
        let again = try TestStore(directory)
        let later = Timestamp(milliseconds: 1_890_000_000_000)
        #expect(try await again.store.read { try $0.outbox.due(by: later, limit: 10) }.isEmpty)
        #expect(try await again.store.read { try $0.outbox.nextDue() } == nil)
        #expect(try await again.store.read { try $0.outbox.heldSince() } != nil)
        #expect(try await again.store.write { try $0.outbox.release() })
        #expect(try await again.store.read { try $0.outbox.due(by: later, limit: 10) }.count == 1)
        #expect(try await !again.store.write { try $0.outbox.release() })
    }

    @Test func nothingIsHeldWhereNothingWaits() async throws {
        let (test, _, _) = try await filled()
        _ = try await test.store.backUp(to: backup.path)
        let directory = try TemporaryDirectory()
        #expect(try restore(to: directory.path).held == 0)
        let again = try TestStore(directory)
        #expect(try await again.store.read { try $0.outbox.heldSince() } == nil)
    }

    @Test func nothingIsOverwritten() async throws {
        let (test, _, _) = try await filled()
        _ = try await test.store.backUp(to: backup.path)
        await #expect(throws: BackupError.occupied(backup.path)) { _ = try await test.store.backUp(to: backup.path) }
        #expect(try backup.verify() == [])
        let within = test.directory.path + "/backup"
        await #expect(throws: BackupError.withinStore(within)) { _ = try await test.store.backUp(to: within) }
        #expect(!Files.exists(within))
        #expect(throws: BackupError.occupied(test.directory.path)) { try restore(to: test.directory.path) }
    }

    @Test(arguments: ["database", "body", "bodyGone", "manifest", "manifestGone"])
    func whatIsDamagedIsFoundAndNotRestored(_ part: String) async throws {
        let (test, _, _) = try await filled()
        _ = try await test.store.backUp(to: backup.path)
        let folder = try #require(try Files.list(backup.bodiesPath).first)
        let body =
            "\(backup.bodiesPath)/\(folder)/\(try #require(try Files.list("\(backup.bodiesPath)/\(folder)").first))"
        let manifest = backup.path + "/" + BackupManifest.fileName
        switch part {
        case "database": try flip(backup.databasePath, at: 5000)
        case "body":
            // A copy: the store's own file has the same octets.
            let octets = try Files.contents(body, limit: 1 << 20)
            try Files.replaceContents(of: body, with: octets.dropLast() + [0])
        case "bodyGone": try Files.remove(body)
        case "manifest": try Files.replaceContents(of: manifest, with: Array("{}".utf8))
        default: try Files.remove(manifest)
        }
        if part.hasPrefix("manifest") {
            #expect(throws: BackupError.incomplete(backup.path)) { try backup.verify() }
        } else {
            #expect(try backup.verify().count == 1)
        }
        let directory = try TemporaryDirectory()
        #expect(throws: BackupError.self) { try restore(to: directory.path + "/data") }
        #expect(!Files.exists(directory.path + "/data"))
        // The store is as it was.
        try await test.expectSound()
    }

    private func flip(_ path: String, at offset: Int) throws {
        var octets = try Files.contents(path, limit: 1 << 28)
        octets[offset] ^= 0xFF
        try Files.replaceContents(of: path, with: octets)
    }

    @Test func aLaterBackupIsRefused() async throws {
        let (test, _, _) = try await filled()
        var manifest = try await test.store.backUp(to: backup.path)
        manifest.schema = Schema.version + 1
        try Files.replaceContents(of: backup.path + "/" + BackupManifest.fileName, with: manifest.octets)
        #expect(throws: BackupError.newer(format: 1, schema: Schema.version + 1)) { try backup.manifest() }
    }

    @Test func aRestorationThatWasCutOffIsNoStore() async throws {
        let directory = try TemporaryDirectory()
        try Files.replaceContents(of: directory.path + "/" + Restoration.markName, with: [])
        #expect(throws: StoreError.halfRestored) { _ = try TestStore(directory) }
    }

    @Test func damagedOctetsInARowAreFound() async throws {
        let (test, _, _) = try await filled()
        try await test.store.write { transaction in
            _ = try transaction.connection.run("UPDATE bodies SET data = X'786D616C6C' WHERE data IS NOT NULL")
        }
        #expect(try await test.store.verify().map(\.rule) == ["body octets"])
    }

    @Test func filesStayWhileTheyAreWanted() async throws {
        let (test, _, inbox) = try await filled()
        let bodies = test.store.bodies
        try await bodies.keepingAll {
            let messages = try await test.store.write { transaction in
                try transaction.connection.run("DELETE FROM messages")
                return try transaction.connection.run("DELETE FROM contents")
                    + transaction.connection.run("DELETE FROM bodies")
            }
            #expect(messages > 0)
            #expect(try await test.store.sweepBodies() == 0)
        }
        #expect(try await test.store.sweepBodies() == 1)
        _ = inbox
    }
}
