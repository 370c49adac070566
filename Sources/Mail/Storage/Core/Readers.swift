// SPDX-License-Identifier: Apache-2.0

import Runtime
import SQLite
import Wire

/// Connections for reading, and threads for the reads that take long.
final class Readers: Sendable {
    /// A connection, and the time by which what runs on it has to end.
    private final class Reader {
        let connection: SQLiteConnection
        var deadline: UInt64 = .max

        init(_ configuration: StoreConfiguration, clock: Clock) throws {
            connection = try SQLiteConnection(configuration.databasePath, .readOnly)
            try connection.configure(busyMilliseconds: 5000, cacheKibibytes: configuration.cacheKibibytes)
            connection.onProgress(every: 1000) { [unowned self] in clock.monotonic() > deadline }
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
    private let idle = LendingPool<Reader>()
    private let threads: BlockingPool
    private let isStopped = Lock(false)

    init(_ configuration: StoreConfiguration, clock: Clock) {
        self.configuration = configuration
        self.clock = clock
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
        return try idle.lend(make: { try Reader(configuration, clock: clock) }) { reader in
            let connection = reader.connection
            // Without a deadline: SQLite can stop a statement that has done its work already.
            try connection.run("BEGIN")
            reader.deadline = milliseconds.map { clock.monotonic() &+ UInt64($0) &* 1_000_000 } ?? .max
            defer {
                reader.deadline = .max
                _ = try? connection.run("ROLLBACK")
            }
            return try body(Snapshot(connection: connection, now: Timestamp(milliseconds: clock.now())))
        }
    }
}
