// SPDX-License-Identifier: Apache-2.0

internal import Runtime
internal import Synchronization

/// Something counted since the process began.
///
/// Adding costs one atomic instruction, on any thread.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    package init() {}

    package func add(_ amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    package var value: UInt64 { count.load(ordering: .relaxed) }
}

/// Counters of one name, told apart by the values of their labels.
package final class Counters: Sendable {
    /// Values beyond so many combinations are counted together, under `other`: nothing from outside makes metrics grow
    /// without bound.
    private static let capacity = 1000

    private let labels: [String]
    private let children = Lock<[[String]: Counter]>([:])

    init(labels: [String]) { self.labels = labels }

    /// The counter of these values, one for each label; made when it is first asked for.
    ///
    /// It takes a short lock: where that is too much, keep the counter.
    package subscript(_ values: String...) -> Counter {
        precondition(values.count == labels.count, "one value for each label")
        return children.withLock { children in
            if let counter = children[values] { return counter }
            let key = children.count < Self.capacity ? values : values.map { _ in "other" }
            if let counter = children[key] { return counter }
            let counter = Counter()
            children[key] = counter
            return counter
        }
    }

    /// In the order of the labels' values.
    package var samples: [(labels: [(String, String)], value: UInt64)] {
        children.withLock { $0 }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { (Array(zip(labels, $0.key)), $0.value.value) }
    }
}
