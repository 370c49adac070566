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
internal import Transport
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
        let relay = try settings.relayRoute()
        return Courier(
            CourierParts(
                store: foundation.store,
                reader: foundation.intake,
                routes: routes(
                    foundation.store,
                    RemoteCredentials(box),
                    tokens,
                    relay,
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

    /// Through the server that an account has for this; of a local one without, through that of all.
    private static func routes(
        _ store: Store,
        _ credentials: RemoteCredentials,
        _ tokens: TokenKeeper,
        _ relay: SubmissionRoute?,
        _ logger: Logger
    ) -> SubmissionRoutes {
        { key in
            let found = try await store.read { snapshot -> (AccountRow, RemoteServer?, Int64?)? in
                guard let account = try snapshot.accounts.get(key) else { return nil }
                let server = try snapshot.remoteServers.get(.smtp, of: key)
                return (account, server, try snapshot.oauthGrants.get(key)?.version)
            }
            guard let (row, server, grant) = found else { return nil }
            guard let server else { return row.kind == .local ? relay : nil }
            let account = row.id
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
    /// Whose mail to others goes out.
    var outgoingRoutes: OutgoingRoutes { OutgoingRoutes(hasRelay: !relay.host.isEmpty) }

    /// How long delivery to others is tried.
    var deliveryLifetimeMilliseconds: Int64 { Int64(delivery.lifetimeHours) * 3_600_000 }

    /// The way through the server that takes what local accounts send to others; nil where there is none.
    func relayRoute() throws -> SubmissionRoute? {
        guard !relay.host.isEmpty else { return nil }
        var credentials: SASLClientCredentials?
        if !relay.username.isEmpty {
            guard let password = relay.password,
                let login = SASLClientCredentials(
                    authenticationID: Array(relay.username.utf8),
                    proof: .password(password)
                )
            else { throw Server.Failure(description: "relay.username is of no use without relay.password") }
            credentials = login
        }
        let security: ServerEndpoint.Security =
            switch relay.security {
            case .implicit: .implicit
            case .starttls: .startTLS
            case .none: .none
            }
        return SubmissionRoute(
            server: ServerEndpoint(host: relay.host, port: UInt16(clamping: relay.port), security: security),
            credentials: credentials,
            retriesUnknown: true,
            // It stays the same as long as the process runs.
            version: Array("relay".utf8)
        )
    }

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
