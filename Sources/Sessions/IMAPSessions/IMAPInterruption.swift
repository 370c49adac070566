// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets

/// Ends the IDLE of a session from wherever one is.
package final class IMAPInterruption: Sendable {
    private struct State {
        var isWanted = false
        var isWaiting = false
    }

    private let socket: StreamSocket
    private let state = Lock(State())

    init(_ socket: StreamSocket) { self.socket = socket }

    /// The IDLE under way ends, or the next one at its beginning.
    package func interrupt() {
        state.withLock { $0.isWanted = true }
        let (socket, state) = (socket, state)
        // Waiting ends where the time is up.
        socket.loop.post {
            if state.withLock({ $0.isWanted && $0.isWaiting }) { socket.setDeadline(socket.loop.now) }
        }
    }

    var isWanted: Bool { state.withLock { $0.isWanted } }

    /// The session waits for news, or does not any more.
    func setWaiting(_ isWaiting: Bool) { state.withLock { $0.isWaiting = isWaiting } }

    /// The IDLE is over.
    func settle() { state.withLock { $0 = State() } }
}
