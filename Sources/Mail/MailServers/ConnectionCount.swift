// SPDX-License-Identifier: Apache-2.0

import Runtime

/// How many connections a listener serves now.
final class ConnectionCount: Sendable {
    private let count = Lock(0)
    var value: Int { count.withLock { $0 } }
    func add(_ change: Int) { count.withLock { $0 += change } }
}
