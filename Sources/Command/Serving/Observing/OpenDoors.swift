// SPDX-License-Identifier: Apache-2.0

internal import API
internal import Configuration
internal import Logging
internal import Metrics
internal import Runtime
internal import Sockets
internal import Transport

/// The listeners that are open, under the names the configuration gives them, and the connections they may have together.
final class OpenDoors: Sendable {
    /// Bounds the listeners of the network together; the unix socket is outside of it, so that an operator gets in.
    let budget: ConnectionBudget
    private let trusted: [AddressRange]
    private let refusals: Counters
    private let listeners = Lock<[(name: String, listener: Listener)]>([])

    init(_ settings: Settings, metrics: MetricsRegistry) throws {
        budget = ConnectionBudget(
            limit: Self.limit(settings, descriptors: Int(clamping: ProcessUsage.now().descriptorLimit))
        )
        trusted = try settings.limits.trustedNetworks.map { text in
            guard let range = AddressRange(text) else {
                throw Server.Failure(description: "limits.trustedNetworks: \(text) is no network")
            }
            return range
        }
        refusals = metrics.counters(
            "postern_connections_refused_total",
            "Connections turned away at once, by listener and the limit they met.",
            labels: "listener",
            "reason"
        )
        metrics.collect { [weak self] writer in self?.write(to: &writer) }
    }

    /// An eighth of the descriptors, and at least 96, are left for everything that is no connection.
    private static func limit(_ settings: Settings, descriptors: Int) -> Int {
        let most = max(16, descriptors - max(96, descriptors / 8))
        return settings.limits.connections == 0 ? most : min(settings.limits.connections, most)
    }

    /// Whether no limit per address binds this peer.
    func isTrusted(_ peer: SocketAddress) -> Bool { peer.path != nil || trusted.contains { $0.contains(peer) } }

    /// What a listener of the network is told besides its own limits.
    func configuration(_ name: String) -> Listener.Configuration {
        let refusals = Dictionary(
            uniqueKeysWithValues: Listener.Refusal.allCases.map { ($0, self.refusals[name, $0.rawValue]) }
        )
        return Listener.Configuration(
            isExempt: { [weak self] peer in self?.isTrusted(peer) ?? false },
            budget: budget,
            onRefusal: { reason, _ in refusals[reason]?.add() }
        )
    }

    func add(_ name: String, _ listener: Listener) { listeners.withLock { $0.append((name, listener)) } }

    // MARK: Telling

    /// For `/readyz`: whether the next connection would be accepted.
    var readinessChecks: [ReadinessCheck] {
        [
            ReadinessCheck("descriptors") { [weak self] in
                let isFamine = self?.isFamine ?? false
                return .init(isGood: !isFamine, isFamine ? "none is left: accepting has paused" : "there are some")
            },
            ReadinessCheck("connections") { [weak self] in
                guard let budget = self?.budget else { return .init(isGood: false, "the server is gone") }
                return .init(isGood: !budget.isExhausted, "\(budget.open) of at most \(budget.limit)")
            },
        ]
    }

    private var isFamine: Bool { listeners.withLock { $0 }.contains { $0.listener.counts.famine.isPresent } }

    private func write(to writer: inout MetricsWriter) {
        let counts = listeners.withLock { $0 }.map { ($0.name, $0.listener.counts) }
        func family(
            _ name: String,
            _ kind: MetricsWriter.Kind,
            _ help: String,
            _ value: (Listener.Counts) -> UInt64
        ) {
            writer.family(name, kind, help)
            for (listener, counts) in counts { writer.sample(name, [("listener", listener)], value(counts)) }
        }
        family("postern_connections", .gauge, "Connections open now.") { UInt64(clamping: $0.open) }
        family("postern_connections_accepted_total", .counter, "Connections served, those open included.") {
            $0.accepted
        }
        family("postern_tls_handshake_errors_total", .counter, "TLS handshakes with clients that failed.") {
            $0.failedHandshakes
        }
        family("postern_accept_pauses_total", .counter, "Times accepting paused because no descriptor was left.") {
            $0.famine.pauses
        }
        family("postern_accept_turned_away_total", .counter, "Connections closed unserved because that lasted.") {
            $0.famine.turnedAway
        }
        writer.gauge("postern_connections_limit", "Connections of all listeners together at most.", budget.limit)
    }
}
