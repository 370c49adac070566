// SPDX-License-Identifier: Apache-2.0

import Runtime

/// Lets one task at a time do something, in the order in which they came.
///
/// Each that is done has an end of its own; how many may wait for theirs is bounded where others ask for it.
final class Turns: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    /// Throws ``RemoteError/busy(_:)`` where as many wait already as may.
    func take<R>(behind limit: Int = .max, _ body: () async throws -> R) async throws -> R {
        guard state.withLock({ $0.waiting.count < limit }) else {
            throw RemoteError.busy("Too many changes wait already.")
        }
        await enter()
        defer { leave() }
        return try await body()
    }

    private func enter() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isFree = state.withLock { state in
                guard state.isTaken else {
                    state.isTaken = true
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = state.withLock { state -> UnsafeContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
