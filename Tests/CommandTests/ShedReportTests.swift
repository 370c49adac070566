// SPDX-License-Identifier: Apache-2.0

import Configuration
import Foundation
import Logging
import Metrics
import Runtime
import Testing
import Wire

@testable import Command

@Suite struct ShedReportTests {
    private let written = Lock<[[UInt8]]>([])

    private func report(_ registry: MetricsRegistry) -> ShedReport {
        let output = LogOutput(Settings().log, clock: { Timestamp(milliseconds: 0) }) { [written] line in
            let copy = line.array()
            written.withLock { $0.append(copy) }
        }
        return ShedReport(registry, [("http", "postern_x_total")], logger: output.logger("shed"))
    }

    private func counts() throws -> [Int] {
        try written.withLock { $0 }.map { line in
            let facts = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            #expect(facts["what"] as? String == "http" && facts["reason"] as? String == "rate_limited")
            return try #require(facts["count"] as? Int)
        }
    }

    @Test func saysOnceInTenSecondsHowMuchItWas() throws {
        let registry = MetricsRegistry()
        let counters = registry.counters("postern_x_total", "Of x.", labels: "reason")
        let report = report(registry)
        let second: UInt64 = 1_000_000_000
        report.look(at: 100 * second)
        counters["rate_limited"].add()
        counters["idle"].add()
        report.look(at: 101 * second)
        counters["rate_limited"].add(5)
        report.look(at: 102 * second)
        report.look(at: 110 * second)
        #expect(try counts() == [1])
        report.look(at: 111 * second)
        report.look(at: 200 * second)
        #expect(try counts() == [1, 5])
    }
}
