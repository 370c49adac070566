// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Metrics

@Suite struct MetricsRegistryTests {
    private func text(_ registry: MetricsRegistry, _ format: MetricsWriter.Format = .prometheus) async -> String {
        String(decoding: await registry.text(format).array(), as: UTF8.self)
    }

    @Test func theSameNameIsTheSameCounter() async {
        let registry = MetricsRegistry()
        registry.counter("postern_x_total", "Of x.").add()
        registry.counter("postern_x_total", "Of x.").add(2)
        #expect(
            await text(registry) == "# HELP postern_x_total Of x.\n# TYPE postern_x_total counter\npostern_x_total 3\n"
        )
    }

    @Test func labelsAreEscapedAndInOrder() async {
        let registry = MetricsRegistry()
        let counters = registry.counters("postern_x_total", "Of x.", labels: "a", "b")
        counters["2", "q\"\\\n"].add()
        counters["1", "x"].add(5)
        #expect(
            await text(registry).hasSuffix(
                """
                postern_x_total{a="1",b="x"} 5
                postern_x_total{a="2",b="q\\"\\\\\\n"} 1

                """
            )
        )
    }

    @Test func labelsDoNotGrowWithoutBound() async {
        let registry = MetricsRegistry()
        let counters = registry.counters("postern_x_total", "Of x.", labels: "a")
        for index in 0..<5000 { counters["\(index)"].add() }
        let lines = await text(registry).split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.count == 1001)
        #expect(lines.contains("postern_x_total{a=\"other\"} 4000"))
    }

    @Test func aHistogramIsCumulative() async {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("postern_x_seconds", "Of x.")
        for nanoseconds in [1, 100_000, 100_001, 20_000_000_000] as [UInt64] { histogram.add(nanoseconds: nanoseconds) }
        let lines = await text(registry).split(separator: "\n")
        #expect(lines.contains("postern_x_seconds_bucket{le=\"0.0001\"} 2"))
        #expect(lines.contains("postern_x_seconds_bucket{le=\"10.0\"} 3"))
        #expect(lines.contains("postern_x_seconds_bucket{le=\"+Inf\"} 4"))
        #expect(lines.contains("postern_x_seconds_sum 20.000200002"))
        #expect(lines.contains("postern_x_seconds_count 4"))
    }

    @Test func openMetricsNamesCountersWithoutTheirSuffixAndEnds() async {
        let registry = MetricsRegistry()
        registry.counter("postern_x_total", "Of x.").add()
        registry.collect { writer in writer.gauge("postern_y", "Of y.", nanoseconds: 1_500_000_000) }
        #expect(
            await text(registry, .openMetrics) == """
                # HELP postern_x Of x.
                # TYPE postern_x counter
                postern_x_total 1
                # HELP postern_y Of y.
                # TYPE postern_y gauge
                postern_y 1.5
                # EOF

                """
        )
    }

    @Test(arguments: [
        (0, "0"), (1, "0.000000001"), (250_000, "0.00025"), (2_000_000_000, "2"), (1_010_000_000, "1.01"),
    ])
    func secondsAreExact(_ nanoseconds: UInt64, _ text: String) {
        #expect(MetricsWriter.seconds(nanoseconds: nanoseconds) == text)
    }
}
