// SPDX-License-Identifier: Apache-2.0

import Files
import Glibc
import MailTypes
import Runtime
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct StoreTests {
    private struct Refused: Error, Equatable {}

    @Test func whatWasWrittenIsThereAfterReopening() async throws {
        let directory = try TemporaryDirectory()
        let id: PlacementID
        do {
            let test = try TestStore(directory)
            let account = try await test.account()
            id = try await test.deliver("kept", to: try await test.folder(.inbox, of: account)).id
            test.store.close()
            await #expect(throws: StoreError.closed) { try await test.account("late") }
            await #expect(throws: StoreError.closed) { try await test.store.read { try $0.accounts.list(limit: 1) } }
            #expect(test.store.state == .closed)
        }
        let test = try TestStore(directory)
        let account = try #require(try await test.store.read { try $0.accounts.find("ann") })
        #expect(try await test.store.read { try $0.messages.find(id, in: account.key) } != nil)
        try await test.expectSound()
    }

    /// SQLite counts what a statement does over all its uses, and may stop even one that has done its work.
    @Test func noReadIsLeftHalfBegunWhereItsTimeIsUpAtOnce() async throws {
        let test = try TestStore { $0.quickReadMilliseconds = 0 }
        let account = try await test.account()
        for _ in 0..<3000 {
            #expect(try await test.store.read { try $0.accounts.get(account.key) } != nil)
        }
    }

    @Test func aSecondStoreInTheDirectoryIsRefused() throws {
        let test = try TestStore()
        #expect(throws: StoreError.locked) { try TestStore(test.directory) }
    }

    @Test func concurrentWritesAreAllKeptAndFailOnlyForThemselves() async throws {
        let test = try TestStore()
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let commits = test.store.statistics().commits
        let results = try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
            for n in 0..<640 {
                group.addTask {
                    let content = try await test.content("m\(n)")
                    do {
                        try await test.store.write { tx in
                            try tx.messages.append(to: inbox, content)
                            if n % 10 == 3 { throw Refused() }
                        }
                        return (n, true)
                    } catch is Refused {
                        return (n, false)
                    }
                }
            }
            return try await group.reduce(into: [Int: Bool]()) { $0[$1.0] = $1.1 }
        }
        #expect(results.count == 640)
        #expect(results.allSatisfy { $0.value == ($0.key % 10 != 3) })
        let texts = try await test.store.read { snapshot in
            var texts: Set<String> = []
            _ = try snapshot.messages.list(MessageFilter(folder: inbox.key), in: account.key, limit: 1000) {
                texts.insert("\"subject\":\"\($0.text("subject"))\"")
            }
            return texts
        }
        #expect(texts == Set((0..<640).filter { $0 % 10 != 3 }.map { "\"subject\":\"m\($0)\"" }))
        // The refused ones took no UID and no event number.
        #expect(try await test.current(inbox).uidNext == 577)
        #expect(test.store.statistics().commits - commits < 640)
        try await test.expectSound()
    }

    @Test func aResultIsVisibleToWhoeverReadsNext() async throws {
        let test = try TestStore()
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        for n in 1...50 {
            try await test.deliver("m\(n)", to: inbox)
            #expect(try await test.current(inbox).total == n)
        }
    }

    /// Readers keep their snapshots until something is committed, and the log of commits starts anew all the same.
    @Test func keptSnapshotsHoldUpNoCheckpoint() async throws {
        let test = try TestStore { $0.checkpointPages = 1 }
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        for n in 1...200 {
            try await test.deliver("m\(n)", to: inbox)
            #expect(try await test.current(inbox).total == n)
            let atLeisure = try await test.store.readAtLeisure { try $0.folders.get(inbox.key, in: account.key)?.total }
            #expect(atLeisure == n)
        }
        // Each delivery writes more than ten pages of 4 KiB.
        let log = try Files.status(test.store.configuration.databasePath + "-wal").size
        #expect(log < 2_000_000)
    }

    @Test func aSnapshotDoesNotChange() async throws {
        let test = try TestStore()
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let reached = Lock(false)
        let pool = BlockingPool(name: "test", threads: 1)
        // The reader looks, waits until the writer has committed, and looks again.
        async let counts = test.store.readAtLeisure { snapshot in
            let first = try snapshot.folders.get(inbox.key, in: account.key)?.total
            reached.withLock { $0 = true }
            let deadline = Clock.system.monotonic() + 5_000_000_000
            while reached.withLock({ $0 }), Clock.system.monotonic() < deadline {}
            return [first, try snapshot.folders.get(inbox.key, in: account.key)?.total]
        }
        try await pool.run { while !reached.withLock({ $0 }) {} }
        try await test.deliver("new", to: inbox)
        reached.withLock { $0 = false }
        #expect(try await counts == [0, 0])
        #expect(try await test.current(inbox).total == 1)
    }

    @Test func aCancelledWriteThatHasNotBegunIsDropped() async throws {
        let test = try TestStore()
        let gate = Lock(true)
        let began = Lock(false)
        let blocker = Task {
            try await test.store.write { _ in
                began.withLock { $0 = true }
                while gate.withLock({ $0 }) {}
            }
        }
        while !began.withLock({ $0 }) { await Task.yield() }
        let ran = Lock(false)
        let cancelled = Task { try await test.store.write { _ in ran.withLock { $0 = true } } }
        while test.store.statistics().waiting == 0 { await Task.yield() }
        cancelled.cancel()
        gate.withLock { $0 = false }
        try await blocker.value
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        #expect(!ran.withLock { $0 })
    }

    @Test func aGroupOfNothingButCancelledWritesThatFailsEndsEachOnce() async throws {
        let isBroken = Lock(false)
        let test = try TestStore {
            $0.commitFault = { if isBroken.withLock({ $0 }) { throw StoreError.failed("input/output error") } }
        }
        let gate = Lock(true)
        let began = Lock(false)
        let blocker = Task {
            try await test.store.write { _ in
                began.withLock { $0 = true }
                while gate.withLock({ $0 }) {}
            }
        }
        while !began.withLock({ $0 }) { await Task.yield() }
        let cancelled = (0..<3).map { _ in Task { try await test.store.write { _ in } } }
        while test.store.statistics().waiting < 3 { await Task.yield() }
        for task in cancelled { task.cancel() }
        isBroken.withLock { $0 = true }
        gate.withLock { $0 = false }
        await #expect(throws: StoreError.failed("input/output error")) { try await blocker.value }
        for task in cancelled { await #expect(throws: (any Error).self) { try await task.value } }
    }

    @Test func aFullQueueRefuses() async throws {
        let test = try TestStore { $0.queueCapacity = 2 }
        let gate = Lock(true)
        let began = Lock(false)
        let blocker = Task {
            try await test.store.write { _ in
                began.withLock { $0 = true }
                while gate.withLock({ $0 }) {}
            }
        }
        while !began.withLock({ $0 }) { await Task.yield() }
        let waiting = (0..<2).map { _ in Task { try await test.store.write { _ in } } }
        while test.store.statistics().waiting < 2 { await Task.yield() }
        await #expect(throws: StoreError.busy) { try await test.store.write { _ in } }
        gate.withLock { $0 = false }
        try await blocker.value
        for task in waiting { try await task.value }
    }

    @Test func subscribersAreWokenAfterTheCommit() async throws {
        let test = try TestStore()
        let account = try await test.account()
        let other = try await test.account("bob")
        let inbox = try await test.folder(.inbox, of: account)
        let seen = Lock<[StoreChange]>([])
        let all = Lock(0)
        let subscription = test.store.subscribe(to: account.id) { change in seen.withLock { $0.append(change) } }
        let everything = test.store.subscribe { _ in all.withLock { $0 += 1 } }
        let message = try await test.deliver("hello", to: inbox)
        try await test.deliver("hello", to: try await test.folder(.inbox, of: other))
        // Handlers run right behind the callers' wake-up: a further commit comes after them.
        try await test.store.write { _ in }
        let changes = seen.withLock { $0 }
        #expect(changes.count == 1)
        #expect(changes.first?.folders == [inbox.key])
        #expect(changes.first?.modseq == message.modseq)
        #expect(changes.first?.seq == (try await test.events(of: account).last?.seq))
        #expect(all.withLock { $0 } == 2)
        subscription.cancel()
        try await test.deliver("again", to: inbox)
        try await test.store.write { _ in }
        #expect(seen.withLock { $0.count } == 1)
        #expect(all.withLock { $0 } == 3)
        everything.cancel()
    }

    @Test func aFullDiskRefusesAndRecoversByItself() async throws {
        let test = try TestStore { $0.maximumDatabaseOctets = 700_000 }
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        var kept = 0
        var last: MessageRow?
        let full = await #expect(throws: StoreError.self) {
            for n in 0..<1000 {
                last = try await test.deliver("\(n)" + String(repeating: "x", count: 4000), to: inbox)
                kept += 1
            }
        }
        #expect(full == .diskFull)
        #expect(kept > 10)
        #expect(test.store.state == .open)
        #expect(try await test.current(inbox).total == kept)
        // Reading goes on, and so does writing once there is room.
        let victim = try #require(last)
        try await test.store.write { try $0.messages.expunge(victim) }
        test.advance(milliseconds: 120_000)
        try await test.store.sweep()
        try await test.deliver("after", to: inbox)
        try await test.expectSound()
    }

    @Test func aFailedSyncClosesTheDoorUntilTheStoreWasChecked() async throws {
        let isBroken = Lock(false)
        let test = try TestStore {
            $0.reopenMilliseconds = 50
            $0.commitFault = { if isBroken.withLock({ $0 }) { throw StoreError.failed("input/output error") } }
        }
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        let woken = Lock(0)
        let subscription = test.store.subscribe { _ in woken.withLock { $0 += 1 } }
        let content = try await test.content("lost")
        isBroken.withLock { $0 = true }
        await #expect(throws: StoreError.failed("input/output error")) {
            try await test.store.write { _ = try $0.messages.append(to: inbox, content) }
        }
        guard case .failed = test.store.state else {
            Issue.record("still open")
            return
        }
        let refused = await #expect(throws: StoreError.self) { try await test.store.write { _ in } }
        guard case .failed? = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        // Reading goes on; nobody was woken for what was not kept.
        #expect(try await test.current(inbox).total == 0)
        #expect(woken.withLock { $0 } == 0)
        isBroken.withLock { $0 = false }
        for _ in 0..<100 where test.store.state != .open { try await Task.sleep(for: .milliseconds(50)) }
        #expect(try await test.deliver("kept", to: inbox).uid == 1)
        try await test.expectSound()
        subscription.cancel()
    }

    @Test func aCancelledWriteIsToldOnceEvenIfTheCommitFails() async throws {
        let (isBroken, gate, hasBegun) = (Lock(false), Monitor(false), Lock(false))
        let test = try TestStore {
            $0.reopenMilliseconds = 20
            $0.commitFault = { if isBroken.withLock({ $0 }) { throw StoreError.failed("input/output error") } }
        }
        let store = test.store
        let first = Task {
            try await store.write { _ in
                hasBegun.withLock { $0 = true }
                _ = gate.wait { $0 ? () : nil }
                // The commit after this one is the first that fails.
            }
        }
        for _ in 0..<500 where !hasBegun.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
        let second = Task { try await store.write { _ in } }
        for _ in 0..<500 where store.statistics().waiting == 0 { try await Task.sleep(for: .milliseconds(10)) }
        second.cancel()
        isBroken.withLock { $0 = true }
        gate.broadcast { $0 = true }
        await #expect(throws: StoreError.self) { try await first.value }
        await #expect(throws: (any Error).self) { try await second.value }
        isBroken.withLock { $0 = false }
        for _ in 0..<500 where store.state != .open { try await Task.sleep(for: .milliseconds(20)) }
        _ = try await test.account()
    }

    @Test func aFullDiskIsFoundToHaveRoomAgainWithoutAWrite() async throws {
        let isFull = Lock(false)
        let test = try TestStore {
            $0.fullProbeMilliseconds = 20
            $0.commitFault = { if isFull.withLock({ $0 }) { throw StoreError.diskFull } }
        }
        isFull.withLock { $0 = true }
        await #expect(throws: StoreError.diskFull) { try await test.account() }
        #expect(test.store.room == .none && test.store.state == .open)
        isFull.withLock { $0 = false }
        for _ in 0..<200 where test.store.room != .enough { try await Task.sleep(for: .milliseconds(20)) }
        #expect(test.store.room == .enough)
    }

    @Test func mailIsRefusedBeforeTheDiskIsFull() async throws {
        let test = try TestStore { $0.minimumFreeOctets = .max }
        #expect(throws: StoreError.diskFull) { try test.store.checkRoom() }
        guard case .short(let free) = test.store.room else {
            Issue.record("\(test.store.room)")
            return
        }
        #expect(free > 0)
        // What is there can still be changed.
        _ = try await test.account()
        let roomy = try TestStore { $0.minimumFreeOctets = 1 }
        try roomy.store.checkRoom()
        #expect(throws: StoreError.diskFull) { try roomy.store.checkRoom(for: .max) }
        #expect(roomy.store.room == .enough)
    }

    @Test func aBodyThatCouldNotBeMadeLastingClosesTheDoor() async throws {
        let isBroken = Lock(false)
        let test = try TestStore {
            $0.reopenMilliseconds = 50
            $0.commitFault = { if isBroken.withLock({ $0 }) { throw StoreError.failed("still broken") } }
        }
        let account = try await test.account()
        isBroken.withLock { $0 = true }
        test.store.writer.fail(.failed("fsync: Input/output error"))
        await #expect(throws: StoreError.failed("fsync: Input/output error")) {
            try await test.store.write { try $0.accounts.delete(account.key) }
        }
        isBroken.withLock { $0 = false }
        for _ in 0..<100 where test.store.state != .open { try await Task.sleep(for: .milliseconds(50)) }
        _ = try await test.store.write { try $0.accounts.delete(account.key) }
        #expect(test.store.statistics().reopenings == 1)
    }

    @Test func aStoreWhoseBodyIsGoneIsNotOpenedAgain() async throws {
        let test = try TestStore { $0.reopenMilliseconds = 20 }
        let inbox = try await test.folder(.inbox, of: try await test.account())
        let text = String(repeating: "x", count: Int(SpooledBody.largestInRow) + 1)
        try await test.deliver(text, to: inbox)
        let body = try #require(try test.store.bodies.beginSweep().first)
        let path = test.store.bodies.path(of: body)
        try Files.rename(path, to: path + ".away")
        test.store.writer.fail(.failed("fsync: Input/output error"))
        try await Task.sleep(for: .milliseconds(300))
        #expect(test.store.state != .open)
        try Files.rename(path + ".away", to: path)
        for _ in 0..<100 where test.store.state != .open { try await Task.sleep(for: .milliseconds(50)) }
        #expect(test.store.state == .open)
    }

    /// What a deleted account held goes piece by piece: whoever looks in between finds nothing wrong.
    @Test func anAccountThatIsHalfRemovedIsSound() async throws {
        let test = try TestStore()
        let account = try await test.account()
        let inbox = try await test.folder(.inbox, of: account)
        for number in 0..<3 { try await test.deliver("number \(number)", to: inbox) }
        try await test.store.write { try $0.accounts.delete(account.key) }
        for _ in 0..<10 {
            _ = try await test.store.write { try $0.accounts.purge(limit: 1) }
            try await test.expectSound()
        }
    }

    @Test func aReadThatTakesLongIsRepeatedOnAReaderThread() async throws {
        let test = try TestStore { $0.quickReadMilliseconds = 1 }
        let threads = Lock<[UInt]>([])
        let sum = try await test.store.read { snapshot in
            threads.withLock { $0.append(UInt(pthread_self())) }
            return try snapshot.connection.first(
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000) SELECT sum(x) FROM c"
            ) { $0.int64(0) }
        }
        #expect(sum == 500_000_500_000)
        #expect(Set(threads.withLock { $0 }).count == 2)
    }

    @Test func aReadHasAnEnd() async throws {
        let test = try TestStore {
            $0.quickReadMilliseconds = 1
            $0.longReadMilliseconds = 50
        }
        await #expect(throws: StoreError.tooSlow) {
            try await test.store.read { snapshot in
                try snapshot.connection.first(
                    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c"
                ) { $0.int64(0) }
            }
        }
        // The connection is as good as before.
        #expect(try await test.store.read { try $0.accounts.list(limit: 1) }.isEmpty)
    }
}
