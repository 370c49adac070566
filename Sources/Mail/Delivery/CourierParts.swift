// SPDX-License-Identifier: Apache-2.0

package import Backends
package import Intake
package import Logging
package import MailTypes
package import Metrics
package import Runtime
package import SMTPSessions
import Sockets
package import Storage
package import Transport
import Wire

/// How the outbox is emptied.
package struct CourierLimits: Sendable {
    package var schedule = DeliverySchedule.standard
    /// Connections of one account at a time.
    package var connectionsPerAccount = 4
    /// How long one is kept that has nothing to do.
    package var idleMilliseconds = 30_000
    /// Recipients of one message that are sent together.
    package var recipientsPerMessage = 100
    /// Messages over one connection.
    package var messagesPerConnection = 500
    /// After a login that was refused: until the next, and then doubled, up to an hour.
    package var loginDelayMilliseconds: Int64 = 60_000
    /// How often it is looked for accounts that something waits for, in case nobody told.
    package var lookMilliseconds = 5000
    package var patience = SMTPClientPatience()
    /// How many times faster than time the clock of the schedules runs.
    package var clockRate = 1

    package init() {}
}

/// What every account's courier works with.
package struct CourierParts: Sendable {
    package let store: Store
    package let reader: any MessageReading
    package let routes: SubmissionRoutes
    /// Is told that something may have been filed in an account.
    let noteFiled: @Sendable (AccountKey) -> Void
    package let dialer: Dialer
    package let ledger: HostLedger
    /// What we call ourselves.
    package let hostname: Domain
    package let limits: CourierLimits
    package let clock: Clock
    package let logger: Logger
    let metrics: CourierMetrics

    package init(
        store: Store,
        reader: any MessageReading,
        routes: @escaping SubmissionRoutes,
        noteFiled: @escaping @Sendable (AccountKey) -> Void = { _ in },
        dialer: Dialer,
        ledger: HostLedger,
        hostname: Domain,
        limits: CourierLimits,
        metrics: MetricsRegistry,
        clock: Clock,
        logger: Logger
    ) {
        self.store = store
        self.reader = reader
        self.routes = routes
        self.noteFiled = noteFiled
        self.dialer = dialer
        self.ledger = ledger
        self.hostname = hostname
        self.limits = limits
        self.clock = clock
        self.logger = logger
        self.metrics = CourierMetrics(metrics, ledger: ledger)
    }

    var now: Timestamp { Timestamp(milliseconds: clock.now()) }

    /// Real milliseconds that so many of the schedules' clock take.
    func real(_ milliseconds: Int64) -> Int { Int(clamping: min(milliseconds, 1 << 50) / Int64(limits.clockRate) + 1) }
}

/// What is counted of deliveries.
struct CourierMetrics: Sendable {
    private let deliveries: Counters
    private let durations: Histogram

    init(_ registry: MetricsRegistry, ledger: HostLedger) {
        deliveries = registry.counters(
            "postern_queue_deliveries_total",
            "Tries to deliver to a recipient by how they ended.",
            labels: "result"
        )
        durations = registry.histogram(
            "postern_smtp_client_message_seconds",
            "From a message's MAIL to the answer to its end."
        )
        registry.collect { writer in
            let standings = ledger.standings
            writer.gauge(
                "postern_smtp_client_connections",
                "Connections to servers that take our mail.",
                standings.reduce(0) { $0 + $1.open }
            )
            writer.family(
                "postern_smtp_client_hosts",
                .gauge,
                "Servers that take our mail, by whether they can be had."
            )
            for circuit in HostLedger.Standing.Circuit.allCases {
                let count = standings.count { $0.circuit == circuit }
                writer.sample("postern_smtp_client_hosts", [("circuit", circuit.rawValue)], count)
            }
        }
    }

    func count(_ state: RecipientState) { deliveries[state.rawValue].add() }
    func add(nanoseconds: UInt64) { durations.add(nanoseconds: nanoseconds) }
}
