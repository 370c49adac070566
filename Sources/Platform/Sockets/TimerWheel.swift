// SPDX-License-Identifier: Apache-2.0

/// A loop's coarse clockwork: members by the tick they are due at, in as many lists as the wheel has slots.
///
/// Putting in and taking out cost a few stores; what is due beyond one turn of the wheel is passed by until its turn
/// comes.
struct TimerWheel: ~Copyable {
    /// One tick, some 8 ms: a member is called up to this much late and never early.
    static let tickNanoseconds: UInt64 = 1 << 23
    static let slotCount = 1024
    static let never = UInt64.max
    /// The list behind the slots: members taken out of them, about to be called.
    private static let dueSlot = slotCount

    private let heads: UnsafeMutablePointer<Unmanaged<LoopMember>?>
    /// One bit for each slot that is not empty.
    private let occupied: UnsafeMutablePointer<UInt64>
    private var count = 0
    /// Ticks up to this one have been called.
    private var lastTick: UInt64

    init(now: UInt64) {
        heads = .allocate(capacity: Self.slotCount + 1)
        heads.initialize(repeating: nil, count: Self.slotCount + 1)
        occupied = .allocate(capacity: Self.slotCount / 64)
        occupied.initialize(repeating: 0, count: Self.slotCount / 64)
        lastTick = now / Self.tickNanoseconds
    }

    deinit {
        heads.deallocate()
        occupied.deallocate()
    }

    /// The first tick that is not before `time`.
    static func tick(at time: UInt64) -> UInt64 { time / tickNanoseconds &+ (time % tickNanoseconds == 0 ? 0 : 1) }

    /// Puts a member in, or moves it, so that it is due at `time`.
    mutating func insert(_ member: LoopMember, at time: UInt64) {
        if member.dueTick != Self.never { remove(member) }
        let tick = max(Self.tick(at: time), lastTick &+ 1)
        member.dueTick = tick
        link(member, Int(tick % UInt64(Self.slotCount)))
    }

    /// Takes a member out, if it is in.
    mutating func remove(_ member: LoopMember) {
        guard member.dueTick != Self.never else { return }
        unlink(member)
        member.dueTick = Self.never
    }

    private mutating func link(_ member: LoopMember, _ slot: Int) {
        let head = heads[slot]?.takeUnretainedValue()
        member.slot = Int32(slot)
        member.previous = nil
        member.next = head
        head?.previous = member
        heads[slot] = .passUnretained(member)
        if slot < Self.slotCount { occupied[slot / 64] |= 1 << UInt64(slot % 64) }
        count += 1
    }

    private mutating func unlink(_ member: LoopMember) {
        let slot = Int(member.slot)
        if let previous = member.previous {
            previous.next = member.next
        } else {
            heads[slot] = member.next.map { .passUnretained($0) }
            if heads[slot] == nil, slot < Self.slotCount { occupied[slot / 64] &= ~(1 << UInt64(slot % 64)) }
        }
        member.next?.previous = member.previous
        member.next = nil
        member.previous = nil
        count -= 1
    }

    /// Moves on to `now` and gathers what is due by then, for ``nextDue()``.
    mutating func advance(to now: UInt64) {
        let tick = now / Self.tickNanoseconds
        guard tick > lastTick else { return }
        let first = lastTick &+ 1
        let last = min(tick, lastTick &+ UInt64(Self.slotCount))
        lastTick = tick
        guard count > 0 else { return }
        // Each goes to the front of the due list: the last slot first, so that the earliest member is called first.
        for passed in (first...last).reversed() { gather(Int(passed % UInt64(Self.slotCount)), through: tick) }
    }

    private mutating func gather(_ slot: Int, through tick: UInt64) {
        var member = heads[slot]?.takeUnretainedValue()
        while let current = member {
            member = current.next
            guard current.dueTick <= tick else { continue }
            unlink(current)
            link(current, Self.dueSlot)
        }
    }

    /// Takes out one member that is due, or nil when none is left.
    mutating func nextDue() -> LoopMember? {
        guard let member = heads[Self.dueSlot]?.takeUnretainedValue() else { return nil }
        remove(member)
        return member
    }

    /// How long to wait for the next slot that holds somebody, rounded up; -1 when none does.
    func millisecondsUntilNext(_ now: UInt64) -> Int32 {
        guard count > 0 else { return -1 }
        let start = Int((lastTick &+ 1) % UInt64(Self.slotCount))
        guard let distance = distanceToOccupied(from: start) else { return -1 }
        let time = (lastTick &+ 1 &+ UInt64(distance)) &* Self.tickNanoseconds
        guard time > now else { return 0 }
        return Int32(min((time &- now &+ 999_999) / 1_000_000, 60_000))
    }

    private func distanceToOccupied(from start: Int) -> Int? {
        let words = Self.slotCount / 64
        var word = occupied[start / 64] & (~0 << UInt64(start % 64))
        for step in 0...words {
            let index = (start / 64 + step) % words
            if word != 0 {
                let slot = index * 64 + word.trailingZeroBitCount
                return (slot - start + Self.slotCount) % Self.slotCount
            }
            word = occupied[(index + 1) % words]
        }
        return nil
    }
}
