// SPDX-License-Identifier: Apache-2.0

import Runtime

/// Somebody who sleeps until there is something to do: signals that come while he is awake are not lost.
package final class Wakeup: Sendable {
    private struct State {
        var isSignalled = false
        var sleeper: UnsafeContinuation<Void, Never>?
        /// Tells a timer whether the sleep it belongs to is still the present one.
        var sleeps = 0
    }

    private let state = Lock(State())

    package init() {}

    /// From any thread.
    package func signal() {
        let sleeper = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            if state.sleeper == nil { state.isSignalled = true }
            return state.sleeper.take()
        }
        sleeper?.resume()
    }

    /// Sleeps until a signal, one that came since the last sleep included, or so long; on `loop`, whose task this is.
    package func sleep(milliseconds: Int, on loop: EventLoop) async {
        var timer: LoopTimer?
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                let sleep = state.withLock { state -> Int? in
                    state.sleeps += 1
                    guard !state.isSignalled else { return nil }
                    state.sleeper = continuation
                    return state.sleeps
                }
                guard let sleep else { return continuation.resume() }
                timer = loop.schedule(afterMilliseconds: milliseconds) { self.end(sleep) }
            }
        } onCancel: {
            signal()
        }
        timer?.cancel()
        state.withLock { $0.isSignalled = false }
    }

    private func end(_ sleep: Int) {
        let sleeper = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            state.sleeps == sleep ? state.sleeper.take() : nil
        }
        sleeper?.resume()
    }
}
