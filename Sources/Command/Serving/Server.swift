// SPDX-License-Identifier: Apache-2.0

internal import API
internal import Accounts
internal import Backends
internal import Configuration
internal import Delivery
internal import HTTPServer
internal import Intake
internal import Logging
internal import MailServers
internal import MailTypes
internal import Metrics
internal import Runtime
internal import Sockets
internal import Storage
internal import Sync
internal import Synchronization
internal import TLS
internal import Transport
internal import Webhooks

/// Everything that runs while Postern serves: started from the store upwards, stopped the other way round.
final class Server: Sendable {
    /// What listens.
    enum Scope: Sendable {
        /// Every listener that the settings name, and the unix socket.
        case everything
        /// The unix socket alone: for a verb that found no server running.
        case localOnly
    }

    /// A part could not be started; in one sentence.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let settings: Settings
    let ready: ReadyLine
    private let group: EventLoopGroup
    private let store: Store
    private let search: SearchService
    private let workers: BlockingPool
    private let outgoing: Outgoing
    private let tls: TLSServerContext?
    private let http: HTTPDoor
    private let smtp: SMTPDoor?
    private let pop3: MailboxDoor<POP3Service>?
    private let imap: MailboxDoor<IMAPService>?
    private let webhooks: WebhookDispatcher
    private let mailboxes: RemoteMailboxes
    private let courier: Courier
    private let listeners: [Listener]
    private let draining: DrainFlag
    private let housekeeping: [Task<Void, Never>]
    private let logger: Logger

    /// True from the moment the server begins to stop.
    final class DrainFlag: Sendable {
        private let flag = Atomic<Bool>(false)
        var isSet: Bool { flag.load(ordering: .relaxed) }
        func set() { flag.store(true, ordering: .relaxed) }
    }

    private init(
        _ foundation: Foundation,
        _ doors: (
            http: HTTPDoor, smtp: SMTPDoor?, pop3: MailboxDoor<POP3Service>?, imap: MailboxDoor<IMAPService>?,
            listeners: [Listener], ready: ReadyLine
        ),
        _ webhooks: WebhookDispatcher,
        _ remote: (mailboxes: RemoteMailboxes, courier: Courier),
        tls: TLSServerContext?
    ) {
        settings = foundation.settings
        group = foundation.group
        store = foundation.store
        search = foundation.search
        workers = foundation.workers
        outgoing = foundation.outgoing
        draining = foundation.draining
        logger = foundation.logs.logger("server")
        self.tls = tls
        self.webhooks = webhooks
        (mailboxes, courier) = remote
        (http, smtp, pop3, imap, listeners, ready) = doors
        let sweeping = Housekeeping.start(
            foundation.store,
            on: foundation.group.loops[0],
            logger: foundation.logs.logger("housekeeping")
        )
        let watchdog = Watchdog.start(foundation.store, foundation.group.loops)
        housekeeping = [sweeping, Upkeep.start(foundation)] + (watchdog.map { [$0] } ?? [])
        ServerMetrics.collect(foundation, tls: tls)
    }

    // MARK: Starting

    /// What stands before anything listens.
    struct Foundation: Sendable {
        let settings: Settings
        let logs: LogOutput
        let clock: Clock
        let group: EventLoopGroup
        let store: Store
        let search: SearchService
        let workers: BlockingPool
        let tokens: TokenAuthenticator
        /// For every protocol that takes one, so that what is counted against guessing is counted together.
        let passwords: PasswordAuthenticator
        let intake: Intake
        let outgoing: Outgoing
        /// Where every part adds what it counts.
        let metrics: MetricsRegistry
        let doors: OpenDoors
        let draining = DrainFlag()
    }

    /// Starts it all and returns when everything listens.
    ///
    /// Blocks: for the main thread.
    static func start(_ settings: Settings, _ scope: Scope, logs: LogOutput) throws -> Server {
        let count = settings.threads.loops == 0 ? EventLoopGroup.processorCount : settings.threads.loops
        let group = try EventLoopGroup(count: scope == .localOnly ? 1 : count)
        do {
            let store = try openStore(settings, logs)
            let foundation = try lay(settings, logs, group, store)
            do {
                return try Blocking.run(on: group.loops[0]) { try await open(foundation, scope) }
            } catch {
                foundation.workers.stop()
                foundation.search.stop()
                store.close()
                throw error
            }
        } catch {
            group.stop()
            throw error
        }
    }

    private static func openStore(_ settings: Settings, _ logs: LogOutput) throws -> Store {
        do {
            return try Store.open(settings.storeConfiguration, clock: settings.clock, logger: logs.logger("store"))
        } catch {
            throw Failure(description: "\(settings.data): \(error)")
        }
    }

    private static func lay(
        _ settings: Settings,
        _ logs: LogOutput,
        _ group: EventLoopGroup,
        _ store: Store
    ) throws -> Foundation {
        let outgoing = try Outgoing(settings, loops: group.loops)
        let search = try SearchService(
            store: store,
            extractor: SearchText(quarantine: store.quarantine),
            logger: logs.logger("search")
        )
        let metrics = MetricsRegistry()
        let workers = BlockingPool(name: "worker", threads: settings.threads.workers)
        var limits = PasswordAuthenticator.Configuration()
        limits.rounds = UInt32(settings.passwords.rounds)
        let foundation = Foundation(
            settings: settings,
            logs: logs,
            clock: settings.clock,
            group: group,
            store: store,
            search: search,
            workers: workers,
            tokens: TokenAuthenticator(rows: StoreTokens(store), clock: settings.clock),
            passwords: PasswordAuthenticator(
                limits,
                directory: StoreLogins(store),
                clock: settings.clock,
                pool: workers
            ),
            intake: Intake(store: store, limits: settings.mimeLimits, metrics: metrics),
            outgoing: outgoing,
            metrics: metrics,
            doors: try OpenDoors(settings, metrics: metrics)
        )
        outgoing.report(to: foundation.metrics)
        return foundation
    }

    private static func open(_ foundation: Foundation, _ scope: Scope) async throws -> Server {
        let settings = foundation.settings
        try await FirstToken.prepare(
            settings,
            rows: StoreTokens(foundation.store),
            tokens: foundation.tokens,
            clock: foundation.clock
        )
        let tls = scope == .everything ? try Certificate.context(settings, logger: foundation.logs.logger("tls")) : nil
        let box = try await ServerSecrets.prepare(foundation)
        let webhooks = try WebhookService.make(foundation, box)
        let submission = HostLedger(settings.hostLimits, clock: foundation.clock)
        let tokens = TokenService.make(foundation, box)
        let mailboxes = try RemoteService.make(foundation, box, tokens, submission: submission)
        let courier = try CourierService.make(foundation, box, tokens, mailboxes, submission)
        var opened: [Listener] = []
        do {
            let http = try HTTPDoor(foundation, webhooks: webhooks, mailboxes: mailboxes, tokens, box)
            var smtp: SMTPDoor?
            var pop3: MailboxDoor<POP3Service>?
            var imap: MailboxDoor<IMAPService>?
            var ready = ReadyLine(adminTokenFile: FirstToken.path(settings))
            opened.append(try bind("unix:\(settings.data)/postern.sock", "listener") { try http.listenLocally(at: $0) })
            if scope == .everything {
                ready.http = try listen(settings.listeners.http, "listeners.http", &opened) {
                    try http.listen(at: $0, tls: nil, "http")
                }
                ready.https = try listen(settings.listeners.https, "listeners.https", &opened) {
                    try http.listen(at: $0, tls: tls, "https")
                }
                let door = try SMTPDoor(foundation, tls: tls)
                smtp = door
                ready.smtp = try listen(settings.listeners.smtp, "listeners.smtp", &opened) {
                    try door.listen(at: $0, .exchange, "smtp")
                }
                ready.submission = try listen(settings.listeners.submission, "listeners.submission", &opened) {
                    try door.listen(at: $0, .submission, "submission")
                }
                ready.submissions = try listen(settings.listeners.submissions, "listeners.submissions", &opened) {
                    try door.listen(at: $0, .submissions, "submissions")
                }
                let inboxes = try MailboxDoor<POP3Service>(foundation, tls: tls)
                pop3 = inboxes
                ready.pop3 = try listen(settings.listeners.pop3, "listeners.pop3", &opened) {
                    try inboxes.listen(at: $0, isImplicitTLS: false, "pop3")
                }
                ready.pop3s = try listen(settings.listeners.pop3s, "listeners.pop3s", &opened) {
                    try inboxes.listen(at: $0, isImplicitTLS: true, "pop3s")
                }
                let folders = try MailboxDoor<IMAPService>(foundation, tls: tls)
                imap = folders
                ready.imap = try listen(settings.listeners.imap, "listeners.imap", &opened) {
                    try folders.listen(at: $0, isImplicitTLS: false, "imap")
                }
                ready.imaps = try listen(settings.listeners.imaps, "listeners.imaps", &opened) {
                    try folders.listen(at: $0, isImplicitTLS: true, "imaps")
                }
            }
            if scope == .everything {
                try await webhooks.start()
                try await mailboxes.start()
                courier.start()
            }
            return Server(foundation, (http, smtp, pop3, imap, opened, ready), webhooks, (mailboxes, courier), tls: tls)
        } catch {
            for listener in opened { await listener.drain(milliseconds: 0) }
            throw error
        }
    }

    /// Listens at `address` unless it is empty, and says where that is.
    private static func listen(
        _ address: String,
        _ key: String,
        _ opened: inout [Listener],
        _ body: (SocketAddress) throws -> Listener
    ) throws -> SocketAddress? {
        guard !address.isEmpty else { return nil }
        let listener = try bind(address, key, body)
        opened.append(listener)
        return listener.localAddress
    }

    private static func bind(
        _ address: String,
        _ key: String,
        _ body: (SocketAddress) throws -> Listener
    ) throws -> Listener {
        do {
            return try body(try SocketAddress(parsing: address))
        } catch {
            throw Failure(description: "\(key): cannot listen at \(address): \(error)")
        }
    }

    // MARK: While it runs

    /// Brings the reloadable settings into force: the certificate's files are read again, limits hold for connections
    /// to come.
    ///
    /// What cannot be read stays as it was.
    func reload(_ settings: Settings) {
        http.reload(settings)
        smtp?.reload(settings)
        pop3?.reload(settings)
        imap?.reload(settings)
        do {
            try tls?.reload()
        } catch {
            logger.error("the certificate stays as it was", metadata: ["err": "\(error)"])
        }
    }

    // MARK: Stopping

    /// Ends in order: `/readyz` says no, the listeners close, what is under way ends within its time.
    ///
    /// Blocks.
    func stop() {
        draining.set()
        let (delay, limit) = (settings.shutdown.delaySeconds * 1000, settings.shutdown.drainSeconds * 1000)
        let listeners = listeners
        let loop = group.loops[0]
        if delay > 0 { Blocking.sleep(on: loop, milliseconds: delay) }
        let ended = Blocking.run(on: loop) { () async -> Bool in
            await withTaskGroup(of: Bool.self) { group in
                for listener in listeners { group.addTask { await listener.drain(milliseconds: limit) } }
                var all = true
                for await ended in group { all = all && ended }
                return all
            }
        }
        if !ended {
            logger.warning("some connections were cut off", metadata: ["after_s": "\(settings.shutdown.drainSeconds)"])
        }
        for task in housekeeping { task.cancel() }
        Blocking.run(on: loop) { [courier] in await courier.stop(milliseconds: min(limit, 10_000)) }
        Blocking.run(on: loop) { [webhooks] in await webhooks.stop() }
        Blocking.run(on: loop) { [mailboxes] in await mailboxes.stop() }
        Blocking.run(on: loop) { [outgoing] in await outgoing.stop() }
        workers.stop()
        search.stop()
        store.close()
        group.stop()
        logger.info("stopped")
    }
}
