// SPDX-License-Identifier: Apache-2.0

import Files
import Runtime
import Testing
import Wire

@testable import Storage

@Suite struct SpoolTests {
    private let directory: TemporaryDirectory
    private let pool = BlockingPool(name: "test", threads: 1)

    init() throws { directory = try TemporaryDirectory() }

    private func open(fault: (@Sendable (BodyFiles.FaultPoint) throws -> Void)? = nil) throws -> BodyFiles {
        try BodyFiles(
            directory: directory.path + "/bodies",
            spoolDirectory: directory.path + "/spool",
            fault: fault
        )
    }

    private func spooled(_ octets: [UInt8], in files: BodyFiles, pieces: Int = 1000) async throws -> SpooledBody {
        let spool = Spool(files: files, pool: pool, limit: .max)
        for start in stride(from: 0, to: octets.count, by: pieces) {
            try spool.append(Array(octets[start..<min(start + pieces, octets.count)]))
        }
        #expect(spool.size == octets.count)
        return try await spool.finish()
    }

    private func octets(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

    private func spoolNames(_ files: BodyFiles) throws -> [String] { try Files.list(files.spoolDirectory) }

    /// What is left once everything was let go: a thread of the pool may hold what it did a moment longer than its caller.
    private func leftInSpool(_ files: BodyFiles) async throws -> [String] {
        for _ in 0..<2_000 where try !spoolNames(files).isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        return try spoolNames(files)
    }

    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_000])
    func whatGoesInComesOut(count: Int) async throws {
        let files = try open()
        let octets = octets(count)
        for pieces in [count + 1, 7919] {
            let body = try await spooled(octets, in: files, pieces: pieces)
            #expect(body.size == count)
            #expect(try #require(BodyHash(hexadecimal: body.hash.description)) == body.hash)
            let reader = try body.reader()
            var back = ByteBuffer()
            try reader.read(0..<Int64(count), into: &back)
            #expect(back.array() == octets)
            #expect(try body.octetsForRow() == (count <= 262_144 ? octets : nil))
            #expect(Files.exists(files.path(of: body.hash)) == (count > 262_144))
        }
        #expect(try spoolNames(files) == [])
    }

    @Test func theHashIsSHA256() async throws {
        let body = try await spooled(Array("abc".utf8), in: open())
        #expect(body.hash.description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func memoryStaysBounded() throws {
        let files = try open()
        let spool = Spool(files: files, pool: pool, limit: .max)
        try spool.append(octets(Spool.memoryOctets))
        #expect(try spoolNames(files) == [])
        try spool.append(octets(1))
        let names = try spoolNames(files)
        #expect(names.count == 1)
        try spool.append(octets(500_000))
        let written = try Files.status("\(files.spoolDirectory)/\(names[0])").size
        #expect(written > 500_000 - Int64(Spool.memoryOctets))
    }

    @Test func tooMuchIsRefusedAndNothingOfItTaken() async throws {
        let spool = Spool(files: try open(), pool: pool, limit: 10)
        try spool.append(octets(10))
        #expect(throws: BodyTooLarge(limit: 10)) { try spool.append([0]) }
        #expect(spool.size == 10)
        #expect(try await spool.finish().octetsForRow() == octets(10))
    }

    @Test(arguments: [false, true])
    func whatIsLetGoLeavesNothing(finished: Bool) async throws {
        let files = try open()
        do {
            let spool = Spool(files: files, pool: pool, limit: .max)
            try spool.append(octets(100_000))
            #expect(try spoolNames(files).count == 1)
            if finished { _ = try await spool.finish() }
        }
        #expect(try await leftInSpool(files) == [])
    }

    @Test func whatADeadProcessLeftInTheSpoolIsCleared() throws {
        let files = try open()
        _ = try File(files.spoolDirectory + "/body-lost", .createNew)
        _ = try open()
        #expect(try spoolNames(files) == [])
    }

    @Test(arguments: [BodyFiles.FaultPoint.beforeSync, .beforeRename, .beforeDirectorySync, .kept])
    func aFaultLeavesNothingOrAnOrphanForTheSweep(point: BodyFiles.FaultPoint) async throws {
        struct Fault: Error {}
        let faulty = try open { if $0 == point { throw Fault() } }
        let octets = octets(300_000)
        await #expect(throws: Fault.self) { _ = try await spooled(octets, in: faulty) }
        #expect(try await leftInSpool(faulty) == [])
        let files = try open()
        let orphans = try files.beginSweep()
        #expect(orphans.count == (point == .beforeSync || point == .beforeRename ? 0 : 1))
        for hash in orphans { #expect(try files.remove(hash)) }
        #expect(try files.beginSweep() == [])
        // The same body comes again, whatever was left of it.
        let body = try await spooled(octets, in: files)
        #expect(Files.exists(files.path(of: body.hash)))
    }

    @Test func theSweepLeavesAloneWhatIsOnItsWay() async throws {
        let files = try open()
        var body: SpooledBody? = try await spooled(octets(300_000), in: files)
        let hash = try #require(body?.hash)
        #expect(try files.beginSweep() == [hash])
        #expect(try !files.remove(hash))
        body = nil
        // Let go since the sweep began: a row may have come of it.
        #expect(try !files.remove(hash))
        #expect(try files.beginSweep() == [hash])
        #expect(try files.remove(hash))
        #expect(try !files.remove(hash))
    }

    @Test func equalBodiesShareAFile() async throws {
        let files = try open()
        let first = try await spooled(octets(300_000), in: files)
        let second = try await spooled(octets(300_000), in: files)
        #expect(first.hash == second.hash)
        #expect(try files.beginSweep().count == 1)
        #expect(try spoolNames(files) == [])
    }

    @Test func aMissingOrShortFileIsSaid() async throws {
        let files = try open()
        let body = try await spooled(octets(300_000), in: files)
        let path = files.path(of: body.hash)
        let reader = try body.reader()
        try File(path, .readWrite).truncate(to: 1000)
        #expect(throws: BodyError.truncated(body.hash, expected: 300_000, found: 1000)) { try body.reader() }
        var buffer = ByteBuffer()
        try reader.read(0..<1000, into: &buffer)
        var refusal: BodyError?
        do throws(BodyError) { try reader.read(500..<2000, into: &buffer) } catch { refusal = error }
        #expect(refusal == .truncated(body.hash, expected: 300_000, found: 1000))
        #expect(buffer.count == 1000)
        try Files.remove(path)
        #expect(throws: BodyError.missing(body.hash)) { try body.reader() }
    }

    @Test func rangesAreCutToTheBody() async throws {
        let files = try open()
        for count in [100, 300_000] {
            let octets = octets(count)
            let reader = try await spooled(octets, in: files).reader()
            var buffer = ByteBuffer()
            var got = try reader.read(Int64(count - 5)..<Int64.max, into: &buffer)
            #expect(got == 5)
            #expect(buffer.array() == Array(octets.suffix(5)))
            got = try reader.read(Int64(count)..<Int64(count + 9), into: &buffer)
            #expect(got == 0)
            got = try await reader.read(10..<20, into: &buffer, on: pool)
            #expect(got == 10)
            #expect(buffer.array() == Array(octets.suffix(5) + octets[10..<20]))
        }
    }
}
