// SPDX-License-Identifier: Apache-2.0

/// Values that one borrower at a time uses, such as connections that know no locks.
///
/// The one given back last is lent first, so that what is warm stays in use. There are as many as were ever lent at once.
package final class LendingPool<Value>: @unchecked Sendable {
    // Sound: a value is either in `idle` or in the hands of one borrower, and the lock orders one borrower's use before the
    // next one's.
    private struct Passed: @unchecked Sendable { let value: Value }
    private struct State {
        var idle: [Passed] = []
        var generation = 0
    }

    private let state = Lock(State())

    package init() {}

    /// Lends a value, made first when none is idle, for the time of `body`.
    package func lend<R: ~Copyable>(make: () throws -> Value, _ body: (Value) throws -> R) throws -> R {
        let (taken, generation) = state.withLock { ($0.idle.popLast(), $0.generation) }
        let passed = try taken ?? Passed(value: make())
        defer {
            state.withLock { if $0.generation == generation { $0.idle.append(passed) } }
        }
        return try body(passed.value)
    }

    /// Lets go of all values: the idle ones now, those lent out when they come back.
    package func clear() {
        let idle = state.withLock { state in
            state.generation += 1
            defer { state.idle = [] }
            return state.idle
        }
        _ = idle
    }
}
