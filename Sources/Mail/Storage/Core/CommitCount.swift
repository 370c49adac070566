// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How often the store's one writer has committed: who has read at a number need not look again until it is another.
final class CommitCount: Sendable {
    private let count = Atomic<UInt64>(0)

    /// Covers every commit whose callers have been told.
    var value: UInt64 { count.load(ordering: .acquiring) }

    /// To be called behind a commit, before anybody is told of it.
    func advance() { count.wrappingAdd(1, ordering: .releasing) }
}
