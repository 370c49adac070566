// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Egress
internal import Metrics
internal import Resolver
internal import Sockets
internal import TLS
internal import Transport
internal import WebClient

/// What goes out to others' servers: one policy of where to, one way to look up names, one web client.
struct Outgoing: Sendable {
    let names: NameResolver
    /// For every HTTP request of ours.
    let web: WebClients
    /// For every connection of ours to other people's mail servers.
    let dialer: Dialer

    init(_ settings: Settings, loops: [EventLoop]) throws {
        let configuration = try settings.webClientConfiguration()
        let policy = settings.egressPolicy
        names = NameResolver(settings.resolverConfiguration, loops: loops)
        web = WebClients(configuration, policy: policy, resolver: names, loops: loops)
        let authorities = settings.egress.caFile
        dialer = Dialer(
            policy: policy,
            resolver: names,
            tls: try authorities.isEmpty ? TLSClientContext() : TLSClientContext(authoritiesPath: authorities)
        )
    }

    func report(to metrics: MetricsRegistry) {
        metrics.collect { [web, dialer] writer in
            writer.family(
                "postern_egress_blocked_total",
                .counter,
                "Requests and connections not made because of where they would go."
            )
            let refusals = web.egressRefusals.merging(dialer.egressRefusals, uniquingKeysWith: &+)
            for (reason, count) in refusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                writer.sample("postern_egress_blocked_total", [("reason", reason.rawValue)], count)
            }
        }
    }

    /// Ends what is under way; before the loops stop.
    func stop() async {
        await web.stop()
        await names.stop()
    }
}
