// SPDX-License-Identifier: Apache-2.0

/// Values that one borrower at a time uses, such as connections that know no locks.
///
/// The one given back last is lent first, so that what is warm stays in use. There are as many as were ever lent at once.
public final class LendingPool<Value>: @unchecked Sendable {
    // Sound: a value is either in `idle` or in the hands of one borrower, and the lock orders one borrower's use before the
    // next one's.
    @usableFromInline struct Passed: @unchecked Sendable {
        @usableFromInline let value: Value
        @usableFromInline init(value: Value) { self.value = value }
    }
    @usableFromInline struct State {
        @usableFromInline var idle: [Passed] = []
        @usableFromInline var generation = 0
    }

    @usableFromInline let state = Lock(State())

    public init() {}

    /// Lends a value, made first when none is idle, for the time of `body`.
    ///
    /// `settle`, which must be short, is called when it comes back: either before ``withIdle(_:)`` is called, which then
    /// finds it, or behind it.
    @inlinable public func lend<R: ~Copyable>(
        make: () throws -> Value,
        settle: (Value) -> Void = { _ in },
        _ body: (Value) throws -> R
    ) throws -> R {
        let (taken, generation) = state.withLock { ($0.idle.popLast(), $0.generation) }
        let passed = try taken ?? Passed(value: make())
        defer {
            state.withLock { state in
                settle(passed.value)
                if state.generation == generation { state.idle.append(passed) }
            }
        }
        return try body(passed.value)
    }

    /// Calls `body`, which must be short, with each value that is idle; none is lent meanwhile.
    public func withIdle(_ body: (Value) -> Void) {
        state.withLock { for passed in $0.idle { body(passed.value) } }
    }

    /// Lets go of all values: the idle ones now, those lent out when they come back.
    public func clear() {
        let idle = state.withLock { state in
            state.generation += 1
            defer { state.idle = [] }
            return state.idle
        }
        _ = idle
    }
}
