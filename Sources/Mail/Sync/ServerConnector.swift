// SPDX-License-Identifier: Apache-2.0

import Accounts
import Backends
import MailTypes
import Runtime
import SASL
import Sockets
import Storage
import Transport
import Wire

/// Opens sessions at an account's server of one service, as it is configured just now.
final class ServerConnector: Sendable {
    let service: RemoteService
    let account: AccountKey
    let id: AccountID
    let parts: RemoteParts
    /// The last refusal of the credentials: they are not shown again and again, or somebody would lock the account.
    private let refusal = Lock<Refusal?>(nil)

    private struct Refusal {
        let secret: [UInt8]?
        let words: String
        /// Nanoseconds of the clock.
        let until: UInt64
    }

    /// Where a session is to be opened, and as whom.
    struct Target: Sendable {
        let server: RemoteServer
        let endpoint: ServerEndpoint
        let credentials: SASLClientCredentials?
        /// For the ledger: the session is over.
        let whenOver: @Sendable () -> Void
    }

    init(_ service: RemoteService, of account: AccountKey, id: AccountID, parts: RemoteParts) {
        self.service = service
        self.account = account
        self.id = id
        self.parts = parts
    }

    /// What `dial` opens; waits for its turn where the host has enough connections, or failed just now, at most so long, and
    /// as long as `isWanted` says so whenever `wakeup` is signalled.
    ///
    /// What `dial` throws is told apart by `judge`. Throws ``RemoteError``.
    func open<Session>(
        waitingAtMost milliseconds: Int,
        _ wakeup: Wakeup = Wakeup(),
        while isWanted: () -> Bool = { true },
        judge: (any Error) -> (failure: RemoteError, trouble: HostLedger.Trouble),
        dial: (Target) async throws -> Session
    ) async throws -> Session {
        let (server, mark) = try await server()
        if let words = refused(mark) { throw RemoteError.authentication(words) }
        let credentials = try await parts.login(server, of: account, id)
        let host = HostLedger.name(server.host, server.port)
        try await admit(host, milliseconds: milliseconds, wakeup, while: isWanted)
        do {
            let session = try await attempt(server, credentials, host, judge, dial)
            parts.ledger.opened(host)
            return session
        } catch {
            // What is a provider's fault is nothing of the server.
            let (failure, trouble) = (error as? RemoteError).map { ($0, .account) } ?? judge(error)
            if case .authentication(let words) = failure { note(words, of: mark) }
            parts.ledger.failed(host, trouble, words: failure.reason)
            throw failure
        }
    }

    /// With another token, once, where the server does not take the one we have.
    private func attempt<Session>(
        _ server: RemoteServer,
        _ credentials: SASLClientCredentials?,
        _ host: String,
        _ judge: (any Error) -> (failure: RemoteError, trouble: HostLedger.Trouble),
        _ dial: (Target) async throws -> Session
    ) async throws -> Session {
        func target(_ credentials: SASLClientCredentials?) -> Target {
            Target(
                server: server,
                endpoint: ServerEndpoint(server),
                credentials: credentials,
                whenOver: { [ledger = parts.ledger] in ledger.closed(host) }
            )
        }
        do {
            return try await dial(target(credentials))
        } catch {
            guard let rejected = credentials, rejected.token != nil, case .authentication = judge(error).failure
            else { throw error }
            let other = try await parts.login(server, of: account, id, insteadOf: rejected)
            return try await dial(target(other))
        }
    }

    private func refused(_ secret: [UInt8]?) -> String? {
        let now = parts.clock.monotonic()
        return refusal.withLock { refusal in
            guard let last = refusal, last.until > now, last.secret == secret else { return nil }
            return last.words
        }
    }

    private func note(_ words: String, of secret: [UInt8]?) {
        let until = parts.clock.monotonic() &+ UInt64(parts.limits.refusedPauseMilliseconds) * 1_000_000
        refusal.withLock { $0 = Refusal(secret: secret, words: words, until: until) }
    }

    private func admit(
        _ host: String,
        milliseconds: Int,
        _ wakeup: Wakeup,
        while isWanted: () -> Bool
    ) async throws {
        guard let loop = EventLoop.current else { preconditionFailure("sessions are opened on a loop") }
        let deadline = loop.time(afterMilliseconds: milliseconds)
        var isWaiting = false
        defer { if isWaiting { parts.ledger.endWaiting(host) } }
        while true {
            let pause: Int
            switch parts.ledger.admit(host) {
            case .granted: return
            // Many may wait for the same few places: they do not come all at once.
            case .full: pause = Int.random(in: 100...400)
            case .wait(let milliseconds): pause = max(100, Int(clamping: milliseconds))
            }
            let left = loop.milliseconds(until: deadline)
            guard left > 0, !Task.isCancelled, isWanted() else { break }
            if !isWaiting {
                isWaiting = true
                parts.ledger.beginWaiting(host)
            }
            await wakeup.sleep(milliseconds: min(pause, left), on: loop)
        }
        let trouble = parts.ledger.standing(of: host).lastTrouble
        throw trouble.map { RemoteError.unavailable($0) }
            ?? .busy("As many connections to the server as may be are in use.")
    }

    /// The server as it is configured, and what tells one login from another: the sealed password, or which grant tokens are of.
    private func server() async throws -> (RemoteServer, mark: [UInt8]?) {
        let (server, grant) = try await parts.store.read { [service, account] in
            (try $0.remoteServers.get(service, of: account), try $0.oauthGrants.get(account)?.version)
        }
        guard let server else {
            throw RemoteError.unsupported("The account has no \(service.rawValue.uppercased()) server.")
        }
        return (server, server.credential == .oauth2 ? grant.map { Array("\($0)".utf8) } : server.secret)
    }
}
