// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import Runtime
import Storage

/// `GET /metrics`: counters and gauges, for Prometheus.
enum GetMetrics {
    static let operation = Operation("getMetrics", .get, "/metrics", scope: nil) { call in
        try call.refuseParameters()
        try await call.api.authorizeMetrics(call.exchange)
        let store = call.store
        // It asks the file system.
        let statistics = try await call.api.workers.run { store.statistics() }
        try await call.exchange.respond(
            HTTPResponse(.ok, contentType: "text/plain; version=0.0.4; charset=utf-8"),
            body: call.api.metrics.text { statistics.write(to: &$0) }
        )
    }
}
