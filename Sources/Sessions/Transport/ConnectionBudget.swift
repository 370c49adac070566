// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The connections that several listeners may have together, so that files, the store and calls to others still find
/// descriptors when everybody connects at once.
package final class ConnectionBudget: Sendable {
    /// At most so many at a time.
    package let limit: Int
    private let taken = Atomic<Int>(0)

    package init(limit: Int) { self.limit = limit }

    /// Connections now.
    package var open: Int { taken.load(ordering: .relaxed) }
    /// Whether the next one is refused.
    package var isExhausted: Bool { open >= limit }

    /// Takes a place; false where none is left.
    func take() -> Bool {
        guard taken.wrappingAdd(1, ordering: .relaxed).newValue > limit else { return true }
        giveBack()
        return false
    }

    func giveBack() { taken.wrappingSubtract(1, ordering: .relaxed) }
}
