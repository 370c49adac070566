// SPDX-License-Identifier: Apache-2.0

import Files
import Testing

@testable import Storage

@Suite struct QuarantineSlotsTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(slots: Int = 8) throws -> QuarantineSlots {
        try QuarantineSlots(directory: directory.path, slotCount: slots)
    }

    private func hash(_ octet: UInt8) throws -> BodyHash {
        try #require(BodyHash(octets: [UInt8](repeating: octet, count: 32)))
    }

    @Test func whatIsReleasedIsReadAgainAndGuardedAgain() throws {
        let dying = try open()
        _ = try dying.enter(hash(1))
        _ = try dying.enter(hash(2))
        let next = try open()
        try next.release(hash(1))
        try next.release(hash(9))
        #expect(try !next.isQuarantined(hash(1)) && next.isQuarantined(hash(2)))
        let later = try open()
        #expect(try !later.isQuarantined(hash(1)) && later.isQuarantined(hash(2)))
        _ = try later.enter(hash(1))
        #expect(try open().isQuarantined(hash(1)))
    }

    @Test func strikesAreCountedUpToThree() throws {
        for strikes in [1, 2, 3, 3] {
            _ = try open().enter(hash(1))
            _ = try open().enter(hash(2))
            #expect(try open().strikes(of: hash(1)) == strikes)
        }
        let slots = try open()
        try slots.release(hash(1))
        #expect(try open().strikes(of: hash(1)) == 0)
    }

    @Test func whatWasLeftIsNotFound() throws {
        let slots = try open()
        let slot = try slots.enter(hash(1))
        slots.leave(slot)
        #expect(try open().found == [])
        #expect(try !open().isQuarantined(hash(1)))
    }

    /// The first object is never told that its process died, as in a crash: nothing of it runs any more.
    @Test func whatWasBeingParsedIsQuarantinedForGood() throws {
        let dying = try open()
        _ = try dying.enter(hash(1))
        let finished = try dying.enter(hash(2))
        _ = try dying.enter(hash(3))
        dying.leave(finished)

        let next = try open()
        #expect(Set(next.found) == [try hash(1), try hash(3)])
        #expect(try next.isQuarantined(hash(1)) && next.isQuarantined(hash(3)))
        #expect(try !next.isQuarantined(hash(2)))

        let later = try open()
        #expect(later.found == [])
        #expect(try later.isQuarantined(hash(1)) && later.isQuarantined(hash(3)))
    }

    @Test func theSameMessageTwiceIsFoundOnce() throws {
        let dying = try open()
        _ = try dying.enter(hash(1))
        _ = try dying.enter(hash(1))
        #expect(try open().found == [hash(1)])
    }

    @Test func fullSlotsAreRefusedAndReusedLater() throws {
        let slots = try open(slots: 2)
        let first = try slots.enter(hash(1))
        _ = try slots.enter(hash(2))
        #expect(throws: QuarantineSlots.Full.self) { try slots.enter(hash(3)) }
        slots.leave(first)
        _ = try slots.enter(hash(3))
        #expect(Set(try open(slots: 2).found) == [try hash(2), try hash(3)])
    }

    @Test func guardingLeavesWhenParsingThrows() throws {
        struct Unparsable: Error {}
        let slots = try open()
        #expect(throws: Unparsable.self) { try slots.guarding(hash(1)) { throw Unparsable() } }
        #expect(try open().found == [])
    }

    @Test func aTornEntryIsPassedOver() throws {
        let dying = try open()
        _ = try dying.enter(hash(1))
        _ = try open()
        let list = try File(directory.path + "/quarantine.hashes", .readWrite)
        try list.truncate(to: 40)
        #expect(try open().isQuarantined(hash(1)))
    }
}
