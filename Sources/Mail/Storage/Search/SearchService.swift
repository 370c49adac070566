// SPDX-License-Identifier: Apache-2.0

package import Logging
package import MailTypes
import Runtime
import SQLite

/// How far an account's index is.
package struct SearchIndexStatus: Hashable, Sendable {
    /// Messages in the index, and in the account.
    package let indexed: Int64
    package let total: Int64
    /// A new index is being built beside the one in use.
    package let isRebuilding: Bool
}

/// Searching.
///
/// It keeps an index per account, fed behind the commits, and answers from it and the store's tables.
package final class SearchService: Sendable {
    package struct Configuration: Sendable {
        /// How long a search waits for its index to catch up with what was acknowledged.
        package var catchUpMilliseconds = 2000
        /// How long reading one page may take.
        package var pageMilliseconds = 10_000
        /// Connections kept open for searching.
        package var openConnections = 32
        package var threads = 2

        package init() {}
    }

    private let store: Store
    private let configuration: Configuration
    private let handles: SearchHandles
    private let waiters: SearchWaiters
    private let indexer: SearchIndexer
    private let threads: BlockingPool
    private let subscription: StoreSubscription

    /// Starts indexing in `search/` below the store's directory.
    ///
    /// What is missing there is built, what is damaged built anew.
    package init(
        store: Store,
        extractor: any SearchTextExtractor,
        configuration: Configuration = Configuration(),
        logger: Logger
    ) throws {
        self.store = store
        self.configuration = configuration
        let storePath = store.configuration.databasePath
        let handles = SearchHandles(storePath: storePath, capacity: configuration.openConnections)
        let waiters = SearchWaiters(clock: store.clock)
        let indexer = try SearchIndexer(
            SearchIndexer.Surroundings(
                directory: store.configuration.directory + "/search",
                storePath: storePath,
                extractor: extractor,
                bodies: store.bodies,
                handles: handles,
                waiters: waiters,
                clock: store.clock,
                logger: logger
            )
        )
        self.handles = handles
        self.waiters = waiters
        self.indexer = indexer
        threads = BlockingPool(name: "search", threads: configuration.threads)
        subscription = store.subscribe { [indexer] change in indexer.note(change.accountKey, id: change.account) }
    }

    /// Ends indexing and searching; blocks until what runs is over.
    ///
    /// To be called before the store is closed.
    package func stop() {
        subscription.cancel()
        indexer.stop()
        waiters.stop()
        threads.stop()
        handles.close()
    }

    // MARK: Searching

    /// At most `limit` of the account's messages that the query asks for, newest first, within `folder` if one is given,
    /// from behind `cursor`.
    ///
    /// `known` are messages that have words which the index does not know of; pages that belong together need the same.
    ///
    /// It sees what was committed before it was called, unless the index does not catch up in time: then it says so
    /// (``SearchPage/isDegraded``). Throws ``StoreError`` (`notFound`, `tooSlow`, …) and ``SearchError``.
    package func search(
        _ account: AccountKey,
        _ query: SearchQuery,
        folder: FolderKey? = nil,
        known: SearchHits = SearchHits(),
        limit: Int,
        after cursor: SearchCursor? = nil
    ) async throws -> SearchPage {
        let run = SearchRun(query, account: account, folder: folder, known: known, limit: max(limit, 1))
        if let cursor, cursor.order != run.order { throw SearchError.foreignCursor }
        do {
            guard run.order == .documents else { return try await page(run, after: cursor, owner: nil, path: nil) }
            return try await pageFromIndex(run, after: cursor)
        } catch is BlockingPool.Refused {
            throw StoreError.busy
        } catch {
            throw StoreError.translated(error)
        }
    }

    /// Whether the query finds this message of the account; false for one that is not there.
    ///
    /// Throws ``StoreError/busy`` when the index did not catch up in time: then nobody knows.
    package func finds(_ message: PlacementID, of account: AccountKey, by query: SearchQuery) async throws -> Bool {
        let key = try await store.read { try $0.messages.find(message, in: account)?.key }
        guard let key else { return false }
        let run = SearchRun(query, account: account, folder: nil, limit: 1)
        do {
            guard run.order == .documents else { return try await contains(key, run, owner: nil, path: nil) }
            let (id, modseq) = try await committed(account)
            if !waiters.hasReached(modseq, of: account) {
                indexer.hasten(account, id: id)
                guard await waiters.wait(for: modseq, of: account, milliseconds: configuration.catchUpMilliseconds)
                else { throw StoreError.busy }
            }
            return try await contains(key, run, owner: account, path: indexer.path(of: account))
        } catch is BlockingPool.Refused {
            throw StoreError.busy
        } catch is SearchHandles.NotYetMade {
            throw StoreError.busy
        } catch let error as SQLiteError where error.kind == .corrupt || error.kind == .cannotOpen {
            indexer.reportDamage(account)
            throw StoreError.busy
        } catch {
            throw StoreError.translated(error)
        }
    }

    private func contains(
        _ message: MessageKey,
        _ run: SearchRun,
        owner: AccountKey?,
        path: String?
    ) async throws -> Bool {
        try await lent(owner, path: path) { connection in try run.contains(message, on: connection) }
    }

    private func pageFromIndex(_ run: SearchRun, after cursor: SearchCursor?) async throws -> SearchPage {
        let account = run.account
        let (id, modseq) = try await committed(account)
        var isCaughtUp = waiters.hasReached(modseq, of: account)
        if !isCaughtUp {
            indexer.hasten(account, id: id)
            isCaughtUp = await waiters.wait(for: modseq, of: account, milliseconds: configuration.catchUpMilliseconds)
        }
        for attempt in 1...2 {
            do {
                var page = try await page(run, after: cursor, owner: account, path: indexer.path(of: account))
                page.isDegraded = !isCaughtUp
                return page
            } catch is SearchHandles.NotYetMade {
                break
            } catch let error as SQLiteError where error.kind == .cannotOpen && !isCaughtUp {
                break
            } catch let error as SQLiteError where error.kind == .full || error.kind == .ioError {
                // An index is derived: without it, or the room it needs, the mail itself is still there.
                break
            } catch let error as SQLiteError where error.kind == .corrupt || error.kind == .cannotOpen {
                indexer.reportDamage(account)
                guard attempt == 1 else { break }
                isCaughtUp = await waiters.wait(
                    for: modseq,
                    of: account,
                    milliseconds: configuration.catchUpMilliseconds
                )
            }
        }
        // There is no index to look into yet.
        var page = SearchPage()
        page.isDegraded = true
        return page
    }

    /// The account's id, and the MODSEQ of what was committed in it last.
    private func committed(_ account: AccountKey) async throws -> (AccountID, Int64) {
        let found: (AccountID, Int64)? = try await store.read { snapshot in
            try snapshot.connection.first(
                "SELECT id, modseq FROM accounts WHERE pk = ?1 AND deleted IS NULL",
                account
            ) { (try $0.id(0), $0.int64(1)) }
        }
        guard let found else { throw StoreError.notFound(.account) }
        return found
    }

    private func page(
        _ run: SearchRun,
        after cursor: SearchCursor?,
        owner: AccountKey?,
        path: String?
    ) async throws -> SearchPage {
        try await lent(owner, path: path) { connection in try run.page(after: cursor, on: connection) }
    }

    /// Runs `body` on a thread for searching, for as long as a page may take.
    private func lent<R: Sendable>(
        _ owner: AccountKey?,
        path: String?,
        _ body: @escaping @Sendable (SQLiteConnection) throws -> R
    ) async throws -> R {
        let clock = store.clock
        let allowed = UInt64(configuration.pageMilliseconds) &* 1_000_000
        return try await threads.run { [handles] in
            try handles.lend(owner, path: path) { connection in
                let deadline = clock.monotonic() &+ allowed
                connection.onProgress(every: 1000) { clock.monotonic() > deadline }
                defer { connection.onProgress(every: 0, nil) }
                return try body(connection)
            }
        }
    }

    // MARK: Care of the indexes

    /// Builds the account's index anew beside the one in use, which serves until the new one is complete.
    package func rebuild(_ account: AccountKey) { indexer.rebuild(account) }

    /// Waits until the account's index has everything up to `modseq`; false when it took longer.
    package func waitUntilCaughtUp(_ account: AccountKey, modseq: Int64, milliseconds: Int) async -> Bool {
        await waiters.wait(for: modseq, of: account, milliseconds: milliseconds)
    }

    /// How far the indexes are behind what was committed: how many accounts' are, and for how many nanoseconds the first
    /// of them has been.
    package var backlog: (accounts: Int, nanoseconds: UInt64) { indexer.backlog }

    package func status(of account: AccountKey) async throws -> SearchIndexStatus {
        let isRebuilding = indexer.isRebuilding(account)
        let total: Int64 = try await store.read { snapshot in
            try snapshot.connection.first("SELECT COUNT(*) FROM messages WHERE account = ?1", account) { $0.int64(0) }
                ?? 0
        }
        let indexed = try? await lent(account, path: indexer.path(of: account)) { connection in
            try connection.first("SELECT COUNT(*) FROM placements") { $0.int64(0) } ?? 0
        }
        return SearchIndexStatus(indexed: indexed ?? 0, total: total, isRebuilding: isRebuilding)
    }
}
