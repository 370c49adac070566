// SPDX-License-Identifier: Apache-2.0

internal import Accounts
internal import Backends
internal import Configuration
internal import OAuth
internal import Runtime
internal import Sockets
internal import Storage
internal import Sync

/// The mailboxes of remote accounts: made before the API that uses them, started once everything listens.
enum RemoteService {
    /// - Parameter submission: what servers of the outbox bear of us.
    static func make(
        _ foundation: Server.Foundation,
        _ box: SecretBox,
        _ tokens: TokenKeeper,
        submission: HostLedger
    ) throws -> RemoteMailboxes {
        let mailboxes = RemoteMailboxes(
            RemoteParts(
                store: foundation.store,
                intake: foundation.intake,
                credentials: RemoteCredentials(box),
                tokens: tokens,
                dialer: foundation.outgoing.dialer,
                ledger: HostLedger(foundation.settings.remoteHostLimits, clock: foundation.clock),
                submissionLedger: submission,
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
