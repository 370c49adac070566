// SPDX-License-Identifier: Apache-2.0

internal import Runtime
package import Wire

/// All that the process counts and measures: every part adds what it knows, `GET /metrics` writes it.
///
/// How to add a metric:
///
/// - What is counted as it happens is a ``Counter`` or a ``Histogram``: ask for it once, by name, where the part is made, and
///   keep it. Whoever asks for the same name gets the same one, so that two parts may share a name.
/// - What is known only when somebody asks (a queue's depth, a file's size) is written by a collector: ``collect(_:)``.
///
/// Names are `postern_` and words in lower case, with their unit (`_seconds`, `_bytes`), counters with `_total`
/// at the end. A label has few values, known beforehand: never an address, an id or anything else from outside.
package final class MetricsRegistry: Sendable {
    /// Writes families and their samples.
    ///
    /// It runs on an event loop for each scrape: what blocks belongs on a thread, behind an `await`.
    package typealias Collector = @Sendable (inout MetricsWriter) async -> Void

    private enum Family: Sendable {
        case counter(Counter)
        case counters(Counters)
        case histogram(Histogram)

        var kind: MetricsWriter.Kind {
            switch self {
            case .counter, .counters: .counter
            case .histogram: .histogram
            }
        }
    }

    private struct Entry: Sendable {
        let help: String
        let family: Family
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var collectors: [Collector] = []
    }

    private let state = Lock(State())

    package init() {}

    /// The counter of this name; the one there is, where somebody asked before.
    package func counter(_ name: String, _ help: String) -> Counter {
        let fresh = Entry(help: help, family: .counter(Counter()))
        guard case .counter(let counter) = entry(name, fresh).family else {
            preconditionFailure("\(name) is another kind")
        }
        return counter
    }

    /// The counters of this name, told apart by these labels.
    package func counters(_ name: String, _ help: String, labels: String...) -> Counters {
        let fresh = Entry(help: help, family: .counters(Counters(labels: labels)))
        guard case .counters(let counters) = entry(name, fresh).family else {
            preconditionFailure("\(name) is another kind")
        }
        return counters
    }

    /// The histogram of this name; it ends with `_seconds`.
    package func histogram(_ name: String, _ help: String) -> Histogram {
        let fresh = Entry(help: help, family: .histogram(Histogram()))
        guard case .histogram(let histogram) = entry(name, fresh).family else {
            preconditionFailure("\(name) is another kind")
        }
        return histogram
    }

    /// The labelled counters of this name, if somebody made them.
    package func known(_ name: String) -> Counters? {
        guard case .counters(let counters) = state.withLock({ $0.entries[name] })?.family else { return nil }
        return counters
    }

    private func entry(_ name: String, _ fresh: Entry) -> Entry {
        state.withLock { state in
            if let known = state.entries[name] { return known }
            state.entries[name] = fresh
            return fresh
        }
    }

    /// Has `collector` write its families whenever somebody asks for the metrics.
    package func collect(_ collector: @escaping Collector) {
        state.withLock { $0.collectors.append(collector) }
    }

    /// The text of all metrics.
    package func text(_ format: MetricsWriter.Format = .prometheus) async -> ByteBuffer {
        var writer = MetricsWriter(format)
        let (entries, collectors) = state.withLock { ($0.entries, $0.collectors) }
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            writer.family(name, entry.family.kind, entry.help)
            switch entry.family {
            case .counter(let counter): writer.sample(name, [], counter.value)
            case .counters(let counters):
                for sample in counters.samples { writer.sample(name, sample.labels, sample.value) }
            case .histogram(let histogram): writer.histogram(name, [], histogram.durations)
            }
        }
        for collector in collectors { await collector(&writer) }
        return writer.finish()
    }
}
