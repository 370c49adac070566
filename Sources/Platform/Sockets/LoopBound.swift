// SPDX-License-Identifier: Apache-2.0

/// Something that several tasks of one loop share, and nobody else: they need no locks, since a loop is one thread.
package final class LoopBound<Value: AnyObject>: @unchecked Sendable {
    // Sound: the value is touched on the loop's thread only, which is checked.
    package let loop: EventLoop
    private let bound: Value

    package init(_ value: sending Value, to loop: EventLoop) {
        self.loop = loop
        bound = value
    }

    /// On the loop's thread.
    package var value: Value {
        precondition(loop.isCurrent, "this belongs to a loop")
        return bound
    }
}
