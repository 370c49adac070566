// SPDX-License-Identifier: Apache-2.0

import Accounts
import Backends
import Delivery
import Discovery
import Egress
import Foundation
import HTTPServer
import Intake
import JSON
import Logging
import MailTypes
import Metrics
import OAuth
import Resolver
import Runtime
import Sockets
import Storage
import Sync
import TLS
import TestSupport
import Testing
import Transport
import WebClient
import Webhooks
import Wire

@testable import API

/// The API over a fresh store, served on a loopback port.
final class TestServer: Sendable {
    let store: Store
    let search: SearchService
    let tokens: TokenAuthenticator
    let api: API
    let client: TestClient
    let webhooks: WebhookDispatcher
    let mailboxes: RemoteMailboxes
    /// What secrets are sealed with.
    let box = SecretBox(key: Secret([UInt8](repeating: 1, count: 32)))
    /// Gets what webhooks send, and answers as the test says.
    let receiver = TestReceiver()
    /// A token that may do everything.
    let admin: String
    /// What the name server says, by question; that a name does not exist where nothing is here.
    let records = Lock<[DNSResponder.Question: DNSResponder.Answer]>([:])
    private let responder: DNSResponder
    private let directory: URL
    private let loops: EventLoopGroup
    private let listener: Listener

    init(_ configure: (inout APIConfiguration) -> Void = { _ in }) async throws {
        loops = try EventLoopGroup(count: 1)
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("postern-api-\(UUID().uuidString)")
        var logger = Logger(label: "test")
        logger.logLevel = .error
        let clock = Clock.system
        var storage = StoreConfiguration(directory: directory.path)
        storage.eventsPerAccount = 100
        store = try Store.open(storage, clock: clock, logger: logger)
        search = try SearchService(store: store, extractor: NoWords(), logger: logger)
        tokens = TokenAuthenticator(rows: StoreTokens(store), clock: clock)
        admin = try await Self.token(tokens, TokenDraft(name: "admin", scopes: .all))
        let metrics = MetricsRegistry()
        let intake = Intake(store: store)
        let hostname = try #require(Domain("mail.example.com"))
        let submissions = SubmissionAgent(
            store: store,
            reader: intake,
            domains: LocalDomains(store: store, configured: []),
            hostname: hostname,
            messageOctets: 64 << 20,
            routes: OutgoingRoutes(hasRelay: false)
        )
        let webhooks = WebhookDispatcher(
            WebhookParts(
                store: store,
                search: search,
                vault: WebhookVault(box),
                transport: receiver,
                bodies: WebhookBodies(store: store),
                limits: Self.webhookLimits,
                metrics: metrics,
                clock: clock,
                logger: logger
            ),
            loops: loops.loops
        )
        try await webhooks.start()
        self.webhooks = webhooks
        let records = records
        responder = try DNSResponder { question, _ in records.withLock { $0[question] } ?? .code(3) }
        var resolving = ResolverConfiguration()
        resolving.servers = [responder.server]
        let names = NameResolver(resolving, loops: loops.loops)
        let web = WebClients(WebClientConfiguration(), policy: EgressPolicy(), resolver: names, loops: loops.loops)
        let tokenKeeper = TokenKeeper(
            [.google(clientID: "us", clientSecret: nil)],
            store: store,
            box: box,
            web: web,
            loops: loops.loops,
            metrics: metrics,
            clock: clock,
            logger: logger
        )
        let mailboxes = RemoteMailboxes(
            RemoteParts(
                store: store,
                intake: intake,
                credentials: RemoteCredentials(box),
                tokens: tokenKeeper,
                dialer: Dialer(policy: EgressPolicy(), resolver: names, tls: try TLSClientContext()),
                ledger: HostLedger(clock: clock),
                submissionLedger: HostLedger(clock: clock),
                hostname: hostname,
                limits: RemoteLimits(),
                workers: BlockingPool(name: "remote", threads: 1),
                clock: clock,
                logger: logger
            ),
            loops: loops.loops
        )
        try await mailboxes.start()
        self.mailboxes = mailboxes
        var configuration = APIConfiguration()
        configuration.passwordRounds = 4096
        configuration.publicURL = "https://mail.example.com"
        configuration.returnURLs = ["https://app.example.com/done", "https://app.example.com/done?from=us"]
        configure(&configuration)
        let api = API(
            store: store,
            search: search,
            tokens: tokens,
            intake: intake,
            submissions: submissions,
            webhooks: webhooks,
            mailboxes: mailboxes,
            credentials: RemoteCredentials(box),
            tokenKeeper: tokenKeeper,
            discovery: DiscoveryAgent(
                names: names,
                web: web,
                configuration: DiscoveryConfiguration(),
                clock: clock
            ),
            metrics: metrics,
            workers: BlockingPool(name: "work", threads: 1),
            configuration: configuration,
            clock: clock,
            logger: logger
        )
        self.api = api
        let server = HTTPServer(
            configuration: Self.patient,
            application: api,
            observer: HTTPMetrics(metrics),
            clock: clock,
            logger: logger
        )
        listener = try Listener.bind(.loopback(port: 0), loops: loops.loops) { await server.serve($0) }
        client = TestClient(port: listener.localAddress.port ?? 0)
    }

    /// A busy machine is not a slow client.
    private static var patient: HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.headerMilliseconds = 120_000
        configuration.bodyWindowMilliseconds = 120_000
        configuration.writeStallMilliseconds = 120_000
        return configuration
    }

    /// Everything is tried again at once.
    private static var webhookLimits: WebhookLimits {
        var limits = WebhookLimits()
        limits.schedule = RetrySchedule(seconds: [0, 0])
        limits.gatherMilliseconds = 1
        limits.endpoints = 5
        return limits
    }

    func stop() async {
        await listener.stopAccepting()
        await webhooks.stop()
        await mailboxes.stop()
        responder.stop()
        search.stop()
        store.close()
        try? FileManager.default.removeItem(at: directory)
    }

    private static func token(_ tokens: TokenAuthenticator, _ draft: TokenDraft) async throws -> String {
        try await tokens.create(draft).text.withOctets { String(decoding: $0, as: UTF8.self) }
    }

    /// Tells every connection that the server is stopping, and waits for their end.
    func drain() async -> Bool { await listener.drain(milliseconds: 120_000) }

    func token(_ draft: TokenDraft) async throws -> String { try await Self.token(tokens, draft) }

    /// Sends a request as the administrator.
    func send(
        _ method: String,
        _ target: String,
        json: String? = nil,
        fields: [(String, String)] = [],
        body: [UInt8]? = nil
    ) throws -> TestResponse {
        var fields = fields
        if json != nil { fields.append(("Content-Type", "application/json")) }
        return try client.send(method, target, token: admin, fields: fields, body: json.map { Array($0.utf8) } ?? body)
    }

    /// A new local account; its id.
    func account(_ address: String = "ann@example.com") throws -> String {
        let made = try send("POST", "/v1/accounts", json: #"{"kind":"local","address":"\#(address)"}"#)
        guard let id = made["id"] else { throw TestClient.Failure(reason: made.text) }
        return id
    }
}

/// Runs `body` with a server of its own.
func withServer<R>(
    _ configure: (inout APIConfiguration) -> Void = { _ in },
    _ body: (TestServer) async throws -> R
) async throws -> R {
    let server = try await TestServer(configure)
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

/// Finds no words in anything.
private struct NoWords: SearchTextExtractor {
    let version: Int64 = 1
    func text(of content: StoredContent) throws -> SearchableText { SearchableText() }
}
