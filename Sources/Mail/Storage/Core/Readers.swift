// SPDX-License-Identifier: Apache-2.0

import Runtime
import SQLite
import Synchronization
import Wire

/// Connections for reading, and threads for the reads that take long.
///
/// A connection keeps its snapshot for the next reader until something is committed, because to begin and end one takes six
/// system calls. Kept snapshots hold up a checkpoint: whoever makes one calls ``endSnapshots()`` first.
final class Readers: Sendable {
    /// A connection, and the time by which what runs on it has to end.
    private final class Reader {
        let connection: SQLiteConnection
        var deadline: UInt64 = .max
        /// The count of commits that the open snapshot covers at least; nil where none is open.
        private var covered: UInt64?
        /// How often snapshots had been ended when it was opened.
        private var endings: UInt64 = 0

        init(_ configuration: StoreConfiguration, clock: Clock) throws {
            connection = try SQLiteConnection(configuration.databasePath, .readOnly)
            try connection.configure(busyMilliseconds: 5000, cacheKibibytes: configuration.cacheKibibytes)
            connection.onProgress(every: 1000) { [unowned self] in clock.monotonic() > deadline }
        }

        /// Opens a snapshot that covers so many commits, unless one is open.
        func begin(covering commits: UInt64, after endings: UInt64) throws {
            guard covered != commits else { return }
            end()
            self.endings = endings
            try connection.run("BEGIN")
            covered = commits
        }

        /// Ends a snapshot that was in use when all were to be ended.
        func settle(after endings: UInt64) {
            if endings != self.endings { end() }
        }

        func end() {
            guard covered != nil else { return }
            covered = nil
            _ = try? connection.run("ROLLBACK")
        }
    }

    /// Carries a result that cannot be copied from one thread to another.
    private final class Carrier<R: ~Copyable> {
        private var value: R?
        init(_ value: consuming R) { self.value = consume value }
        func take() -> R {
            guard let taken = value.take() else { preconditionFailure("taken twice") }
            return taken
        }
    }

    private let configuration: StoreConfiguration
    private let clock: Clock
    private let commits: CommitCount
    private let idle = LendingPool<Reader>()
    private let threads: BlockingPool
    private let isStopped = Lock(false)
    private let endings = Atomic<UInt64>(0)

    init(_ configuration: StoreConfiguration, clock: Clock, commits: CommitCount) {
        self.configuration = configuration
        self.clock = clock
        self.commits = commits
        threads = BlockingPool(name: "store-read", threads: configuration.readerThreads)
    }

    func stop() {
        guard
            isStopped.withLock({ wasStopped in
                defer { wasStopped = true }
                return !wasStopped
            })
        else { return }
        threads.stop()
        idle.clear()
    }

    /// Ends the snapshots that nobody reads from just now, and the others as soon as nobody does.
    func endSnapshots() {
        endings.wrappingAdd(1, ordering: .sequentiallyConsistent)
        idle.withIdle { $0.end() }
    }

    func read<R: ~Copyable>(_ body: @escaping @Sendable (Snapshot) throws -> sending R) async throws -> sending R {
        do {
            return try run(body, milliseconds: configuration.quickReadMilliseconds)
        } catch let error as SQLiteError where error.kind == .interrupted {
            return try await readOnThread(body, milliseconds: configuration.longReadMilliseconds)
        } catch {
            throw StoreError.translated(error)
        }
    }

    func readAtLeisure<R: Sendable>(_ body: @escaping @Sendable (Snapshot) throws -> R) async throws -> R {
        try await readOnThread({ try body($0) }, milliseconds: nil)
    }

    private func readOnThread<R: ~Copyable>(
        _ body: @escaping @Sendable (Snapshot) throws -> sending R,
        milliseconds: Int?
    ) async throws -> sending R {
        let carrier: Carrier<R> = try await withUnsafeThrowingContinuation { continuation in
            let accepted = threads.submit { [self] in
                do {
                    continuation.resume(returning: Carrier(try run(body, milliseconds: milliseconds)))
                } catch {
                    continuation.resume(throwing: StoreError.translated(error))
                }
            }
            if !accepted { continuation.resume(throwing: StoreError.busy) }
        }
        return carrier.take()
    }

    /// Reads here and now, for so long at most.
    private func run<R: ~Copyable>(
        _ body: @Sendable (Snapshot) throws -> sending R,
        milliseconds: Int?
    ) throws -> sending R {
        if isStopped.withLock({ $0 }) { throw StoreError.closed }
        let commits = commits.value
        return try idle.lend(
            make: { try Reader(configuration, clock: clock) },
            settle: { $0.settle(after: endings.load(ordering: .sequentiallyConsistent)) }
        ) { reader in
            do {
                // Without a deadline: SQLite can stop a statement that has done its work already.
                try reader.begin(covering: commits, after: endings.load(ordering: .sequentiallyConsistent))
                reader.deadline = milliseconds.map { clock.monotonic() &+ UInt64($0) &* 1_000_000 } ?? .max
                defer { reader.deadline = .max }
                return try body(
                    Snapshot(connection: reader.connection, now: Timestamp(milliseconds: clock.now()))
                )
            } catch {
                // After some errors SQLite has ended the transaction by itself.
                reader.end()
                throw error
            }
        }
    }
}
