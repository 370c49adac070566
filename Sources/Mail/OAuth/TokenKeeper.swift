// SPDX-License-Identifier: Apache-2.0

package import Accounts
package import Logging
package import MailTypes
package import Metrics
package import Runtime
package import Sockets
package import Storage
package import WebClient
package import Wire

/// Has an access token for each account that a provider gave us a grant for, and renews it in time: however many ask at once, the
/// provider is asked once.
package final class TokenKeeper: AccessTokens {
    package struct Limits: Sendable {
        /// For a request to a provider.
        package var requestMilliseconds = 20_000
        /// An access token is renewed so long before its end, or after four fifths of its life, whichever is later.
        package var earlyMilliseconds: Int64 = 300_000
        /// After a provider could not be asked, until it is asked again for the same account.
        package var pauseMilliseconds = 5_000

        package init() {}
    }

    private typealias Outcome = Result<Secret, AccessTokenError>

    private struct State {
        var flights: [AccountKey: Task<Outcome, Never>] = [:]
        /// Until when nobody is asked, in nanoseconds of the clock, and why.
        var pauses: [AccountKey: (until: UInt64, reason: String)] = [:]
    }

    let endpoint: TokenEndpoint
    private let providers: [String: OAuthProvider]
    private let store: Store
    private let box: SecretBox
    private let limits: Limits
    private let loops: [EventLoop]
    private let renewals: Counters
    private let clock: Clock
    private let logger: Logger
    private let state = Lock(State())

    package init(
        _ providers: [OAuthProvider],
        store: Store,
        box: SecretBox,
        web: WebClients,
        limits: Limits = Limits(),
        loops: [EventLoop],
        metrics: MetricsRegistry,
        clock: Clock,
        logger: Logger
    ) {
        precondition(!loops.isEmpty)
        self.providers = Dictionary(providers.map { ($0.name, $0) }) { $1 }
        self.store = store
        self.box = box
        self.limits = limits
        self.loops = loops
        self.clock = clock
        self.logger = logger
        endpoint = TokenEndpoint(web, milliseconds: limits.requestMilliseconds)
        renewals = metrics.counters(
            "postern_oauth_refresh_total",
            "Access tokens asked for at providers, by how that ended.",
            labels: "provider",
            "result"
        )
    }

    /// The provider of that name, if the operator has set it up.
    package func provider(_ name: String) -> OAuthProvider? { providers[name] }

    private var now: Timestamp { Timestamp(milliseconds: clock.now()) }

    // MARK: Grants

    /// What is kept of an answer, for an account.
    package func grant(
        _ answer: TokenAnswer,
        refresh: Secret,
        at provider: OAuthProvider,
        for account: AccountID
    ) -> OAuthGrant {
        var grant = self.grant(refresh: refresh, at: provider.name, for: account)
        write(answer, to: &grant, of: account)
        return grant
    }

    /// What is kept of a refresh token that nobody has used here.
    package func grant(refresh: Secret, at provider: String, for account: AccountID) -> OAuthGrant {
        OAuthGrant(provider: provider, refresh: refresh.withOctets { box.seal($0, at: Self.refreshPlace(account)) })
    }

    private func write(_ answer: TokenAnswer, to grant: inout OAuthGrant, of account: AccountID) {
        if let refresh = answer.refresh {
            grant.refresh = refresh.withOctets { box.seal($0, at: Self.refreshPlace(account)) }
        }
        grant.access = answer.access.withOctets { box.seal($0, at: Self.accessPlace(account)) }
        let lifetime = answer.lifetimeSeconds * 1000
        let now = now.milliseconds
        grant.expires = Timestamp(milliseconds: now + lifetime)
        grant.due = Timestamp(milliseconds: now + lifetime - min(limits.earlyMilliseconds, lifetime / 5))
        grant.problem = nil
    }

    package static func refreshPlace(_ account: AccountID) -> SecretBox.Place {
        SecretBox.Place("oauth_grants.refresh", row: account.octets)
    }

    package static func accessPlace(_ account: AccountID) -> SecretBox.Place {
        SecretBox.Place("oauth_grants.access", row: account.octets)
    }

    // MARK: Tokens

    package func token(for account: AccountKey, insteadOf rejected: Secret?) async throws(AccessTokenError) -> Secret {
        let look = try await look(account)
        if let token = try token(of: look, insteadOf: rejected, mayBeDue: false) { return token }
        do throws(AccessTokenError) {
            return try await flight(of: account, insteadOf: rejected).value.get()
        } catch {
            // What is only about to end is good still.
            if case .unavailable = error, let token = try token(of: look, insteadOf: rejected, mayBeDue: true) {
                return token
            }
            throw error
        }
    }

    private struct Look: Sendable {
        let id: AccountID
        let grant: OAuthGrant
    }

    private func look(_ account: AccountKey) async throws(AccessTokenError) -> Look {
        let found: Look?
        do {
            found = try await store.read { snapshot in
                guard let row = try snapshot.accounts.get(account), let grant = try snapshot.oauthGrants.get(account)
                else {
                    return nil
                }
                return Look(id: row.id, grant: grant)
            }
        } catch {
            throw .unavailable("The store cannot be read.")
        }
        guard let found else { throw .refused("No provider was authorised for the account.") }
        if let problem = found.grant.problem { throw .refused(problem) }
        return found
    }

    /// The token that is there, if it is good.
    private func token(
        of look: Look,
        insteadOf rejected: Secret?,
        mayBeDue: Bool
    ) throws(AccessTokenError) -> Secret? {
        guard let sealed = look.grant.access, let end = mayBeDue ? look.grant.expires : look.grant.due, end > now else {
            return nil
        }
        let token = try open(sealed, at: Self.accessPlace(look.id))
        guard let rejected, token.withOctets({ token in rejected.withOctets { $0 == token } }) else { return token }
        return nil
    }

    private func open(_ sealed: [UInt8], at place: SecretBox.Place) throws(AccessTokenError) -> Secret {
        do throws(SecretBox.Failure) {
            return try box.open(sealed, at: place)
        } catch {
            throw .refused("The account's token cannot be decrypted with the server's key.")
        }
    }

    /// The renewal under way, or a new one.
    private func flight(of account: AccountKey, insteadOf rejected: Secret?) -> Task<Outcome, Never> {
        let loop = loops[Int(account.value % Int64(loops.count))]
        return state.withLock { state in
            if let flight = state.flights[account] { return flight }
            let flight = Task(executorPreference: loop) { () -> Outcome in
                let outcome: Outcome
                do throws(AccessTokenError) {
                    outcome = .success(try await self.renew(account, insteadOf: rejected))
                } catch {
                    outcome = .failure(error)
                }
                self.state.withLock { $0.flights[account] = nil }
                return outcome
            }
            state.flights[account] = flight
            return flight
        }
    }

    private func renew(_ account: AccountKey, insteadOf rejected: Secret?) async throws(AccessTokenError) -> Secret {
        // Somebody may have been quicker.
        let look = try await look(account)
        if let token = try token(of: look, insteadOf: rejected, mayBeDue: false) { return token }
        guard let provider = providers[look.grant.provider] else {
            throw .unavailable("The provider \(look.grant.provider) is not configured.")
        }
        if let reason = pause(of: account) { throw .unavailable(reason) }
        let refresh = try open(look.grant.refresh, at: Self.refreshPlace(look.id))
        do throws(TokenAnswer.Problem) {
            let answer = try await endpoint.renew(refresh, at: provider)
            renewals[provider.name, "renewed"].add()
            await keep(answer, refresh, provider, look, account)
            return answer.access
        } catch {
            throw await failed(error, look, account)
        }
    }

    private func pause(of account: AccountKey) -> String? {
        let now = clock.monotonic()
        return state.withLock { state in
            guard let pause = state.pauses[account] else { return nil }
            guard pause.until > now else {
                state.pauses[account] = nil
                return nil
            }
            return pause.reason
        }
    }

    /// All of it is sealed now: the key may have changed while the provider was asked.
    private func keep(
        _ answer: TokenAnswer,
        _ refresh: Secret,
        _ provider: OAuthProvider,
        _ look: Look,
        _ account: AccountKey
    ) async {
        var grant = grant(answer, refresh: refresh, at: provider, for: look.id)
        grant.version = look.grant.version
        let renewed = grant
        do {
            _ = try await store.write { try $0.oauthGrants.renew(renewed, of: account) }
        } catch {
            // The next renewal begins with the refresh token that is kept, which may be good no more.
            logger.error("a renewed token could not be kept", metadata: ["account": "\(look.id)", "err": "\(error)"])
        }
    }

    private func failed(_ problem: TokenAnswer.Problem, _ look: Look, _ account: AccountKey) async -> AccessTokenError {
        logger.notice("a token was not renewed", metadata: ["account": "\(look.id)", "err": "\(problem.reason)"])
        switch problem {
        case .unavailable(let reason), .refused(let reason):
            renewals[look.grant.provider, "unavailable"].add()
            let until = clock.monotonic() &+ UInt64(limits.pauseMilliseconds) &* 1_000_000
            state.withLock { $0.pauses[account] = (until, reason) }
            return .unavailable(reason)
        case .invalidGrant(let reason):
            renewals[look.grant.provider, "invalid_grant"].add()
            do {
                try await store.write { tx in
                    guard try tx.oauthGrants.end(look.grant, of: account, reason: reason) else { return }
                    try tx.mirror.set(.authenticationFailed, reason: reason, of: account)
                }
            } catch {
                logger.warning("the end of a grant is not noted", metadata: ["err": "\(error)"])
            }
            return .refused(reason)
        }
    }
}
