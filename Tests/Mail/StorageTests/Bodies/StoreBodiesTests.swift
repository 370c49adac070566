// SPDX-License-Identifier: Apache-2.0

import Files
import Logging
import Runtime
import SQLite
import Testing
import Wire

@testable import Storage

@Suite struct StoreBodiesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open() throws -> Store {
        // Two hours on, so that every file is old enough to be swept.
        let later = Clock(now: { Clock.system.now() + 7_200_000 }, monotonic: Clock.system.monotonic)
        return try Store.open(StoreConfiguration(directory: directory.path), clock: later, logger: .silent)
    }

    private func octets(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

    private func spooled(_ octets: [UInt8], _ store: Store) async throws -> SpooledBody {
        let spool = store.spool()
        try spool.append(octets)
        return try await spool.finish()
    }

    /// The store lets go of its directory when it is let go itself.
    private static func closing<R>(_ store: consuming Store, _ body: (Store) async throws -> R) async throws -> R {
        let result = try await body(store)
        store.close()
        return result
    }

    private func files(_ store: Store) throws -> Int {
        try Files.list(store.bodies.directory).reduce(0) {
            try $0 + Files.list("\(store.bodies.directory)/\($1)").count
        }
    }

    @Test(arguments: [0, 10, 70_000, 262_144, 262_145, 800_000])
    func aBodyIsReadBackAfterReopening(count: Int) async throws {
        let octets = octets(count)
        let row = try await Self.closing(open()) { store in
            let body = try await spooled(octets, store)
            return try await store.write { tx in try tx.retainBody(body) }
        }
        let store = try open()
        let reader = try await store.openBody(row)
        var back = ByteBuffer()
        for start in stride(from: Int64(0), to: Int64(max(count, 1)), by: 100_000) {
            try await reader.read(start..<start + 100_000, into: &back, on: store.blocking)
        }
        #expect(back.array() == octets)
        #expect(try files(store) == (count > 262_144 ? 1 : 0))
        store.close()
    }

    @Test func aBodyNobodyHasIsUnknown() async throws {
        let store = try open()
        await #expect(throws: BodyError.unknown) { _ = try await store.openBody(7) }
        store.close()
    }

    @Test func equalBodiesShareARowUntilTheLastUserGoes() async throws {
        let store = try open()
        var rows: [Int64] = []
        for _ in 0..<2 {
            let body = try await spooled(octets(300_000), store)
            rows.append(try await store.write { tx in try tx.retainBody(body) })
        }
        let row = try #require(rows.first)
        #expect(rows == [row, row])
        try await store.write { tx in try tx.releaseBody(row) }
        #expect(try await store.sweepBodies() == 0)
        #expect(try await store.openBody(row).size == 300_000)
        try await store.write { tx in try tx.releaseBody(row) }
        await #expect(throws: BodyError.unknown) { _ = try await store.openBody(row) }
        #expect(try await store.sweepBodies() == 1)
        #expect(try files(store) == 0)
        store.close()
    }

    /// The process dies between the file's getting its name and the row's commit.
    @Test func aFileWithoutARowIsSweptAfterARestart() async throws {
        struct Dies: Error {}
        try await Self.closing(open()) { store in
            let body = try await spooled(octets(300_000), store)
            await #expect(throws: Dies.self) {
                try await store.write { tx in
                    _ = try tx.retainBody(body)
                    throw Dies()
                }
            }
            // On its way still, for all the store knows.
            let removed = try await store.sweepBodies()
            #expect(removed == 0)
        }
        let store = try open()
        #expect(try files(store) == 1)
        #expect(try await store.sweepBodies() == 1)
        #expect(try files(store) == 0)
        store.close()
    }

    @Test func aReaderOutlivesItsBody() async throws {
        let store = try open()
        let body = try await spooled(octets(300_000), store)
        let row = try await store.write { tx in try tx.retainBody(body) }
        let reader = try await store.openBody(row)
        try await store.write { tx in try tx.releaseBody(row) }
        _ = consume body
        _ = try await store.sweepBodies()
        var back = ByteBuffer()
        try reader.read(0..<300_000, into: &back)
        #expect(back.array() == octets(300_000))
        store.close()
    }

    @Test func aYoungFileIsLeftAlone() async throws {
        let directory = try TemporaryDirectory()
        let store = try Store.open(StoreConfiguration(directory: directory.path), clock: .system, logger: .silent)
        defer { store.close() }
        do {
            let spool = store.spool()
            try spool.append([UInt8](repeating: 1, count: 300_000))
            _ = try await spool.finish()
        }
        #expect(try await store.sweepBodies() == 0)
        #expect(try store.bodies.beginSweep().count == 1)
    }

    /// Bodies come and go while the sweeper runs: no row ever lacks its file.
    @Test func theSweepNeverTakesAFileThatARowHas() async throws {
        let store = try open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    for round in 0..<25 {
                        // The same few bodies again and again, so that going and coming meet.
                        let spool = store.spool()
                        try spool.append([UInt8](repeating: UInt8((worker + round) % 3), count: 300_000))
                        let body = try await spool.finish()
                        let row = try await store.write { tx in try tx.retainBody(body) }
                        #expect(try await store.openBody(row).size == 300_000)
                        try await store.write { tx in try tx.releaseBody(row) }
                    }
                }
            }
            group.addTask {
                for _ in 0..<60 { _ = try await store.sweepBodies() }
            }
            try await group.waitForAll()
        }
        _ = try await store.sweepBodies()
        #expect(try files(store) == 0)
        store.close()
    }
}
