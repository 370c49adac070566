// SPDX-License-Identifier: Apache-2.0

import Accounts
import Backends
import Intake
import Logging
import MailTypes
import OAuth
import OAuthSupport
import Resolver
import Runtime
import SessionSupport
import Simulation
import Sockets
import Storage
import Testing
import Transport
import Wire

@testable import Sync

/// An account whose mailbox is at a simulated server, in one process, with what keeps the mirror of it.
struct SimulatedAccount: Sendable {
    let store: Store
    let server: SimulatedServer
    let mailboxes: RemoteMailboxes
    let account: AccountRow
    let credentials: RemoteCredentials
    /// With a provider: what keeps the account's tokens.
    let keeper: TokenKeeper?

    struct TookTooLong: Error {}

    /// Runs `body` with one, and ends everything afterwards.
    static func run(
        _ misbehaviours: Set<Misbehaviour> = [],
        times: Int? = nil,
        isBare: Bool = false,
        messages: Int = 20,
        clock: Clock = .system,
        provider: FakeTokenEndpoint? = nil,
        _ body: @escaping @Sendable (SimulatedAccount) async throws -> Void
    ) async throws {
        let temporary = try TemporaryStore()
        let group = try EventLoopGroup(count: 1)
        let workers = BlockingPool(name: "remote", threads: 1)
        let resolver = NameResolver(ResolverConfiguration(), loops: group.loops)
        let result = await Task(executorPreference: group.loops[0]) {
            var configuration = SimulatedServer.Configuration(.imap, misbehaviours)
            configuration.times = times
            configuration.isBare = isBare
            configuration.takesTokens = provider != nil
            let server = try SimulatedServer.start(
                configuration,
                SimulatedMailbox(messages: messages),
                loops: group.loops
            )
            let one = try await make(temporary.store, server, resolver, workers, clock, provider, on: group)
            let result: Result<Void, any Error>
            do { result = .success(try await body(one)) } catch { result = .failure(error) }
            await one.mailboxes.stop()
            await server.stop()
            try result.get()
        }.result
        await resolver.stop()
        group.stop()
        workers.stop()
        temporary.close()
        try result.get()
    }

    private static func make(
        _ store: Store,
        _ server: SimulatedServer,
        _ resolver: NameResolver,
        _ workers: BlockingPool,
        _ clock: Clock,
        _ provider: FakeTokenEndpoint?,
        on group: EventLoopGroup
    ) async throws -> SimulatedAccount {
        let box = SecretBox(key: Secret([UInt8](repeating: 1, count: 32)))
        let credentials = RemoteCredentials(box)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let keeper = provider?.keeper(store: store, box: box, clock: clock, logger: logger)
        let address = try #require(EmailAddress("user@example.com"))
        let port = server.port
        let account = try await store.write { tx in
            let account = try tx.accounts.create(NewAccount(kind: .imap, address: address))
            var imap = RemoteServer(
                service: .imap,
                host: "127.0.0.1",
                port: port,
                security: .none,
                username: "user",
                credential: keeper == nil ? .password : .oauth2,
                secret: nil
            )
            if let keeper {
                let grant = keeper.grant(refresh: Secret(Array("refresh".utf8)), at: "generic", for: account.id)
                try tx.oauthGrants.put(grant, of: account.key)
            } else {
                imap.secret = credentials.seal(Secret(Array("pw".utf8)), for: .imap, of: account.id)
            }
            try tx.remoteServers.put(imap, of: account.key)
            return account
        }
        let mailboxes = RemoteMailboxes(
            RemoteParts(
                store: store,
                intake: Intake(store: store),
                credentials: credentials,
                tokens: keeper ?? NoAccessTokens(),
                dialer: try Dialer.loopback(resolver, trusting: nil),
                ledger: HostLedger(hostLimits, clock: clock),
                submissionLedger: HostLedger(clock: clock),
                hostname: try #require(Domain("gateway.example.com")),
                limits: limits,
                workers: workers,
                clock: clock,
                logger: logger
            ),
            loops: group.loops
        )
        try await mailboxes.start()
        return SimulatedAccount(
            store: store,
            server: server,
            mailboxes: mailboxes,
            account: account,
            credentials: credentials,
            keeper: keeper
        )
    }

    /// So short that what hangs is soon given up.
    private static var limits: RemoteLimits {
        var limits = RemoteLimits()
        (limits.connectMilliseconds, limits.commandMilliseconds) = (1_000, 1_000)
        limits.longestCommandMilliseconds = 5_000
        (limits.firstPauseMilliseconds, limits.lastPauseMilliseconds, limits.refusedPauseMilliseconds) = (20, 100, 50)
        (limits.pollMilliseconds, limits.idleMilliseconds) = (500, 2_000)
        (limits.firstPage, limits.chunk, limits.folders) = (5, 7, 200)
        return limits
    }

    private static var hostLimits: HostLedger.Limits {
        var limits = HostLedger.Limits()
        (limits.firstDelayMilliseconds, limits.longestDelayMilliseconds) = (10, 50)
        return limits
    }

    // MARK: Asking

    var mailbox: RemoteMailbox {
        get throws { try #require(mailboxes[account.key] as? RemoteMailbox) }
    }

    func wait(until isSo: () async throws -> Bool) async throws {
        for _ in 0..<3_000 {
            if try await isSo() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw TookTooLong()
    }

    /// Has the connection made anew.
    func reconnect() { mailboxes.note(account) }

    func inbox() async throws -> [MessageRow] {
        try await store.read { snapshot in
            guard let inbox = try snapshot.folders.find(.inbox, in: account.key) else { return [] }
            return try snapshot.mirror.messages(in: inbox, uids: 1...UInt32.max).compactMap {
                try snapshot.messages.find($0.key, in: account.key)
            }
        }
    }

    /// When a comparison with the server succeeded and all of the inbox is here.
    func settled(_ count: Int) async throws {
        try await wait {
            guard let mailbox = mailboxes[account.key] else { return false }
            guard await mailbox.refresh(milliseconds: 5_000) == nil else { return false }
            return try await inbox().count == count
        }
    }
}
