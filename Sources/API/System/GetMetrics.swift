// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Metrics
import Wire

/// `GET /metrics`: counters, gauges and histograms, as Prometheus and OpenMetrics have them.
enum GetMetrics {
    static let operation = Operation("getMetrics", .get, "/metrics", scope: nil) { call in
        try call.refuseParameters()
        try await call.api.authorizeMetrics(call.exchange)
        let format = format(call.exchange.fields)
        let text = await call.api.metrics.text(format)
        try await call.exchange.respond(HTTPResponse(.ok, contentType: format.contentType), body: text)
    }

    /// OpenMetrics for those who name it; the older form for whoever takes anything.
    private static func format(_ fields: HTTPFields) -> MetricsWriter.Format {
        let choice = AcceptNegotiation.choose(among: ["text/plain", "application/openmetrics-text"], fields)
        return choice == 1 ? .openMetrics : .prometheus
    }
}
