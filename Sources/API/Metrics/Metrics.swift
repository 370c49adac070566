// SPDX-License-Identifier: Apache-2.0

package import HTTP
import HTTPServer
import Runtime
package import Wire

/// What is counted and measured, in the text format of Prometheus 0.0.4.
///
/// The HTTP server tells it of each request; others add what they know by ``addCollector(_:)``.
package final class Metrics: HTTPObserver {
    /// Upper bounds of the duration buckets, in nanoseconds; the last bucket has none.
    private static let bounds: [UInt64] = [
        100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 1_000_000_000, 10_000_000_000,
    ]

    /// A route by the address of its template: templates are literals, and there is one of each.
    private struct RequestKey: Hashable {
        let method: HTTPMethod
        let route: UInt
        let status: UInt16
    }

    private struct RouteKey: Hashable {
        let method: HTTPMethod
        let route: UInt
    }

    private struct Durations {
        var buckets = InlineArray<14, UInt64>(repeating: 0)
        var nanoseconds: UInt64 = 0
        var count: UInt64 = 0

        mutating func add(_ nanoseconds: UInt64, bucket: Int) {
            buckets[bucket] &+= 1
            self.nanoseconds &+= nanoseconds
            count &+= 1
        }
    }

    private struct State {
        var requests: [RequestKey: UInt64] = [:]
        var durations: [RouteKey: Durations] = [:]
        var routes: [UInt: StaticString] = [:]
        var rejected: [String: UInt64] = [:]
        var received: UInt64 = 0
        var sent: UInt64 = 0
        var counters: [String: UInt64] = [:]
        var collectors: [@Sendable (inout MetricsWriter) -> Void] = []
    }

    private let state = Lock(State())

    package init() {}

    package func finished(
        method: HTTPMethod,
        route: StaticString?,
        status: HTTPStatus,
        received: UInt64,
        sent: UInt64,
        nanoseconds: UInt64
    ) {
        let place = route.map { UInt(bitPattern: $0.utf8Start) } ?? 0
        let bucket = Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count
        state.withLock { state in
            if let route, state.routes[place] == nil { state.routes[place] = route }
            state.requests[RequestKey(method: method, route: place, status: status.code), default: 0] &+= 1
            state.durations[RouteKey(method: method, route: place), default: Durations()].add(
                nanoseconds,
                bucket: bucket
            )
            state.received &+= received
            state.sent &+= sent
        }
    }

    package func rejected(reason: StaticString) {
        state.withLock { $0.rejected["\(reason)", default: 0] &+= 1 }
    }

    /// Adds one to a counter of the API's own; `name` ends with `_total` and may have labels.
    func count(_ name: String) {
        state.withLock { $0.counters[name, default: 0] &+= 1 }
    }

    /// Has `collector` write its samples whenever somebody asks for the metrics.
    ///
    /// It must be quick and not block.
    package func addCollector(_ collector: @escaping @Sendable (inout MetricsWriter) -> Void) {
        state.withLock { $0.collectors.append(collector) }
    }

    /// The text of all metrics, with what `more` adds.
    package func text(_ more: (inout MetricsWriter) -> Void = { _ in }) -> ByteBuffer {
        var writer = MetricsWriter()
        let collectors = state.withLock { state in
            Self.write(state, to: &writer)
            return state.collectors
        }
        for collector in collectors { collector(&writer) }
        more(&writer)
        return writer.finish()
    }

    private static func write(_ state: State, to writer: inout MetricsWriter) {
        func name(_ route: UInt) -> String { state.routes[route].map { "\($0)" } ?? "other" }
        writer.family("postern_http_requests_total", .counter, "Requests answered.")
        for (key, count) in state.requests {
            writer.sample(
                "postern_http_requests_total",
                [("method", "\(key.method.name)"), ("route", name(key.route)), ("code", "\(key.status)")],
                count
            )
        }
        writer.family("postern_http_request_duration_seconds", .histogram, "From a request's head to its answer's end.")
        for (key, durations) in state.durations {
            write(durations, [("method", "\(key.method.name)"), ("route", name(key.route))], to: &writer)
        }
        writer.family("postern_http_rejected_total", .counter, "Messages and connections that no operation saw.")
        for (reason, count) in state.rejected {
            writer.sample("postern_http_rejected_total", [("reason", reason)], count)
        }
        writer.family("postern_http_received_bytes_total", .counter, "Octets of request bodies.")
        writer.sample("postern_http_received_bytes_total", [], state.received)
        writer.family("postern_http_sent_bytes_total", .counter, "Octets of answers.")
        writer.sample("postern_http_sent_bytes_total", [], state.sent)
        for (name, count) in state.counters.sorted(by: { $0.key < $1.key }) {
            writer.family(name, .counter, "Counted by the API.")
            writer.sample(name, [], count)
        }
    }

    private static func write(_ durations: Durations, _ labels: [(String, String)], to writer: inout MetricsWriter) {
        let name = "postern_http_request_duration_seconds"
        var sum: UInt64 = 0
        for (index, bound) in bounds.enumerated() {
            sum &+= durations.buckets[index]
            writer.sample(name + "_bucket", labels + [("le", MetricsWriter.seconds(nanoseconds: bound))], sum)
        }
        writer.sample(name + "_bucket", labels + [("le", "+Inf")], durations.count)
        writer.sample(name + "_sum", labels, text: MetricsWriter.seconds(nanoseconds: durations.nanoseconds))
        writer.sample(name + "_count", labels, durations.count)
    }
}

/// Writes samples in the text format of Prometheus 0.0.4.
package struct MetricsWriter: ~Copyable {
    package enum Kind: String { case counter, gauge, histogram }

    private var buffer = ByteBuffer(capacity: 16 << 10)

    package init() {}

    package consuming func finish() -> ByteBuffer { buffer }

    /// Begins the samples of one name.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        buffer.append(utf8: "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n")
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: some BinaryInteger) {
        sample(name, labels, text: "\(value)")
    }

    /// `value` is a number as Prometheus writes it.
    package mutating func sample(_ name: String, _ labels: [(String, String)], text value: String) {
        buffer.append(utf8: name)
        if !labels.isEmpty {
            buffer.append("{")
            for (index, label) in labels.enumerated() {
                if index > 0 { buffer.append(",") }
                buffer.append(utf8: label.0)
                buffer.append("=\"")
                appendEscaped(label.1)
                buffer.append("\"")
            }
            buffer.append("}")
        }
        buffer.append(" ")
        buffer.append(utf8: value)
        buffer.append("\n")
    }

    private mutating func appendEscaped(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case ASCII.lf: buffer.append("\\n")
            case ASCII.quote, ASCII.backslash:
                buffer.append(ASCII.backslash)
                buffer.append(byte)
            default: buffer.append(byte)
            }
        }
    }

    /// `0.00025`.
    package static func seconds(nanoseconds: UInt64) -> String {
        let fraction = nanoseconds % 1_000_000_000
        guard fraction > 0 else { return "\(nanoseconds / 1_000_000_000)" }
        var digits = "\(1_000_000_000 + fraction)".dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(nanoseconds / 1_000_000_000).\(digits)"
    }
}
