// SPDX-License-Identifier: Apache-2.0

import Files
import Logging
import MailTypes
import Runtime
import SQLite

/// The one thread that writes indexes: it takes in what was committed, account by account, a piece at a time, so that
/// no account waits for another's backlog.
///
/// Nobody's acknowledgement waits for it.
final class SearchIndexer: Sendable {
    struct Surroundings: Sendable {
        /// The directory of the index files.
        let directory: String
        let storePath: String
        let extractor: any SearchTextExtractor
        let bodies: BodyFiles
        let handles: SearchHandles
        let waiters: SearchWaiters
        let clock: Clock
        let logger: Logger
    }

    private struct Queue {
        var names: [AccountKey: AccountID] = [:]
        /// Accounts with something to do, the next one last.
        private var due: [AccountKey] = []
        /// Those that came since, in order.
        private var arrived: [AccountKey] = []
        private var waiting: Set<AccountKey> = []
        /// Taken up before all others, because somebody waits for them; the next one last.
        private var urgent: [AccountKey] = []
        /// When those that came may be taken up, in nanoseconds of the monotonic clock.
        private var opening: UInt64 = 0
        /// Since when the index of an account lacks something, in nanoseconds of the monotonic clock.
        private(set) var behindSince: [AccountKey: UInt64] = [:]
        /// Tried again when some time has passed.
        var failed: [AccountKey] = []
        var toRebuild: Set<AccountKey> = []
        /// Somebody found their files damaged.
        var damaged: Set<AccountKey> = []
        var rebuilding: Set<AccountKey> = []
        var isStopped = false

        mutating func add(_ account: AccountKey) {
            if waiting.insert(account).inserted { arrived.append(account) }
        }

        /// There is enough to do: what came need not wait for more.
        mutating func open() { opening = 0 }

        mutating func addUrgent(_ account: AccountKey) {
            if !urgent.contains(account) { urgent.insert(account, at: 0) }
        }

        /// For how many milliseconds more is gathered; nil when nothing came, or what came is being worked through.
        func gathering(at now: UInt64) -> Int? {
            guard urgent.isEmpty, due.isEmpty, !arrived.isEmpty else { return nil }
            return opening > now ? Int(clamping: (opening - now) / 1_000_000 + 1) : 0
        }

        /// The account's index lacks something from now on, if it did not before.
        mutating func fallBehind(_ account: AccountKey, at now: UInt64) {
            if behindSince[account] == nil { behindSince[account] = now }
        }

        /// All that was there at `start` is in the index.
        mutating func catchUp(_ account: AccountKey, at start: UInt64) {
            behindSince[account] = waiting.contains(account) ? start : nil
        }

        mutating func next(at now: UInt64) -> AccountKey? {
            if let account = urgent.popLast() { return account }
            if due.isEmpty, now >= opening {
                due = arrived.reversed()
                arrived = []
                if !due.isEmpty { opening = now &+ SearchIndexer.gatheringNanoseconds }
            }
            guard let account = due.popLast() else { return nil }
            waiting.remove(account)
            return account
        }
    }

    private enum Work {
        case account(AccountKey)
        case gather
        case retry
        case stop
    }

    /// How long one piece of work may take, and when what failed is tried again.
    private static let pieceNanoseconds: UInt64 = 100_000_000
    private static let retryMilliseconds = 5000
    /// How long after one round over the accounts the next begins, unless a search waits: a commit, an opened file and what
    /// the full-text table does at the end of each cost the same for one message as for fifty.
    fileprivate static let gatheringNanoseconds: UInt64 = 2_000_000_000
    /// Index files held open for writing.
    private static let openFiles = 8
    /// A rebuild is due when so many documents are dead, and they are a quarter of the living.
    private static let tolerableDead: Int64 = 1000

    private let surroundings: Surroundings
    private let queue = Monitor(Queue())
    private let thread = Lock<NamedThread?>(nil)

    /// Starts the thread, which first looks at every account.
    init(_ surroundings: Surroundings) throws {
        self.surroundings = surroundings
        try Files.makeDirectories(surroundings.directory)
        let thread = NamedThread("search-index") { [self] in
            Worker(indexer: self).run()
        }
        self.thread.withLock { $0 = thread }
    }

    func stop() {
        queue.broadcast { $0.isStopped = true }
        let thread = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    // MARK: What others ask

    /// Something was committed in the account.
    func note(_ account: AccountKey, id: AccountID) {
        let now = surroundings.clock.monotonic()
        queue.signal { queue in
            queue.names[account] = id
            queue.fallBehind(account, at: now)
            queue.add(account)
        }
    }

    /// As ``note(_:id:)``, where somebody waits for the index.
    func hasten(_ account: AccountKey, id: AccountID) {
        let now = surroundings.clock.monotonic()
        queue.signal { queue in
            queue.names[account] = id
            queue.fallBehind(account, at: now)
            queue.addUrgent(account)
        }
    }

    /// Accounts whose index lacks something, and for how many nanoseconds the first of them has.
    var backlog: (accounts: Int, nanoseconds: UInt64) {
        let now = surroundings.clock.monotonic()
        return queue.withLock { queue in
            (queue.behindSince.count, queue.behindSince.values.min().map { now > $0 ? now - $0 : 0 } ?? 0)
        }
    }

    func rebuild(_ account: AccountKey) {
        queue.signal { queue in
            queue.toRebuild.insert(account)
            queue.add(account)
            queue.open()
        }
    }

    func isRebuilding(_ account: AccountKey) -> Bool {
        queue.withLock { $0.rebuilding.contains(account) || $0.toRebuild.contains(account) }
    }

    /// The account's file is to be thrown away and made anew.
    func reportDamage(_ account: AccountKey) {
        surroundings.waiters.reached(nil, of: account)
        queue.signal { queue in
            queue.damaged.insert(account)
            queue.add(account)
            queue.open()
        }
    }

    /// The account's file, whether it exists or not; nil for an account never heard of.
    func path(of account: AccountKey) -> String? {
        queue.withLock { $0.names[account] }.map { "\(surroundings.directory)/\($0).sqlite" }
    }

    // MARK: The thread

    private func nextWork() -> Work {
        let clock = surroundings.clock
        let (gathering, isRetrying) = queue.withLock { ($0.gathering(at: clock.monotonic()), !$0.failed.isEmpty) }
        let patience = gathering ?? (isRetrying ? Self.retryMilliseconds : nil)
        return queue.wait(timeoutMilliseconds: patience) { queue -> Work? in
            if queue.isStopped { return .stop }
            let now = clock.monotonic()
            if let account = queue.next(at: now) { return .account(account) }
            return gathering == nil && queue.gathering(at: now) != nil ? .gather : nil
        } ?? (gathering == nil ? .retry : .gather)
    }

    /// What belongs to the thread alone.
    private final class Worker {
        let indexer: SearchIndexer
        /// Used last is last.
        private var open: [(account: AccountKey, file: SearchIndexFile)] = []
        /// New files that will replace old ones.
        private var builders: [AccountKey: SearchIndexFile] = [:]
        /// Accounts whose indexing failed the last time, which is said once.
        private var failing: Set<AccountKey> = []

        init(indexer: SearchIndexer) { self.indexer = indexer }

        private var surroundings: Surroundings { indexer.surroundings }

        func run() {
            start()
            while true {
                switch indexer.nextWork() {
                case .account(let account): attend(to: account)
                case .gather: continue
                case .retry:
                    indexer.queue.signal { queue in
                        for account in queue.failed { queue.add(account) }
                        queue.failed = []
                        queue.open()
                    }
                case .stop: return
                }
            }
        }

        /// Notes every account, and removes files that belong to none.
        private func start() {
            do {
                let connection = try SQLiteConnection(surroundings.storePath, .readOnly)
                try connection.configure(busyMilliseconds: 5000)
                let accounts: [(AccountKey, AccountID)] = try connection.all(
                    "SELECT pk, id FROM accounts WHERE deleted IS NULL"
                ) { ($0.key(0), try $0.id(1)) }
                for (account, id) in accounts { indexer.note(account, id: id) }
                let names = Set(accounts.map { "\($0.1).sqlite" })
                for file in try Files.list(surroundings.directory) {
                    let isOurs = ["", "-wal", "-shm"].contains {
                        file.hasSuffix($0) && names.contains(String(file.dropLast($0.utf8.count)))
                    }
                    if !isOurs { try Files.remove("\(surroundings.directory)/\(file)") }
                }
            } catch {
                surroundings.logger.warning("Index files could not be looked through.", metadata: ["error": "\(error)"])
            }
        }

        private func attend(to account: AccountKey) {
            do {
                if indexer.queue.signal({ $0.damaged.remove(account) }) != nil { try discard(account, why: "damaged") }
                try work(on: account)
                failing.remove(account)
            } catch let damage as SearchIndexFile.Damage {
                recover(account, why: "\(damage)", isGone: damage == .accountGone)
            } catch let error as SQLiteError where error.kind == .corrupt {
                recover(account, why: error.description, isGone: false)
            } catch {
                if failing.insert(account).inserted {
                    surroundings.logger.warning(
                        "Indexing failed and will be tried again.",
                        metadata: ["account": "\(account.value)", "error": "\(error)"]
                    )
                }
                close(account)
                indexer.queue.signal { $0.failed.append(account) }
            }
        }

        /// Throws the account's files away; unless the account is gone they are made anew.
        private func recover(_ account: AccountKey, why: String, isGone: Bool) {
            do {
                try discard(account, why: why)
                indexer.queue.signal { queue in
                    if isGone {
                        queue.names[account] = nil
                        queue.catchUp(account, at: 0)
                    } else {
                        queue.add(account)
                        queue.open()
                    }
                }
            } catch {
                indexer.queue.signal { $0.failed.append(account) }
            }
        }

        private func mayGoOn(since start: UInt64) -> Bool {
            surroundings.clock.monotonic() &- start < SearchIndexer.pieceNanoseconds
        }

        /// Takes a piece of what is new into the account's index, and into the one that is to replace it.
        private func work(on account: AccountKey) throws {
            guard let path = indexer.path(of: account) else { return }
            let file = try writer(for: account, path: path)
            let start = surroundings.clock.monotonic()
            var hasMore = try file.feed { mayGoOn(since: start) }
            if !hasMore { indexer.queue.signal { $0.catchUp(account, at: start) } }
            surroundings.waiters.reached(try file.position().complete, of: account)
            if try isRebuildDue(file, account) { try beginRebuild(account, path: path) }
            if let builder = builders[account] {
                let start = surroundings.clock.monotonic()
                let builds = try builder.feed { mayGoOn(since: start) }
                hasMore = hasMore || builds
                if !builds { try finishRebuild(account, path: path) }
            }
            if hasMore {
                indexer.queue.signal { queue in
                    queue.add(account)
                    queue.open()
                }
            }
        }

        // MARK: Files

        private func openFile(_ account: AccountKey, path: String) throws -> SearchIndexFile {
            try SearchIndexFile(
                path: path,
                storePath: surroundings.storePath,
                account: account,
                extractor: surroundings.extractor,
                bodies: surroundings.bodies
            )
        }

        private func writer(for account: AccountKey, path: String) throws -> SearchIndexFile {
            let file: SearchIndexFile
            if let index = open.firstIndex(where: { $0.account == account }) {
                file = open.remove(at: index).file
            } else {
                if open.count >= SearchIndexer.openFiles { open.removeFirst() }
                file = try openFile(account, path: path)
            }
            open.append((account, file))
            return file
        }

        private func close(_ account: AccountKey) { open.removeAll { $0.account == account } }

        private static func removeDatabase(_ path: String) throws {
            for file in ["", "-wal", "-shm"].map({ path + $0 }) where Files.exists(file) { try Files.remove(file) }
        }

        private func discard(_ account: AccountKey, why: String) throws {
            surroundings.logger.notice(
                "A search index is thrown away.",
                metadata: ["account": "\(account.value)", "reason": "\(why)"]
            )
            close(account)
            builders[account] = nil
            indexer.queue.signal { queue in _ = queue.rebuilding.remove(account) }
            surroundings.waiters.reached(nil, of: account)
            guard let path = indexer.path(of: account) else { return }
            try surroundings.handles.withClosed(account) {
                try Self.removeDatabase(path)
                try Self.removeDatabase(path + ".new")
            }
        }

        // MARK: Building anew while the old one serves

        private func isRebuildDue(_ file: SearchIndexFile, _ account: AccountKey) throws -> Bool {
            guard builders[account] == nil else { return false }
            if indexer.queue.signal({ $0.toRebuild.remove(account) }) != nil { return true }
            let dead = try file.deadDocuments()
            return try dead > SearchIndexer.tolerableDead && dead > file.documents() / 4
        }

        private func beginRebuild(_ account: AccountKey, path: String) throws {
            try Self.removeDatabase(path + ".new")
            builders[account] = try openFile(account, path: path + ".new")
            indexer.queue.signal { queue in _ = queue.rebuilding.insert(account) }
        }

        /// Puts the new file, which has caught up, in the place of the old one.
        private func finishRebuild(_ account: AccountKey, path: String) throws {
            close(account)
            if let builder = builders.removeValue(forKey: account) { _ = try builder.connection.checkpoint(.truncate) }
            try surroundings.handles.withClosed(account) {
                try Self.removeDatabase(path)
                try Files.rename(path + ".new", to: path)
                try Self.removeDatabase(path + ".new")
            }
            indexer.queue.signal { queue in _ = queue.rebuilding.remove(account) }
        }
    }
}
