// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Backends
internal import Configuration
internal import Delivery
internal import Logging
internal import MailTypes
internal import OAuth
internal import Runtime
internal import SASL
internal import SMTPSessions
internal import Sockets
internal import Storage
internal import Sync
internal import Wire

/// What sends the outbox: made with the server's parts, started once everything listens.
enum CourierService {
    static func make(
        _ foundation: Server.Foundation,
        _ box: SecretBox,
        _ tokens: TokenKeeper,
        _ mailboxes: RemoteMailboxes,
        _ ledger: HostLedger
    ) throws -> Courier {
        let settings = foundation.settings
        return Courier(
            CourierParts(
                store: foundation.store,
                reader: foundation.intake,
                routes: routes(
                    foundation.store,
                    RemoteCredentials(box),
                    tokens,
                    foundation.logs.logger("courier")
                ),
                noteFiled: { mailboxes[$0]?.wake() },
                dialer: foundation.outgoing.dialer,
                ledger: ledger,
                hostname: try settings.ownDomain(),
                limits: settings.courierLimits,
                metrics: foundation.metrics,
                clock: foundation.clock,
                logger: foundation.logs.logger("courier")
            ),
            loops: foundation.group.loops
        )
    }

    /// Through the server that an account has for this.
    private static func routes(
        _ store: Store,
        _ credentials: RemoteCredentials,
        _ tokens: TokenKeeper,
        _ logger: Logger
    ) -> SubmissionRoutes {
        { key in
            let found = try await store.read { snapshot -> (AccountID, RemoteServer, Int64?)? in
                guard let account = try snapshot.accounts.get(key),
                    let server = try snapshot.remoteServers.get(.smtp, of: key)
                else { return nil }
                return (account.id, server, try snapshot.oauthGrants.get(key)?.version)
            }
            guard let (account, server, grant) = found else { return nil }
            do throws(SecretBox.Failure) {
                let secret = try credentials.open(server, of: account)
                return SubmissionRoute(server, secret: secret, token: token(of: key, server, tokens), grant: grant)
            } catch {
                logger.error("a secret cannot be opened", metadata: ["account": "\(account)", "err": "\(error)"])
                return nil
            }
        }
    }
}

extension CourierService {
    /// How the account logs in at a server that takes tokens.
    private static func token(
        of account: AccountKey,
        _ server: RemoteServer,
        _ tokens: TokenKeeper
    ) -> SubmissionToken {
        { rejected async throws(SubmissionTokenError) in
            var old: Secret?
            if case .bearerToken(let token) = rejected?.proof { old = token }
            do throws(AccessTokenError) {
                let token = try await tokens.token(for: account, insteadOf: old)
                guard
                    let login = SASLClientCredentials(
                        authenticationID: Array(server.username.utf8),
                        proof: .bearerToken(token)
                    )
                else { throw .refused("The account's user name or token cannot be used to log in.") }
                return login
            } catch {
                switch error {
                case .refused(let reason), .unavailable(let reason): throw SubmissionTokenError(reason)
                }
            }
        }
    }
}

extension Settings {
    var hostLimits: HostLedger.Limits {
        var limits = HostLedger.Limits()
        limits.connectionsPerHost = delivery.connectionsPerHost
        return limits
    }

    var courierLimits: CourierLimits {
        var limits = CourierLimits()
        limits.schedule = DeliverySchedule(seconds: delivery.retrySeconds)
        limits.connectionsPerAccount = delivery.connectionsPerAccount
        limits.idleMilliseconds = delivery.idleSeconds * 1000
        limits.patience = limits.patience.capped(atMilliseconds: delivery.patienceSeconds * 1000)
        limits.clockRate = testing.enabled ? testing.clockRate : 1
        return limits
    }
}
