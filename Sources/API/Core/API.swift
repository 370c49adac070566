// SPDX-License-Identifier: Apache-2.0

package import Accounts
package import Delivery
package import Discovery
import HTTP
package import HTTPServer
package import Intake
import JSON
package import Logging
package import Metrics
package import OAuth
package import Runtime
package import Sockets
package import Storage
package import Sync
package import Webhooks
import Wire

/// The HTTP API: every operation of `openapi.yaml`, answered from the store.
package final class API: HTTPApplication {
    let store: Store
    let search: SearchService
    let tokens: TokenAuthenticator
    let intake: Intake
    let submissions: SubmissionAgent
    let webhooks: WebhookDispatcher
    let mailboxes: RemoteMailboxes
    let credentials: RemoteCredentials
    let tokenKeeper: TokenKeeper
    let discovery: DiscoveryAgent
    let authorizations: AuthorizationFlows<Connecting>
    let idempotentRequests = IdempotentRequests()
    let eventWaiters: EventWaiters
    /// Tells ``eventWaiters`` of commits as long as the API is there.
    private let storeSubscription: StoreSubscription
    let metrics: MetricsRegistry
    let tokenThrottle: TokenThrottle
    let authenticationAttempts: Counters
    let idempotencyReplays: Counter
    private let idempotencyConflicts: Counters
    let rejections: Counters
    /// Threads for what takes long: deriving keys, reading files.
    let workers: BlockingPool
    let configuration: APIConfiguration
    let clock: Clock
    let logger: Logger
    private let router: Router<Operation>

    /// - Parameters:
    ///   - intake: where uploaded messages come in.
    ///   - submissions: where messages to be sent go.
    ///   - webhooks: what sends events to their receivers.
    ///   - mailboxes: what reaches the servers of remote accounts.
    ///   - credentials: what seals those of remote accounts.
    ///   - tokenKeeper: what has access tokens of remote accounts.
    ///   - discovery: what finds servers by addresses.
    ///   - workers: threads for what takes long, such as deriving keys from passwords.
    ///   - metrics: what `/metrics` shows; the API counts there too.
    package init(
        store: Store,
        search: SearchService,
        tokens: TokenAuthenticator,
        intake: Intake,
        submissions: SubmissionAgent,
        webhooks: WebhookDispatcher,
        mailboxes: RemoteMailboxes,
        credentials: RemoteCredentials,
        tokenKeeper: TokenKeeper,
        discovery: DiscoveryAgent,
        metrics: MetricsRegistry,
        workers: BlockingPool,
        configuration: APIConfiguration = APIConfiguration(),
        clock: Clock,
        logger: Logger
    ) {
        self.store = store
        self.search = search
        self.tokens = tokens
        self.intake = intake
        self.submissions = submissions
        self.webhooks = webhooks
        self.mailboxes = mailboxes
        self.credentials = credentials
        self.tokenKeeper = tokenKeeper
        self.discovery = discovery
        authorizations = AuthorizationFlows(clock: clock)
        self.metrics = metrics
        tokenThrottle = TokenThrottle(clock: clock)
        authenticationAttempts = metrics.counters(
            "postern_auth_attempts_total",
            "Logins and tokens by outcome; of tokens only those that failed.",
            labels: "protocol",
            "result"
        )
        idempotencyReplays = metrics.counter(
            "postern_idempotency_replays_total",
            "Requests under a known Idempotency-Key that got their stored answer."
        )
        idempotencyConflicts = metrics.counters(
            "postern_idempotency_conflicts_total",
            "Requests under a known Idempotency-Key that were refused.",
            labels: "kind"
        )
        rejections = HTTPMetrics.rejections(in: metrics)
        self.workers = workers
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        let waiters = EventWaiters(maximumPerToken: configuration.eventStreamsPerToken)
        eventWaiters = waiters
        storeSubscription = store.subscribe { waiters.tell($0) }
        tokens.onRevocation { waiters.revoke($0) }
        metrics.collect { waiters.counts.write(to: &$0) }
        var router = Router<Operation>()
        for operation in Self.operations { router.add(operation.method, operation.path, operation) }
        self.router = router
        StoreMetrics.collect(store, workers: workers, into: metrics)
    }

    package func handle(_ exchange: HTTPExchange) async throws {
        do {
            try await dispatch(exchange)
        } catch {
            guard !exchange.hasResponded else { throw error }
            try await respond(problem(of: error, exchange), to: exchange)
        }
    }

    private func dispatch(_ exchange: HTTPExchange) async throws {
        switch router.match(exchange.method, exchange.path) {
        case .found(let operation, let template, let parameters):
            exchange.route = template
            exchange.isPathSecret = operation.isPathSecret
            var caller = Caller.anybody
            if let scope = operation.scope { caller = try await authenticate(exchange, for: scope) }
            let call = Call(api: self, exchange: exchange, parameters: parameters, caller: caller)
            if operation.showsMail { try await call.refreshIfAsked() }
            try await operation.handler(call)
        case .options(let allow):
            try await respondToOptions(exchange, allow: allow)
        case .methodNotAllowed(let allow):
            var problem = APIProblem(.methodNotAllowed, "method_not_allowed", "The path has no such method.")
            try problem.fields.add("Allow", allow)
            throw problem
        case .notFound:
            throw APIProblem(.notFound, "not_found", "There is no such path.")
        }
    }

    private func respondToOptions(_ exchange: HTTPExchange, allow: [UInt8]) async throws {
        var response = HTTPResponse(.noContent)
        try response.fields.add("Allow", allow)
        if exchange.fields.contains("Access-Control-Request-Method"), try await isBoundOrigin(exchange) {
            exchange.allowsOrigin = true
            response.fields.add("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
            response.fields.add(
                "Access-Control-Allow-Headers",
                "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Range, X-Request-Id"
            )
            response.fields.add("Access-Control-Max-Age", "600")
        }
        try await exchange.respond(response)
    }

    /// Whether some token may be used from the page's origin: a browser asks this before it sends a token.
    private func isBoundOrigin(_ exchange: HTTPExchange) async throws -> Bool {
        guard let origin = exchange.origin.map({ Array($0) }) else { return false }
        let now = Timestamp(milliseconds: clock.now())
        return try await tokens.list().contains { $0.allows(origin: origin) && !$0.isExpired(at: now) }
    }

    private func problem(of error: any Error, _ exchange: HTTPExchange) -> APIProblem {
        if let problem = APIProblem(error) { return problem }
        logger.error(
            "request failed",
            metadata: [
                "request_id": "\(exchange.requestID.span.repairedUTF8String())", "error": "\(error)",
                "route": "\(exchange.route.map { "\($0)" } ?? "-")",
            ]
        )
        return APIProblem(.internalServerError, "internal_error")
    }

    private func respond(_ problem: APIProblem, to exchange: HTTPExchange) async throws {
        switch problem.status {
        case .conflict where problem.isIdempotencyConflict: idempotencyConflicts["in_flight"].add()
        case .unprocessableContent where problem.isIdempotencyConflict: idempotencyConflicts["mismatch"].add()
        default: break
        }
        var writer = JSONWriter()
        problem.write(to: &writer, requestID: exchange.requestID)
        try await exchange.respond(
            HTTPResponse(problem.status, contentType: "application/problem+json", fields: problem.fields),
            body: writer.finish()
        )
    }
}

/// What the API may be told.
package struct APIConfiguration: Sendable {
    /// The most octets of a message, on this door as on every other.
    package var maximumMessageOctets: Int64 = 64 << 20
    /// Rounds of PBKDF2 for passwords.
    package var passwordRounds = ScramVerifier.defaultRounds
    /// Told by `/readyz` to fail, so that a load balancer looks elsewhere: true from the moment the server begins to stop.
    package var isDraining: @Sendable () -> Bool = { false }
    /// What `/readyz` asks besides the store and ``isDraining``.
    package var readinessChecks: [ReadinessCheck] = []
    /// Addresses whose failures are not held against their neighbours: the machine itself.
    package var isTrusted: @Sendable (SocketAddress) -> Bool = { $0.isLoopback }

    /// The URL under which browsers reach us, without a slash at its end; empty: they do not.
    package var publicURL = ""
    /// Where a browser may be sent that has connected a mailbox.
    package var returnURLs: Set<String> = []

    /// Streams of events and requests that wait for one, of one token at a time.
    package var eventStreamsPerToken = 100
    /// How long a stream of events says nothing, when there is nothing to say.
    package var eventKeepAliveMilliseconds = 15_000

    /// Who may read `/metrics`.
    package enum MetricsAccess: Sendable {
        /// Callers with an administrator's rights.
        case administrators
        /// Those, and whoever is on this machine.
        case loopback
        case anyone
    }
    package var metricsAccess = MetricsAccess.anyone

    package init() {}
}
