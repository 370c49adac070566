// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Writes samples as text, in the form that the scraper asked for.
package struct MetricsWriter: ~Copyable {
    package enum Kind: String { case counter, gauge, histogram }

    /// The two text forms that scrapers read.
    package enum Format: Sendable {
        /// Prometheus 0.0.4.
        case prometheus
        /// OpenMetrics 1.0.0.
        case openMetrics

        package var contentType: StaticString {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    private let format: Format
    private var buffer = ByteBuffer(capacity: 16 << 10)
    private static let total = "_total"

    package init(_ format: Format = .prometheus) { self.format = format }

    package consuming func finish() -> ByteBuffer {
        if format == .openMetrics { buffer.append("# EOF\n") }
        return buffer
    }

    /// Begins the samples of one name, which must follow it at once; a counter's name ends with `_total`.
    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        precondition((kind == .counter) == name.hasSuffix(Self.total), "counters, and only they, are named …_total")
        // OpenMetrics names the family of counters without the suffix of its samples.
        let family = format == .openMetrics && kind == .counter ? String(name.dropLast(Self.total.count)) : name
        buffer.append(utf8: "# HELP \(family) \(help)\n# TYPE \(family) \(kind.rawValue)\n")
    }

    package mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: some BinaryInteger) {
        sample(name, labels, text: "\(value)")
    }

    /// `value` is a number as Prometheus writes it.
    package mutating func sample(_ name: String, _ labels: [(String, String)] = [], text value: String) {
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

    /// A family of one sample without labels.
    package mutating func counter(_ name: String, _ help: String, _ value: some BinaryInteger) {
        family(name, .counter, help)
        sample(name, [], value)
    }

    /// A family of one sample without labels.
    package mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
        family(name, .gauge, help)
        sample(name, [], value)
    }

    /// A family of one sample without labels, in seconds.
    package mutating func gauge(_ name: String, _ help: String, nanoseconds: UInt64) {
        family(name, .gauge, help)
        sample(name, [], text: Self.seconds(nanoseconds: nanoseconds))
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
