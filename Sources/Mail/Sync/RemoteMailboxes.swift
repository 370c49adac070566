// SPDX-License-Identifier: Apache-2.0

import Accounts
package import Backends
import IMAP
import IMAPSessions
package import MailTypes
package import Metrics
import POP3
import POP3Sessions
import Runtime
import SASL
import SMTP
import SMTPSessions
package import Sockets
package import Storage
import Transport
import Wire

/// The remote mailboxes of all accounts that have one, each on its loop.
package final class RemoteMailboxes: Sendable {
    private struct State {
        var accounts: [AccountKey: any WatchedAccount] = [:]
        var tasks: [AccountKey: Task<Void, Never>] = [:]
        var isStarted = false
        var eviction: Task<Void, Never>?
        var isStopped = false
    }

    private let parts: RemoteParts
    private let loops: [EventLoop]
    private let state = Lock(State())

    package init(_ parts: RemoteParts, loops: [EventLoop]) {
        precondition(!loops.isEmpty)
        self.parts = parts
        self.loops = loops
    }

    /// What is done for the account; nil where its mail lives here.
    package subscript(account: AccountKey) -> (any RemoteAccount)? { state.withLock { $0.accounts[account] } }

    /// The account's IMAP mailbox.
    package func mailbox(of account: AccountKey) -> RemoteMailbox? {
        state.withLock { $0.accounts[account] } as? RemoteMailbox
    }

    /// Shows how many there are, and how many connections they have.
    package func collect(into metrics: MetricsRegistry) {
        metrics.collect { [weak self] writer in
            guard let self else { return }
            let accounts = state.withLock { Array($0.accounts.values) }
            let isIMAP = { (account: any WatchedAccount) in account is RemoteMailbox }
            Self.write(accounts.filter(isIMAP).map(\.status), "imap", "IMAP", to: &writer)
            Self.write(accounts.filter { !isIMAP($0) }.map(\.status), "pop3", "POP3", to: &writer)
        }
    }

    private static func write(
        _ statuses: [RemoteStatus],
        _ word: String,
        _ name: String,
        to writer: inout MetricsWriter
    ) {
        writer.gauge(
            "postern_\(word)_client_connections",
            "Connections to \(name) servers.",
            statuses.reduce(0) { $0 + $1.connections }
        )
        let family = "postern_\(word)_client_mailboxes"
        writer.family(family, .gauge, "Remote \(name) mailboxes, by what is being done for them.")
        for phase in RemoteStatus.Phase.allCases {
            writer.sample(family, [("activity", phase.rawValue)], statuses.count { $0.phase == phase })
        }
    }

    /// Begins with the accounts that the store has.
    package func start() async throws {
        let loop = loops[0]
        let eviction = Task(executorPreference: loop) {
            while !Task.isCancelled {
                await self.evict()
                await self.noteStaleness()
                try? await loop.sleep(milliseconds: Self.evictionMilliseconds)
            }
        }
        state.withLock { state in
            state.isStarted = true
            state.eviction = eviction
        }
        var after: AccountKey?
        while true {
            let accounts = try await parts.store.read { [after] in try $0.accounts.list(after: after, limit: 500) }
            guard let last = accounts.last else { return }
            for account in accounts { begin(account) }
            after = last.key
        }
    }

    /// An account was made, changed or deleted.
    package func note(_ account: AccountRow) {
        guard account.kind != .local else { return }
        let known = state.withLock { $0.accounts[account.key] }
        if let known { known.reconfigure() } else { begin(account) }
    }

    /// Ends all connections.
    package func stop() async {
        let (accounts, tasks) = state.withLock { state in
            state.isStopped = true
            defer { (state.accounts, state.tasks, state.eviction) = ([:], [:], nil) }
            return (Array(state.accounts.values), Array(state.tasks.values) + [state.eviction].compactMap(\.self))
        }
        for account in accounts { account.stop() }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func begin(_ account: AccountRow) {
        let loop = loops[Int(account.key.value % Int64(loops.count))]
        let watched: any WatchedAccount
        switch account.kind {
        case .local: return
        case .imap: watched = RemoteMailbox(account, parts, on: loop)
        case .pop3: watched = PolledMaildrop(account, parts, on: loop)
        }
        state.withLock { state in
            guard state.isStarted, !state.isStopped, state.accounts[account.key] == nil else { return }
            state.accounts[account.key] = watched
            state.tasks[account.key] = Task(executorPreference: loop) {
                await watched.run()
                self.ended(account.key)
            }
        }
    }

    private func ended(_ key: AccountKey) {
        state.withLock { state in
            state.accounts[key] = nil
            state.tasks[key] = nil
        }
    }

    // MARK: What was fetched

    private static let evictionMilliseconds = 30_000
    /// In one transaction.
    private static let evictionBatch = 100

    private func noteStaleness() async {
        for account in state.withLock({ Array($0.accounts.values) }) where !Task.isCancelled {
            await account.noteStaleness()
        }
    }

    /// How things stand with a server of an account, for all accounts that have it.
    package func standing(of server: RemoteServer) -> HostLedger.Standing {
        let ledger = server.service == .smtp ? parts.submissionLedger : parts.ledger
        return ledger.standing(of: HostLedger.name(server.host, server.port))
    }

    /// Gives up fetched messages beyond the bound, the first fetched first.
    private func evict() async {
        let (octets, batch) = (parts.limits.cacheOctets, Self.evictionBatch)
        while !Task.isCancelled {
            let count = try? await parts.store.write { try $0.mirror.evict(keeping: octets, limit: batch) }
            guard count == batch else { return }
        }
    }

    // MARK: A first try

    /// Connects to a server and logs in, once, and says how far that went.
    package func check(_ server: RemoteServer, of account: AccountID) async -> [RemoteCheck.Step] {
        let loop = loops[0]
        let parts = parts
        return await Task(executorPreference: loop) {
            do throws(RemoteError) {
                let login = try parts.credentials.login(server, of: account)
                switch server.service {
                case .imap: return await Self.checkIMAP(server, login, parts)
                case .smtp: return await Self.checkSMTP(server, login, parts)
                case .pop3: return await Self.checkPOP3(server, login, parts)
                }
            } catch {
                return RemoteCheck.steps(upTo: .login, error.reason)
            }
        }.value
    }

    private static func checkIMAP(
        _ server: RemoteServer,
        _ login: SASLClientCredentials?,
        _ parts: RemoteParts
    ) async -> [RemoteCheck.Step] {
        do throws(IMAPSessionError) {
            let session = try await IMAPClientSession.open(
                IMAPClientRoute(server: ServerEndpoint(server), credentials: login),
                dialer: parts.dialer,
                pool: parts.workers
            )
            await session.logout()
            return RemoteCheck.steps(upTo: nil, nil)
        } catch {
            let reason = RemoteError(opening: error).reason
            return switch error {
            case .dial(let error): RemoteCheck.steps(upTo: RemoteCheck.step(error), reason)
            case .session(let failure): RemoteCheck.steps(upTo: RemoteCheck.step(failure), reason)
            case .refused, .unsupported, .unencodable, .tooMuch, .wrongSize:
                RemoteCheck.steps(upTo: .login, reason)
            }
        }
    }

    private static func checkPOP3(
        _ server: RemoteServer,
        _ login: SASLClientCredentials?,
        _ parts: RemoteParts
    ) async -> [RemoteCheck.Step] {
        let session: MaildropSession
        do throws(POP3SessionError) {
            let route = POP3ClientRoute(server: ServerEndpoint(server), credentials: login)
            let opened = try await POP3ClientSession.open(route, dialer: parts.dialer, pool: parts.workers)
            session = MaildropSession(opened) {}
        } catch {
            let reason = RemoteError(opening: error).reason
            return switch error {
            case .dial(let error): RemoteCheck.steps(upTo: RemoteCheck.step(error), reason)
            case .session(let failure): RemoteCheck.steps(upTo: RemoteCheck.step(failure), reason)
            case .refused: RemoteCheck.steps(upTo: .login, reason)
            }
        }
        let steps = RemoteCheck.steps(upTo: nil, nil)
        do {
            // What is deleted at once need not be named from one session to the next.
            let isUnneeded = server.deleteAfterDays == 0
            let isNamed = isUnneeded ? true : try await session.hasUniqueIDs()
            try await session.end()
            return steps + [
                RemoteCheck.Step(.uniqueIDs, isDone: isNamed, isNamed ? nil : MaildropSync.needsUniqueIDs)
            ]
        } catch {
            session.close()
            return steps + [RemoteCheck.Step(.uniqueIDs, isDone: false, (error as? RemoteError)?.reason)]
        }
    }

    private static func checkSMTP(
        _ server: RemoteServer,
        _ login: SASLClientCredentials?,
        _ parts: RemoteParts
    ) async -> [RemoteCheck.Step] {
        do throws(SMTPSessionError) {
            let session = try await SMTPClientSession.open(
                SMTPClientRoute(server: ServerEndpoint(server), clientName: parts.hostname, credentials: login),
                dialer: parts.dialer,
                pool: parts.workers
            )
            await session.quit()
            return RemoteCheck.steps(upTo: nil, nil)
        } catch {
            return switch error {
            case .dial(let error): RemoteCheck.steps(upTo: RemoteCheck.step(error), "\(error)")
            case .session(let failure): RemoteCheck.steps(upTo: RemoteCheck.step(failure), failure.words)
            }
        }
    }
}

/// What ``RemoteMailboxes`` runs.
protocol WatchedAccount: RemoteAccount {
    /// Until the account is gone or the server stops.
    func run() async
    /// The account's servers are others now, or it is gone.
    func reconfigure()
    func stop()
    /// Notes that nobody looked at the server for too long, where that is so.
    func noteStaleness() async
}

extension RemoteMailbox: WatchedAccount {}
extension PolledMaildrop: WatchedAccount {}

extension SMTPClientFailure {
    /// The server's words, or what went wrong.
    fileprivate var words: String {
        if case .refused(_, let reply) = self { return "\(reply)" }
        return "\(self)"
    }
}
