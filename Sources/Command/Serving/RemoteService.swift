// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Backends
internal import Configuration
internal import Runtime
internal import Sockets
internal import Storage
internal import Sync

/// The mailboxes of remote accounts: made before the API that uses them, started once everything listens.
enum RemoteService {
    static func make(_ foundation: Server.Foundation, _ box: SecretBox) throws -> RemoteMailboxes {
        let mailboxes = RemoteMailboxes(
            RemoteParts(
                store: foundation.store,
                intake: foundation.intake,
                credentials: RemoteCredentials(box),
                dialer: foundation.outgoing.dialer,
                ledger: HostLedger(foundation.settings.remoteHostLimits, clock: foundation.clock),
                hostname: try foundation.settings.ownDomain(),
                limits: foundation.settings.remoteLimits,
                workers: foundation.workers,
                clock: foundation.clock,
                logger: foundation.logs.logger("remote")
            ),
            loops: foundation.group.loops
        )
        mailboxes.collect(into: foundation.metrics)
        return mailboxes
    }
}
