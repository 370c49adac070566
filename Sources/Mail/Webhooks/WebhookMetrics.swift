// SPDX-License-Identifier: Apache-2.0

import Metrics
import Runtime
import Storage
import Wire

/// What is counted of webhooks.
struct WebhookMetrics: Sendable {
    private let deliveries: Counters
    private let durations: Histogram

    init(_ registry: MetricsRegistry, store: Store, clock: Clock) {
        deliveries = registry.counters(
            "postern_webhook_deliveries_total",
            "Attempts at webhooks by how they ended.",
            labels: "result"
        )
        durations = registry.histogram(
            "postern_webhook_duration_seconds",
            "From a webhook's request to the end of its answer, or its failure."
        )
        registry.collect { writer in
            guard let totals = try? await store.read({ try $0.deliveries.totals() }) else { return }
            Self.write(totals, at: Timestamp(milliseconds: clock.now()), to: &writer)
        }
    }

    /// An attempt came to nothing before a request was made.
    func countUnsent() { deliveries["unsent"].add() }

    func count(_ result: String, nanoseconds: UInt64) {
        deliveries[result].add()
        durations.add(nanoseconds: nanoseconds)
    }

    private static func write(_ totals: DeliveryTotals, at now: Timestamp, to writer: inout MetricsWriter) {
        let backlog = "postern_webhook_backlog"
        writer.family(backlog, .gauge, "Events that webhooks have not settled, by state.")
        writer.sample(backlog, [("state", "waiting")], totals.waiting)
        for state in [DeliveryState.pending, .failed] {
            writer.sample(backlog, [("state", state.rawValue)], totals.rows[state] ?? 0)
        }
        let age = totals.oldest.map { max(now.milliseconds - $0.milliseconds, 0) / 1000 } ?? 0
        writer.gauge("postern_webhook_oldest_age_seconds", "Age of the oldest event not settled.", age)
        writer.gauge(
            "postern_webhook_disabled_endpoints",
            "Webhooks disabled because their receiver is gone.",
            totals.webhooks[.disabled] ?? 0
        )
    }
}
