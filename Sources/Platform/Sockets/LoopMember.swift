// SPDX-License-Identifier: Apache-2.0

/// Something an event loop calls back: when its descriptor is ready, when its time has come.
///
/// Used on the loop's thread only.
package class LoopMember {
    /// Neighbours in the timer wheel's slot, which holds no reference: whoever is in the wheel leaves it before it goes away.
    unowned(unsafe) final var previous: LoopMember?
    unowned(unsafe) final var next: LoopMember?
    /// The wheel's tick at which it is due; `TimerWheel.never` while it is not in the wheel.
    final var dueTick = TimerWheel.never
    /// The slot it is in.
    final var slot: Int32 = 0

    init() {}

    /// The descriptor it was registered with is ready for these epoll events.
    func ready(_ events: UInt32) {}

    /// The time it was put into the wheel for has come.
    ///
    /// It is in the wheel no more.
    func due() {}
}
