// SPDX-License-Identifier: Apache-2.0

import Runtime

/// One task waits for one outcome, which any thread may bring, once.
final class OneShot<Outcome: Sendable>: Sendable {
    private struct State {
        var continuation: UnsafeContinuation<Outcome, Never>?
        var outcome: Outcome?
    }

    private let state = Lock(State())

    /// The outcome; `cancelled` where the task is cancelled before it.
    func wait(cancelled: Outcome) async -> Outcome {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Outcome, Never>) in
                let outcome = state.withLock { state -> Outcome? in
                    if state.outcome == nil { state.continuation = continuation }
                    return state.outcome
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            end(cancelled)
        }
    }

    /// Only the first outcome counts; false for another.
    @discardableResult
    func end(_ outcome: Outcome) -> Bool {
        let (isFirst, continuation) = state.withLock { state -> (Bool, UnsafeContinuation<Outcome, Never>?) in
            guard state.outcome == nil else { return (false, nil) }
            state.outcome = outcome
            return (true, state.continuation.take())
        }
        continuation?.resume(returning: outcome)
        return isFirst
    }
}
