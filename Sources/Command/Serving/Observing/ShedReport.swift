// SPDX-License-Identifier: Apache-2.0

internal import Logging
internal import Metrics

/// Writes to the log what was shed and why: one line for each reason in ten seconds, however much it was.
///
/// It is used by one task.
final class ShedReport {
    private static let quietNanoseconds: UInt64 = 10_000_000_000
    /// What is no shedding: clients that were idle or went away.
    private static let ordinary: Set<String> = ["idle"]

    private struct Line {
        var reported: UInt64 = 0
        var at: UInt64?
    }

    private let families: [(what: String, counters: Counters)]
    private let logger: Logger
    private var lines: [[String]: Line] = [:]

    init(_ registry: MetricsRegistry, _ families: [(what: String, name: String)], logger: Logger) {
        self.families = families.compactMap { family in registry.known(family.name).map { (family.what, $0) } }
        self.logger = logger
    }

    /// Looks at the counters; `now` is of the monotonic clock.
    func look(at now: UInt64) {
        for (what, counters) in families {
            for (labels, count) in counters.samples where labels.allSatisfy({ !Self.ordinary.contains($0.1) }) {
                look(what, labels, count, now)
            }
        }
    }

    private func look(_ what: String, _ labels: [(String, String)], _ count: UInt64, _ now: UInt64) {
        let key = [what] + labels.map(\.1)
        var line = lines[key] ?? Line()
        guard count > line.reported, line.at.map({ now &- $0 >= Self.quietNanoseconds }) ?? true else { return }
        var facts: Logger.Metadata = ["what": "\(what)", "count": .stringConvertible(count - line.reported)]
        for (name, value) in labels { facts[name] = "\(value)" }
        logger.warning("shed", metadata: facts)
        line.reported = count
        line.at = now
        lines[key] = line
    }
}
