// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Sockets

@Suite struct TimerWheelTests {
    private final class Alarm: LoopMember {
        let time: UInt64
        init(_ time: UInt64) {
            self.time = time
            super.init()
        }
    }

    private static let start: UInt64 = 5_000_000_123

    @Test func callsEachOnceNeverEarlyAndAtMostATickLate() {
        var random = SystemRandomNumberGenerator()
        var wheel = TimerWheel(now: Self.start)
        // Up to three turns of the wheel ahead.
        let alarms = (0..<2000).map { _ in Alarm(Self.start + .random(in: 0...26_000_000_000, using: &random)) }
        for alarm in alarms { wheel.insert(alarm, at: alarm.time) }
        var now = Self.start
        var called: [ObjectIdentifier: UInt64] = [:]
        while called.count < alarms.count, now < Self.start + 30_000_000_000 {
            now += .random(in: 0...20_000_000, using: &random)
            let previous = now
            wheel.advance(to: now)
            while let member = wheel.nextDue() {
                #expect(called.updateValue(previous, forKey: ObjectIdentifier(member)) == nil)
            }
        }
        for alarm in alarms {
            let time = called[ObjectIdentifier(alarm)] ?? 0
            #expect(time >= alarm.time && time <= alarm.time + TimerWheel.tickNanoseconds + 20_000_000)
        }
        #expect(wheel.millisecondsUntilNext(now) == -1)
    }

    @Test func removedAndMovedMembersAreNotCalledAtTheirOldTime() {
        var wheel = TimerWheel(now: Self.start)
        let removed = Alarm(Self.start + 50_000_000)
        let moved = Alarm(Self.start + 50_000_000)
        let neighbour = Alarm(Self.start + 50_000_000)
        for alarm in [removed, moved, neighbour] { wheel.insert(alarm, at: alarm.time) }
        wheel.remove(removed)
        wheel.remove(removed)
        wheel.insert(moved, at: Self.start + 9_000_000_000)
        wheel.advance(to: Self.start + 100_000_000)
        #expect(wheel.nextDue() === neighbour)
        #expect(wheel.nextDue() == nil)
        wheel.advance(to: Self.start + 9_100_000_000)
        #expect(wheel.nextDue() === moved)
        #expect(wheel.nextDue() == nil)
    }

    @Test func membersDueTogetherCanRemoveEachOther() {
        var wheel = TimerWheel(now: Self.start)
        let alarms = (0..<3).map { _ in Alarm(Self.start + 20_000_000) }
        for alarm in alarms { wheel.insert(alarm, at: alarm.time) }
        wheel.advance(to: Self.start + 50_000_000)
        let first = wheel.nextDue()
        for alarm in alarms where alarm !== first { wheel.remove(alarm) }
        #expect(first != nil)
        #expect(wheel.nextDue() == nil)
    }

    @Test(arguments: [1, 7, 100, 5000, 8500, 20_000]) func waitsNoLongerThanToTheNextMember(_ milliseconds: UInt64) {
        var wheel = TimerWheel(now: Self.start)
        let alarm = Alarm(Self.start + milliseconds * 1_000_000)
        wheel.insert(alarm, at: alarm.time)
        var now = Self.start
        var turns = 0
        while turns < 10 {
            turns += 1
            let wait = wheel.millisecondsUntilNext(now)
            #expect(wait >= 0)
            now += UInt64(max(wait, 0)) * 1_000_000
            wheel.advance(to: now)
            if wheel.nextDue() === alarm { break }
        }
        #expect(now >= alarm.time && now <= alarm.time + TimerWheel.tickNanoseconds + 1_000_000)
        #expect(turns <= 4)
    }

    @Test func aLongPauseCallsEverybodyInOrder() {
        var wheel = TimerWheel(now: Self.start)
        let alarms = (0..<100).map { Alarm(Self.start + UInt64($0) * 60_000_000) }
        for alarm in alarms { wheel.insert(alarm, at: alarm.time) }
        wheel.advance(to: Self.start + 3_600_000_000_000)
        var count = 0
        while let member = wheel.nextDue() {
            #expect(member === alarms[count])
            count += 1
        }
        #expect(count == 100)
    }
}
