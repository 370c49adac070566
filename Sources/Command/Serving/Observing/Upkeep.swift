// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Logging
internal import Sockets

/// What is done every second beside the requests: the log learns what was shed, the store when tokens were used.
enum Upkeep {
    private static let pauseMilliseconds = 1000

    /// Runs until it is cancelled.
    static func start(_ foundation: Server.Foundation) -> Task<Void, Never> {
        let loop = foundation.group.loops[0]
        return Task(executorPreference: loop) {
            let report = ShedReport(
                foundation.metrics,
                [
                    ("connections", "postern_connections_refused_total"), ("http", "postern_http_rejected_total"),
                ],
                logger: foundation.logs.logger("shed")
            )
            while !Task.isCancelled {
                report.look(at: loop.now)
                // A store that takes nothing has said so already; what was noted is kept for later.
                try? await foundation.tokens.keepUses()
                do { try await loop.sleep(milliseconds: pauseMilliseconds) } catch { return }
            }
            report.look(at: .max)
        }
    }
}
