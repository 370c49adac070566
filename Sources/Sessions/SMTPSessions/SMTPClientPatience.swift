// SPDX-License-Identifier: Apache-2.0

package import SMTP

/// How long a client waits for a server.
package struct SMTPClientPatience: Hashable, Sendable {
    /// For a connection: looking the name up, connecting and, where it comes first, TLS.
    package var connectMilliseconds = 30_000
    /// For a handshake behind STARTTLS.
    package var handshakeMilliseconds = 30_000
    /// For the answer to QUIT, which nobody needs.
    package var quitMilliseconds = 1000
    /// For each reply of a phase, or for the server to take a piece of a text.
    private var milliseconds: [SMTPClientPhase: Int] = [:]

    /// What RFC 5321 §4.5.3.2 asks for.
    package init() {}

    /// Of one phase, in milliseconds.
    package subscript(phase: SMTPClientPhase) -> Int {
        get { milliseconds[phase] ?? phase.patienceSeconds * 1000 }
        set { milliseconds[phase] = newValue }
    }

    /// No phase has more than this.
    package func capped(atMilliseconds limit: Int) -> SMTPClientPatience {
        var capped = self
        for phase in SMTPClientPhase.allCases { capped[phase] = min(self[phase], limit) }
        capped.connectMilliseconds = min(connectMilliseconds, limit)
        capped.handshakeMilliseconds = min(handshakeMilliseconds, limit)
        capped.quitMilliseconds = min(quitMilliseconds, limit)
        return capped
    }
}
