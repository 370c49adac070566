// SPDX-License-Identifier: Apache-2.0

package import Accounts
package import Backends
package import Intake
package import Logging
package import MailTypes
package import Runtime
package import Storage
package import Transport

/// What remote mailboxes are made of.
package struct RemoteParts: Sendable {
    package let store: Store
    package let intake: Intake
    package let credentials: RemoteCredentials
    /// For accounts that log in with tokens.
    package let tokens: any AccessTokens
    package let dialer: Dialer
    /// What servers bear of us.
    package let ledger: HostLedger
    /// The same of those that take the outbox's mail.
    package let submissionLedger: HostLedger
    /// What we call ourselves.
    package let hostname: Domain
    package let limits: RemoteLimits
    /// Threads for deriving keys.
    package let workers: BlockingPool
    package let clock: Clock
    package let logger: Logger

    package init(
        store: Store,
        intake: Intake,
        credentials: RemoteCredentials,
        tokens: any AccessTokens,
        dialer: Dialer,
        ledger: HostLedger,
        submissionLedger: HostLedger,
        hostname: Domain,
        limits: RemoteLimits,
        workers: BlockingPool,
        clock: Clock,
        logger: Logger
    ) {
        self.store = store
        self.intake = intake
        self.credentials = credentials
        self.tokens = tokens
        self.dialer = dialer
        self.ledger = ledger
        self.submissionLedger = submissionLedger
        self.hostname = hostname
        self.limits = limits
        self.workers = workers
        self.clock = clock
        self.logger = logger
    }
}

/// How remote mailboxes are treated.
package struct RemoteLimits: Sendable {
    /// Connecting, and then logging in.
    package var connectMilliseconds = 30_000
    /// For a server to send or take anything of a command.
    package var commandMilliseconds = 60_000
    /// For all that is awaited of one command.
    package var longestCommandMilliseconds = 600_000
    /// IDLE is begun anew so often (RFC 2177: at least every 29 minutes).
    package var idleMilliseconds = 20 * 60_000
    /// Folders that no IDLE watches are asked after so often.
    package var pollMilliseconds = 60_000
    /// The same where the server tells of all of them by itself.
    package var notifiedPollMilliseconds = 300_000
    /// Flags of a folder are compared so often where the server does not count changes (CONDSTORE), more seldom in one with
    /// many messages: STATUS says nothing of them.
    package var flagLookMilliseconds = 600_000
    /// Messages whose flags are compared in one round for that.
    package var flagLookMessages = 20_000
    /// A connection for commands is closed after so long without one.
    package var laneIdleMilliseconds = 30_000
    /// First pause after a failure, doubled with each up to the last.
    package var firstPauseMilliseconds = 1_000
    package var lastPauseMilliseconds = 300_000
    /// Between attempts to log in with credentials that were refused.
    package var refusedPauseMilliseconds = 15 * 60_000
    /// Failures in a row, or so many milliseconds of them, before an account counts as unreachable.
    package var failuresUntilUnreachable = 3
    /// Without a look at the server for so long, an account counts as stale.
    package var staleMilliseconds = 3_600_000
    /// Messages of a folder that are mirrored before those of the next.
    package var firstPage = 50
    /// Messages fetched at once.
    package var chunk = 100
    /// The newest messages of an account, of which the first words are fetched, and how many at once.
    package var previewedMessages = 5_000
    package var previewChunk = 50
    /// Octets of a message's header that are read.
    package var headerOctets = 128 << 10
    /// How long a search waits for what the server finds.
    package var searchMilliseconds = 5_000
    /// Folders of an account at most.
    package var folders = 10_000
    /// Octets of fetched messages that are kept.
    package var cacheOctets: Int64 = 1 << 30

    /// POP3 servers are asked so often, at most so often as they allow.
    package var maildropPollMilliseconds = 300_000
    /// Until a maildrop that somebody else is in is tried again.
    package var maildropBusyMilliseconds = 60_000
    /// Messages, and octets of them, that one POP3 session fetches before its end.
    package var maildropChunk = 500
    package var maildropChunkOctets: Int64 = 256 << 20
    /// Messages that a maildrop may have, and octets of all their unique-ids.
    package var maildropMessages = 100_000
    package var maildropNameOctets = 8 << 20
    /// Refusals after which a message is left where it is.
    package var maildropAttempts = 10
    /// How long a unique-id is known that the server does not list any more.
    package var maildropMemoryMilliseconds: Int64 = 60 * 86_400_000

    package init() {}
}
