// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// One value for each loop, made when it is first asked for there: pools, caches, a database connection.
///
/// No locks, since each value is seen by its loop's thread only.
package final class LoopLocal<Value: AnyObject>: Sendable {
    private let slot = LoopLocalSlots.next()
    private let make: @Sendable (EventLoop) -> Value

    package init(_ make: @escaping @Sendable (EventLoop) -> Value) { self.make = make }

    /// The loop's value.
    ///
    /// On the loop's thread.
    package subscript(loop: EventLoop) -> Value {
        precondition(loop.isCurrent)
        if slot < loop.locals.count, let value = loop.locals[slot] { return unsafeDowncast(value, to: Value.self) }
        let value = make(loop)
        while loop.locals.count <= slot { loop.locals.append(nil) }
        loop.locals[slot] = value
        return value
    }
}

/// Numbers for the loop-local values of the process.
private enum LoopLocalSlots {
    private static let count = Atomic<Int>(0)
    static func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
}
