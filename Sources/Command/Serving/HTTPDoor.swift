// SPDX-License-Identifier: Apache-2.0

internal import API
internal import Accounts
internal import Configuration
internal import Delivery
internal import Discovery
internal import HTTPServer
internal import Logging
internal import OAuth
internal import Runtime
internal import Sockets
internal import Sync
internal import TLS
internal import Transport
internal import Webhooks

/// The API over HTTP: on TCP for the world, and on the unix socket for our own user and root.
final class HTTPDoor: Sendable {
    private let foundation: Server.Foundation
    private let application: any HTTPApplication
    private let metrics: HTTPMetrics
    /// The server with the limits that hold for new connections; and that of the unix socket, where Host and origin do not matter.
    private let server: Lock<HTTPServer>
    private let local: HTTPServer
    private let listeners = Lock<[Listener]>([])

    init(
        _ foundation: Server.Foundation,
        webhooks: WebhookDispatcher,
        mailboxes: RemoteMailboxes,
        _ tokens: TokenKeeper,
        _ box: SecretBox
    ) throws {
        self.foundation = foundation
        metrics = HTTPMetrics(foundation.metrics)
        let (draining, settings, store) = (foundation.draining, foundation.settings, foundation.store)
        let submissions = SubmissionAgent(
            store: store,
            reader: foundation.intake,
            domains: LocalDomains(store: store, configured: try settings.configuredDomains()),
            hostname: try settings.ownDomain(),
            messageOctets: Int64(settings.limits.messageOctets),
            lifetimeMilliseconds: settings.deliveryLifetimeMilliseconds,
            routes: settings.outgoingRoutes
        )
        let api = API(
            store: store,
            search: foundation.search,
            tokens: foundation.tokens,
            intake: foundation.intake,
            submissions: submissions,
            webhooks: webhooks,
            mailboxes: mailboxes,
            credentials: RemoteCredentials(box),
            tokenKeeper: tokens,
            discovery: DiscoveryAgent(
                names: foundation.outgoing.names,
                web: foundation.outgoing.web,
                configuration: settings.discoveryConfiguration,
                clock: foundation.clock
            ),
            metrics: foundation.metrics,
            workers: foundation.workers,
            configuration: settings.apiConfiguration(isDraining: { draining.isSet }, doors: foundation.doors),
            clock: foundation.clock,
            logger: foundation.logs.logger("api")
        )
        application = api
        foundation.tokens.setBudget(settings.requestBudget)
        let isLogged = settings.log.requests
        server = Lock(Self.makeServer(settings.httpConfiguration, isLogged, foundation, api, metrics))
        var configuration = settings.httpConfiguration
        configuration.allowedHosts = []
        configuration.allowedOrigins = []
        let rotation = settings.secret == nil ? KeyRotation(store: store, box: box, directory: settings.data) : nil
        let application = LocalApplication(api: api, store: store, rotation: rotation)
        local = Self.makeServer(configuration, isLogged, foundation, application, metrics)
    }

    private static func makeServer(
        _ configuration: HTTPServerConfiguration,
        _ isLogged: Bool,
        _ foundation: Server.Foundation,
        _ application: any HTTPApplication,
        _ metrics: HTTPMetrics
    ) -> HTTPServer {
        HTTPServer(
            configuration: configuration,
            application: application,
            observer: metrics,
            clock: foundation.clock,
            logger: foundation.logs.logger("http"),
            accessLogger: isLogged ? foundation.logs.logger("access") : nil
        )
    }

    /// New limits, for connections to come.
    func reload(_ settings: Settings) {
        let fresh = Self.makeServer(
            settings.httpConfiguration,
            settings.log.requests,
            foundation,
            application,
            metrics
        )
        server.withLock { $0 = fresh }
        foundation.tokens.setBudget(settings.requestBudget)
        for listener in listeners.withLock({ $0 }) {
            listener.setLimits(
                maximumConnections: Self.maximumConnections,
                maximumPerClient: settings.http.connectionsPerAddress
            )
        }
    }

    /// Of one listener; those of all together are fewer where descriptors are.
    private static let maximumConnections = 1_000_000

    func listen(at address: SocketAddress, tls: TLSServerContext?, _ name: String) throws -> Listener {
        var configuration = foundation.doors.configuration(name)
        configuration.maximumConnections = Self.maximumConnections
        configuration.maximumPerClient = foundation.settings.http.connectionsPerAddress
        configuration.refusal = Self.refusal
        let listener = try Listener.bind(
            address,
            loops: foundation.group.loops,
            tls: tls,
            configuration: configuration
        ) { connection in
            await self.server.withLock { $0 }.serve(connection)
        }
        foundation.doors.add(name, listener)
        listeners.withLock { $0.append(listener) }
        return listener
    }

    /// What a client is told that there is no room for, whatever it came to ask.
    private static let refusal: [UInt8] = {
        let body = #"{"type":"about:blank","title":"Service Unavailable","status":503,"code":"too_many_connections"}"#
        return Array(
            """
            HTTP/1.1 503 Service Unavailable\r
            Content-Type: application/problem+json\r
            Content-Length: \(body.utf8.count)\r
            Retry-After: 5\r
            Connection: close\r
            \r
            \(body)
            """.utf8
        )
    }()

    func listenLocally(at address: SocketAddress) throws -> Listener {
        let logger = foundation.logs.logger("http")
        let own = ProcessSetup.userID
        let listener = try Listener.bind(address, loops: foundation.group.loops) { connection in
            guard let peer = try? connection.socket.peerCredentials(), peer.user == 0 || peer.user == own else {
                logger.warning("somebody else's process at the unix socket was turned away")
                return
            }
            await self.local.serve(connection)
        }
        foundation.doors.add("unix", listener)
        return listener
    }
}
