// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Egress
internal import Metrics
internal import Resolver
internal import Sockets
internal import WebClient

/// What goes out to others' servers: one policy of where to, one way to look up names, one web client.
struct Outgoing: Sendable {
    let names: NameResolver
    /// For every HTTP request of ours.
    let web: WebClients

    init(_ settings: Settings, loops: [EventLoop]) throws {
        let configuration = try settings.webClientConfiguration()
        names = NameResolver(settings.resolverConfiguration, loops: loops)
        web = WebClients(configuration, policy: settings.egressPolicy, resolver: names, loops: loops)
    }

    func report(to metrics: MetricsRegistry) {
        metrics.collect { [web] writer in
            writer.family("postern_egress_blocked_total", .counter, "Requests not sent because of where they would go.")
            for (reason, count) in web.egressRefusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
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
