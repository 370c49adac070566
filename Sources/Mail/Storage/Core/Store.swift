// SPDX-License-Identifier: Apache-2.0

import Files
package import Logging
package import MailTypes
package import Runtime
import SQLite
import Wire

/// The one store of a server: all accounts, folders, messages, submissions and events, in one SQLite database and, for large
/// bodies, files beside it.
///
/// It is the only writer of its directory.
package final class Store: Sendable {
    package enum State: Hashable, Sendable {
        case open
        /// Nothing is written until the store was opened again and checked; reads go on.
        case failed(String)
        case closed
    }

    package let configuration: StoreConfiguration
    package let clock: Clock
    /// Large bodies and what is on its way to become one.
    package let bodies: BodyFiles
    package let quarantine: QuarantineSlots
    /// Threads for work on bodies that blocks.
    package let blocking: BlockingPool
    private let logger: Logger
    private let lock: File
    let writer: GroupWriter
    private let readers: Readers
    private let subscribers: Subscribers

    /// Opens or makes the store: takes the directory's lock, brings the schema up to date and starts the writer.
    ///
    /// Blocks until that is done.
    package static func open(_ configuration: StoreConfiguration, clock: Clock, logger: Logger) throws -> Store {
        try Files.makeDirectories(configuration.directory)
        let lock = try File(configuration.lockPath, .readWrite)
        guard try lock.lockExclusively() else { throw StoreError.locked }
        guard !Files.exists("\(configuration.directory)/\(Restoration.markName)") else { throw StoreError.halfRestored }
        let bodies = try BodyFiles(
            directory: configuration.directory + "/bodies",
            spoolDirectory: configuration.directory + "/spool"
        )
        let quarantine = try QuarantineSlots(directory: configuration.directory)
        // A process that died before it came to this may have made them.
        try Files.syncDirectory(configuration.directory)
        try Files.syncName(in: Files.parent(of: configuration.directory))
        let subscribers = Subscribers()
        let commits = CommitCount()
        let readers = Readers(configuration, clock: clock, commits: commits)
        let writer = try GroupWriter(
            configuration,
            clock: clock,
            logger: logger,
            subscribers: subscribers,
            bodies: bodies,
            commits: commits,
            readers: readers
        )
        bodies.onFailure { [weak writer] in writer?.fail($0) }
        return Store(
            configuration: configuration,
            clock: clock,
            logger: logger,
            lock: lock,
            bodies: bodies,
            quarantine: quarantine,
            writer: writer,
            readers: readers,
            subscribers: subscribers
        )
    }

    private init(
        configuration: StoreConfiguration,
        clock: Clock,
        logger: Logger,
        lock: File,
        bodies: BodyFiles,
        quarantine: QuarantineSlots,
        writer: GroupWriter,
        readers: Readers,
        subscribers: Subscribers
    ) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.lock = lock
        self.bodies = bodies
        self.quarantine = quarantine
        blocking = BlockingPool(name: "store-body", threads: configuration.bodyThreads)
        self.writer = writer
        self.readers = readers
        self.subscribers = subscribers
    }

    deinit {
        close()
    }

    package var state: State { writer.state }

    /// Commits what waits, empties the write-ahead log into the database and lets go of everything.
    ///
    /// Blocks until that is
    /// done; later calls are refused with ``StoreError/closed``.
    package func close() {
        writer.stop()
        readers.stop()
        blocking.stop()
    }

    /// Runs `body` on the writer thread, in a savepoint of its own, and returns what it gave after a sync that covers it.
    ///
    /// What `body` throws takes back what it did, and comes here. The caller's cancellation drops a write that has not
    /// begun; one that has is completed. `body` must not keep the transaction.
    package func write<R: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> R) async throws -> R {
        try await writer.write(body)
    }

    /// Runs `body` on one unchanging state of the store, at best on the calling thread.
    ///
    /// If that takes too long, `body` is
    /// stopped and runs once more on a thread for such things: so it must not do anything but read and return.
    package func read<R: ~Copyable>(
        _ body: @escaping @Sendable (Snapshot) throws -> sending R
    ) async throws -> sending R {
        try await readers.read(body)
    }

    /// As ``read(_:)``, on a thread for reads that take long, without a bound on its time.
    func readAtLeisure<R: Sendable>(_ body: @escaping @Sendable (Snapshot) throws -> R) async throws -> R {
        try await readers.readAtLeisure(body)
    }

    /// Calls `handler` after each commit that changed the account, or any account.
    ///
    /// It runs on the writer's thread: it only
    /// posts to somebody's loop.
    package func subscribe(
        to account: AccountID? = nil,
        _ handler: @escaping @Sendable (StoreChange) -> Void
    ) -> StoreSubscription {
        subscribers.add(account, handler)
    }
}
