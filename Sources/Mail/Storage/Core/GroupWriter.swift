// SPDX-License-Identifier: Apache-2.0

import Logging
import Metrics
import Runtime
import SQLite
import Wire

/// The one thread that writes.
///
/// What waits when a commit ends is the next group: each write in a savepoint of its own, one
/// commit with one sync for all, and only then do the callers go on.
final class GroupWriter: Sendable {
    /// Tells one caller how its write ended; with an error, if the commit failed.
    private typealias Acknowledgement = @Sendable (StoreError?) -> Void

    /// One write that waits.
    private struct Waiting: Sendable {
        /// Runs the write; what tells the caller.
        ///
        /// Nil when the caller does not want it any more (it was told).
        let perform: @Sendable (GroupTransaction) -> Acknowledgement?
        let refuse: @Sendable (any Error) -> Void
    }

    private struct Queue {
        var waiting: [Waiting] = []
        var state = Store.State.open
        var isStopping = false
        /// The last write found no room on the disk.
        var isFull = false
        /// Times that the store could not be opened again since it failed.
        var failedReopenings = 0
        var statistics = StoreStatistics()
        /// Nil until the writer has opened the database, or not.
        var start: Result<Void, any Error>?

        var isFailed: Bool { if case .failed = state { true } else { false } }
    }

    /// The group that is being put together.
    fileprivate final class GroupTransaction {
        let connection: SQLiteConnection
        var changes: [StoreChange] = []
        /// Set when no write of this group can be committed.
        var failure: StoreError?

        init(connection: SQLiteConnection) { self.connection = connection }
    }

    private enum Work {
        case group([Waiting])
        /// Nobody wrote since the disk was full: see whether it still is.
        case probe
        case reopen
        case stop
    }

    private let configuration: StoreConfiguration
    private let clock: Clock
    private let logger: Logger
    private let subscribers: Subscribers
    private let bodies: BodyFiles
    private let commits: CommitCount
    private let readers: Readers
    private let queue = Monitor(Queue())
    private let thread = Lock<NamedThread?>(nil)

    /// Starts the thread and waits until it has opened the database.
    init(
        _ configuration: StoreConfiguration,
        clock: Clock,
        logger: Logger,
        subscribers: Subscribers,
        bodies: BodyFiles,
        commits: CommitCount,
        readers: Readers
    ) throws {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        self.subscribers = subscribers
        self.bodies = bodies
        self.commits = commits
        self.readers = readers
        let thread = NamedThread("store-write") { [self] in run() }
        self.thread.withLock { $0 = thread }
        do {
            try queue.wait { $0.start }?.get()
        } catch {
            stop()
            throw error
        }
    }

    var statistics: StoreStatistics {
        queue.withLock { queue in
            var statistics = queue.statistics
            statistics.waiting = queue.waiting.count
            return statistics
        }
    }

    var state: Store.State { queue.withLock { $0.state } }

    /// Whether the last write found no room on the disk.
    var isFull: Bool { queue.withLock { $0.isFull } }

    /// Lets the thread commit what waits, and waits for its end.
    func stop() {
        queue.broadcast { $0.isStopping = true }
        let thread = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    // MARK: The callers' side

    func write<R: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> R) async throws -> R {
        let isCancelled = Lock(false)
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<R, any Error>) in
                enqueue(waiting(body, isCancelled: isCancelled, continuation))
            }
        } onCancel: {
            isCancelled.withLock { $0 = true }
        }
    }

    private func waiting<R: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> R,
        isCancelled: Lock<Bool>,
        _ continuation: UnsafeContinuation<R, any Error>
    ) -> Waiting {
        Waiting(
            perform: { [self] group in
                guard !isCancelled.withLock({ $0 }) else {
                    continuation.resume(throwing: CancellationError())
                    return nil
                }
                let result = perform(body, in: group)
                return { failure in
                    if let failure { continuation.resume(throwing: failure) } else { continuation.resume(with: result) }
                }
            },
            refuse: { continuation.resume(throwing: $0) }
        )
    }

    private func enqueue(_ write: Waiting) {
        let refusal: StoreError? = queue.signal { queue in
            if queue.isStopping { return .closed }
            if case .failed(let reason) = queue.state { return .failed(reason) }
            if queue.waiting.count >= configuration.queueCapacity { return .busy }
            queue.waiting.append(write)
            return nil
        }
        if let refusal { write.refuse(refusal) }
    }

    /// Closes the door because a file beside the database could not be made lasting: what else is not is unknown.
    ///
    /// As after a commit that failed, nothing more is acknowledged until the store was opened again and checked.
    func fail(_ failure: StoreError) {
        logger.critical("A file could not be made lasting; nothing more is taken.", metadata: ["error": "\(failure)"])
        closeDoor(failure)
    }

    private func closeDoor(_ failure: StoreError) {
        let reason = if case .failed(let reason) = failure { reason } else { failure.description }
        let refused = queue.broadcast { queue -> [Waiting] in
            guard queue.state != .closed else { return [] }
            queue.state = .failed(reason)
            defer { queue.waiting = [] }
            return queue.waiting
        }
        for write in refused { write.refuse(StoreError.failed(reason)) }
    }

    // MARK: The thread's side

    private func run() {
        var connection: SQLiteConnection?
        var anchor: SQLiteConnection?
        do {
            let opened = try open(checking: configuration.checksAtOpen)
            // Whoever began a request before this start will not end it: what it was to do was not committed.
            try opened.run("DELETE FROM idempotency WHERE status IS NULL")
            connection = opened
            anchor = try makeAnchor()
            queue.broadcast { $0.start = .success(()) }
        } catch {
            let failure = StoreError.translated(error)
            queue.broadcast { $0.start = .failure(failure) }
            return
        }
        while true {
            switch nextWork() {
            case .group(let group):
                guard let open = connection else { continue }
                if !commit(group, on: open) { connection = nil }
            case .probe:
                guard let open = connection else { continue }
                if !probe(open) { connection = nil }
            case .reopen: connection = reopen()
            case .stop:
                if let anchor { withExtendedLifetime(anchor) {} }
                if let connection { _ = try? checkpoint(.truncate, connection) }
                queue.broadcast { $0.state = .closed }
                return
            }
        }
    }

    /// Waits for something to do.
    private func nextWork() -> Work {
        let (isFailed, isFull, patience) = queue.withLock { queue in
            // At once at first, because until then a crash may bring back what was refused; then less and less often.
            let patience = min(50 << min(queue.failedReopenings, 10), configuration.reopenMilliseconds)
            return (queue.isFailed, queue.isFull, patience)
        }
        if isFailed {
            let isStopping = queue.wait(timeoutMilliseconds: patience) { $0.isStopping ? true : nil }
            return isStopping == true ? .stop : .reopen
        }
        let probing = isFull ? configuration.fullProbeMilliseconds : nil
        return queue.wait(timeoutMilliseconds: probing) { [configuration] queue -> Work? in
            if queue.isFailed { return queue.isStopping ? .stop : .reopen }
            if queue.waiting.count > configuration.groupCapacity {
                let group = Array(queue.waiting.prefix(configuration.groupCapacity))
                queue.waiting.removeFirst(configuration.groupCapacity)
                return .group(group)
            }
            if !queue.waiting.isEmpty {
                let group = queue.waiting
                queue.waiting = []
                return .group(group)
            }
            return queue.isStopping ? .stop : nil
        } ?? .probe
    }

    /// A connection that only stays open.
    ///
    /// The last connection to go, and the first to come, make SQLite look through the write-ahead log: a group whose sync
    /// failed, and was refused, would then count as committed.
    private func makeAnchor() throws -> SQLiteConnection {
        let connection = try SQLiteConnection(configuration.databasePath, .readOnly)
        _ = try connection.pragma("user_version")
        return connection
    }

    private func open(checking: Bool) throws -> SQLiteConnection {
        let connection = try SQLiteConnection(configuration.databasePath, .create)
        try connection.configure(busyMilliseconds: 5000, cacheKibibytes: configuration.cacheKibibytes)
        SchemaCopy(configuration: configuration, logger: logger).keep(of: connection)
        try Schema.bringUpToDate(connection)
        if let octets = configuration.maximumDatabaseOctets {
            let page = try connection.pragma("page_size") ?? 4096
            _ = try connection.pragma("max_page_count = \(max(octets / page, 1))")
        }
        if checking { try Schema.quickCheck(connection) }
        connection.checkpointByHand()
        return connection
    }

    /// Opens the database again after a failed write, and checks it before anything more is acknowledged.
    private func reopen() -> SQLiteConnection? {
        do {
            let connection = try open(checking: true)
            commits.advance()
            if let missing = try bodies.missing(of: connection) {
                throw StoreError.corrupt("the file of body \(missing) is missing or cut")
            }
            try configuration.commitFault?()
            try writeNothing(connection)
            if let failure = checkpoint(connection) { throw failure }
            queue.broadcast { queue in
                queue.state = .open
                queue.failedReopenings = 0
                queue.statistics.reopenings += 1
            }
            logger.notice("The store was opened again and found sound; writes are taken.")
            return connection
        } catch {
            queue.broadcast { $0.failedReopenings += 1 }
            logger.error("The store cannot be opened again.", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Commits the schema's number as it is: a write and a sync, and no change.
    ///
    /// It takes the place of what a refused group may have left in the write-ahead log, too.
    private func writeNothing(_ connection: SQLiteConnection) throws {
        try connection.execute("BEGIN IMMEDIATE; PRAGMA user_version = \(Schema.version); COMMIT")
    }

    /// Sees whether there is room again.
    private func probe(_ connection: SQLiteConnection) -> Bool {
        do {
            try configuration.commitFault?()
            try writeNothing(connection)
            return judge(nil)
        } catch {
            if connection.isInTransaction { _ = try? connection.run("ROLLBACK") }
            return judge(Self.failure(of: error))
        }
    }

    /// Commits a group and tells its callers.
    ///
    /// False when the connection cannot be trusted any more.
    private func commit(_ group: [Waiting], on connection: SQLiteConnection) -> Bool {
        let transaction = GroupTransaction(connection: connection)
        var acknowledgements: [Acknowledgement] = []
        acknowledgements.reserveCapacity(group.count)
        var failure: StoreError?
        var isBegun = false
        do {
            try connection.run("BEGIN IMMEDIATE")
            isBegun = true
            for write in group {
                if transaction.failure != nil {
                    // The transaction is gone: what has not begun fails with it, undone.
                    acknowledgements.append { [write] failure in write.refuse(failure ?? .busy) }
                } else if let acknowledgement = write.perform(transaction) {
                    acknowledgements.append(acknowledgement)
                }
            }
            if let failure = transaction.failure { throw failure }
            try configuration.commitFault?()
            let start = clock.monotonic()
            try connection.run("COMMIT")
            commits.advance()
            count(acknowledgements.count, since: start)
        } catch {
            failure = Self.failure(of: error)
            if connection.isInTransaction { _ = try? connection.run("ROLLBACK") }
            // Once it was begun, each write is told by its acknowledgement, or was told that it was cancelled.
            if !isBegun {
                acknowledgements = group.map { write in { failure in write.refuse(failure ?? .busy) } }
            }
        }
        let isTrusted = judge(failure)
        for acknowledge in acknowledgements { acknowledge(failure) }
        if failure == nil { subscribers.wake(transaction.changes) }
        return isTrusted && checkpointIfDue(connection)
    }

    private func count(_ writes: Int, since start: UInt64) {
        let duration = clock.monotonic() &- start
        queue.signal { queue in
            queue.statistics.commits += 1
            queue.statistics.writes += UInt64(writes)
            queue.statistics.commitDurations.add(nanoseconds: duration)
        }
    }

    private static func failure(of error: any Error) -> StoreError {
        if let error = error as? StoreError { return error }
        if let error = error as? SQLiteError { return StoreError(error) ?? .failed(error.description) }
        return .failed("\(error)")
    }

    /// Closes the door when what is on the disk is unknown.
    ///
    /// A full disk or a busy file is none of that.
    private func judge(_ failure: StoreError?) -> Bool {
        let wasFull = queue.withLock { queue in
            defer { queue.isFull = failure == .diskFull }
            if failure != nil { queue.statistics.failures += 1 }
            return queue.isFull
        }
        switch failure {
        case nil:
            if wasFull { logger.notice("There is room on the disk again; writes are taken.") }
            return true
        case .diskFull:
            // Said once: a log on the same disk has no room for more.
            if !wasFull { logger.error("The disk is full: writes are refused until there is room.") }
            return true
        case .busy:
            logger.warning("A group of writes was refused.", metadata: ["error": "\(failure?.description ?? "")"])
            return true
        case let failure?:
            logger.critical("Writing failed; nothing more is taken.", metadata: ["error": "\(failure)"])
            queue.signal { $0.statistics.diskErrors += 1 }
            closeDoor(failure)
            return false
        }
    }

    /// Copies the log into the database now and then.
    ///
    /// It is done here, after the callers were told and where its errors
    /// are seen.
    private func checkpointIfDue(_ connection: SQLiteConnection) -> Bool {
        guard connection.logPages >= configuration.checkpointPages, let failure = checkpoint(connection) else {
            return true
        }
        return judge(failure)
    }

    /// Copies as much of the log as can be; what went wrong.
    ///
    /// That is not a full disk: what was acknowledged is in the log, which may have room where the database has none.
    private func checkpoint(_ connection: SQLiteConnection) -> StoreError? {
        do {
            try checkpoint(.passive, connection)
            return nil
        } catch {
            let failure = Self.failure(of: error)
            return failure == .diskFull ? nil : failure
        }
    }

    private func checkpoint(_ mode: SQLiteConnection.CheckpointMode, _ connection: SQLiteConnection) throws {
        readers.endSnapshots()
        // Those opened meanwhile refer to the log, which could not start anew as long as they are kept.
        defer { readers.endSnapshots() }
        _ = try connection.checkpoint(mode)
    }

    /// Runs one write in its savepoint.
    private func perform<R: Sendable>(
        _ body: @Sendable (Transaction) throws -> R,
        in group: GroupTransaction
    ) -> Result<R, any Error> {
        let transaction = Transaction(
            connection: group.connection,
            now: Timestamp(milliseconds: clock.now()),
            configuration: configuration
        )
        do {
            let (result, changes) = try group.connection.savepoint {
                let result = try body(transaction)
                return (result, try transaction.finish())
            }
            group.changes += changes
            return .success(result)
        } catch {
            let error = StoreError.translated(error)
            if !group.connection.isInTransaction { group.failure = error as? StoreError ?? .diskFull }
            if let error = error as? StoreError {
                switch error {
                case .failed, .corrupt: group.failure = error
                default: break
                }
            }
            return .failure(error)
        }
    }
}
