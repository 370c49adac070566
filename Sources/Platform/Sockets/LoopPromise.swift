// SPDX-License-Identifier: Apache-2.0

/// One task of a loop that waits for one outcome, which may also be that time was up or that the task was cancelled.
package final class LoopPromise<Outcome: Sendable>: @unchecked Sendable {
    // Sound: used on the loop's thread only; others reach it through `loop.post`.
    private let cancelled: Outcome
    private var outcome: Outcome
    private var continuation: UnsafeContinuation<Void, Never>?
    private var timer: LoopTimer?

    /// `cancelled` is the outcome when the task is cancelled first.
    package init(cancelled: Outcome) {
        self.cancelled = cancelled
        outcome = cancelled
    }

    /// Somebody waits still.
    package var isPending: Bool { continuation != nil }

    /// Calls `begin`, unless the task is cancelled already, and returns what ``end(_:)`` is given.
    ///
    /// Once, by a task of `loop`. With a limit: ends with its outcome after so many milliseconds.
    package func wait(
        on loop: EventLoop,
        limit: (milliseconds: Int, outcome: Outcome)? = nil,
        _ begin: () -> Void
    ) async -> Outcome {
        precondition(loop.isCurrent)
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                guard !Task.isCancelled else { return continuation.resume() }
                self.continuation = continuation
                if let limit {
                    timer = loop.schedule(afterMilliseconds: limit.milliseconds) { self.end(limit.outcome) }
                }
                begin()
            }
        } onCancel: {
            loop.post { self.end(self.cancelled) }
        }
        return outcome
    }

    /// Lets the task go on with this outcome; only the first counts.
    package func end(_ outcome: Outcome) {
        guard let continuation = continuation.take() else { return }
        self.outcome = outcome
        timer?.cancel()
        timer = nil
        continuation.resume()
    }
}
