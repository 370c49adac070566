// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Backends
internal import Configuration
internal import Delivery
internal import Logging
internal import MailTypes
internal import Runtime
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
        _ mailboxes: RemoteMailboxes,
        _ ledger: HostLedger
    ) throws -> Courier {
        let settings = foundation.settings
        return Courier(
            CourierParts(
                store: foundation.store,
                reader: foundation.intake,
                routes: routes(foundation.store, RemoteCredentials(box), foundation.logs.logger("courier")),
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
        _ logger: Logger
    ) -> SubmissionRoutes {
        { key in
            let found = try await store.read { snapshot -> (AccountID, RemoteServer)? in
                guard let account = try snapshot.accounts.get(key),
                    let server = try snapshot.remoteServers.get(.smtp, of: key)
                else { return nil }
                return (account.id, server)
            }
            guard let (account, server) = found else { return nil }
            do throws(SecretBox.Failure) {
                return SubmissionRoute(server, secret: try credentials.open(server, of: account))
            } catch {
                logger.error("a secret cannot be opened", metadata: ["account": "\(account)", "err": "\(error)"])
                return nil
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
