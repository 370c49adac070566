// SPDX-License-Identifier: Apache-2.0

/// How long something took, by buckets.
///
/// Adding costs two atomic instructions, on any thread.
package final class Histogram: Sendable {
    /// Upper bounds of the buckets, in nanoseconds, from a tenth of a millisecond to ten seconds; the last bucket has none.
    package static let bounds: [UInt64] = [
        100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 1_000_000_000, 10_000_000_000,
    ]

    /// The number of the bucket that so many nanoseconds belong to.
    package static func bucket(nanoseconds: UInt64) -> Int {
        nanoseconds <= 100_000 ? 0 : bounds.firstIndex { nanoseconds <= $0 } ?? bounds.count
    }

    private let buckets = (0...bounds.count).map { _ in Counter() }
    private let nanoseconds = Counter()

    package init() {}

    package func add(nanoseconds: UInt64) {
        buckets[Self.bucket(nanoseconds: nanoseconds)].add()
        self.nanoseconds.add(nanoseconds)
    }

    package var durations: Durations { Durations(buckets: buckets.map(\.value), nanoseconds: nanoseconds.value) }
}

/// What a histogram holds at one moment.
package struct Durations: Hashable, Sendable {
    /// One for each bound, and one above them.
    package var buckets: [UInt64]
    package var nanoseconds: UInt64

    package init(
        buckets: [UInt64] = [UInt64](repeating: 0, count: Histogram.bounds.count + 1),
        nanoseconds: UInt64 = 0
    ) {
        self.buckets = buckets
        self.nanoseconds = nanoseconds
    }

    package mutating func add(nanoseconds: UInt64) {
        buckets[Histogram.bucket(nanoseconds: nanoseconds)] &+= 1
        self.nanoseconds &+= nanoseconds
    }

    package mutating func add(_ other: Durations) {
        for (index, count) in other.buckets.enumerated() { buckets[index] &+= count }
        nanoseconds &+= other.nanoseconds
    }
}

extension MetricsWriter {
    /// The samples of one histogram, behind its ``family(_:_:_:)``.
    ///
    /// - Parameter bounds: of the buckets but the last, in nanoseconds.
    package mutating func histogram(
        _ name: String,
        _ labels: [(String, String)] = [],
        _ durations: Durations,
        bounds: [UInt64] = Histogram.bounds
    ) {
        precondition(durations.buckets.count == bounds.count + 1)
        var sum: UInt64 = 0
        for (bound, count) in zip(bounds, durations.buckets) {
            sum &+= count
            sample(name + "_bucket", labels + [("le", Self.bound(nanoseconds: bound))], sum)
        }
        sum &+= durations.buckets.last ?? 0
        sample(name + "_bucket", labels + [("le", "+Inf")], sum)
        sample(name + "_sum", labels, text: Self.seconds(nanoseconds: durations.nanoseconds))
        sample(name + "_count", labels, sum)
    }

    /// With a fraction, as OpenMetrics asks for.
    private static func bound(nanoseconds: UInt64) -> String {
        let text = seconds(nanoseconds: nanoseconds)
        return text.utf8.contains(0x2E) ? text : text + ".0"
    }
}
