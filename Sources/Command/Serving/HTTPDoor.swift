// SPDX-License-Identifier: Apache-2.0

internal import API
internal import Configuration
internal import Delivery
internal import HTTPServer
internal import Logging
internal import Runtime
internal import Sockets
internal import TLS
internal import Transport

/// The API over HTTP: on TCP for the world, and on the unix socket for our own user and root.
final class HTTPDoor: Sendable {
    private let foundation: Server.Foundation
    private let application: any HTTPApplication
    private let metrics: HTTPMetrics
    /// The server with the limits that hold for new connections; and that of the unix socket, where Host and origin do not matter.
    private let server: Lock<HTTPServer>
    private let local: HTTPServer

    init(_ foundation: Server.Foundation) throws {
        self.foundation = foundation
        metrics = HTTPMetrics(foundation.metrics)
        let (draining, settings, store) = (foundation.draining, foundation.settings, foundation.store)
        let submissions = SubmissionAgent(
            store: store,
            reader: foundation.intake,
            domains: LocalDomains(store: store, configured: try settings.configuredDomains()),
            hostname: try settings.ownDomain(),
            messageOctets: Int64(settings.limits.messageOctets)
        )
        let api = API(
            store: store,
            search: foundation.search,
            tokens: foundation.tokens,
            intake: foundation.intake,
            submissions: submissions,
            metrics: foundation.metrics,
            workers: foundation.workers,
            configuration: settings.apiConfiguration(isDraining: { draining.isSet }),
            clock: foundation.clock,
            logger: foundation.logs.logger("api")
        )
        application = api
        server = Lock(Self.makeServer(foundation.settings.httpConfiguration, foundation, api, metrics))
        var configuration = foundation.settings.httpConfiguration
        configuration.allowedHosts = []
        configuration.allowedOrigins = []
        local = Self.makeServer(configuration, foundation, LocalApplication(api: api, store: store), metrics)
    }

    private static func makeServer(
        _ configuration: HTTPServerConfiguration,
        _ foundation: Server.Foundation,
        _ application: any HTTPApplication,
        _ metrics: HTTPMetrics
    ) -> HTTPServer {
        HTTPServer(
            configuration: configuration,
            application: application,
            observer: metrics,
            clock: foundation.clock,
            logger: foundation.logs.logger("http")
        )
    }

    /// New limits, for connections to come.
    func reload(_ settings: Settings) {
        let fresh = Self.makeServer(settings.httpConfiguration, foundation, application, metrics)
        server.withLock { $0 = fresh }
    }

    func listen(at address: SocketAddress, tls: TLSServerContext?) throws -> Listener {
        try Listener.bind(
            address,
            loops: foundation.group.loops,
            tls: tls,
            configuration: foundation.settings.httpListenerConfiguration
        ) { connection in
            await self.server.withLock { $0 }.serve(connection)
        }
    }

    func listenLocally(at address: SocketAddress) throws -> Listener {
        let logger = foundation.logs.logger("http")
        let own = ProcessSetup.userID
        return try Listener.bind(address, loops: foundation.group.loops) { connection in
            guard let peer = try? connection.socket.peerCredentials(), peer.user == 0 || peer.user == own else {
                logger.warning("somebody else's process at the unix socket was turned away")
                return
            }
            await self.local.serve(connection)
        }
    }
}
