// SPDX-License-Identifier: Apache-2.0

import Runtime
import SQLite

/// Connections that search, one borrower each, the least used closed when there are too many.
///
/// Each has the store attached as `store`; its own database is an account's index, or nothing for searches that need none.
final class SearchHandles: Sendable {
    /// The index has no tables yet.
    struct NotYetMade: Error {}

    /// What a connection belongs to; nil is for searches without an index.
    typealias Owner = AccountKey?

    private struct Handle: @unchecked Sendable {
        // Sound: a connection is either in `idle` or with one borrower, and the lock orders them.
        let owner: Owner
        let connection: SQLiteConnection
    }

    private struct State {
        /// The one given back last is last.
        var idle: [Handle] = []
        var lent: [AccountKey: Int] = [:]
        /// Nothing is lent of these: their files are being replaced.
        var closed: Set<AccountKey> = []
    }

    private let state = Monitor(State())
    private let capacity: Int
    private let storePath: String

    init(storePath: String, capacity: Int) {
        self.storePath = storePath
        self.capacity = capacity
    }

    /// Lends a connection for the time of `body`.
    ///
    /// Blocks while the account's file is being replaced.
    func lend<R>(_ owner: Owner, path: String?, _ body: (SQLiteConnection) throws -> R) throws -> R {
        let idle: Handle? =
            state.wait { state -> Handle?? in
                if let owner, state.closed.contains(owner) { return nil }
                if let owner { state.lent[owner, default: 0] += 1 }
                guard let index = state.idle.lastIndex(where: { $0.owner == owner }) else { return .some(nil) }
                return .some(state.idle.remove(at: index))
            } ?? nil
        var handle: Handle?
        defer { giveBack(handle, owner: owner) }
        let taken = try idle ?? Handle(owner: owner, connection: open(path))
        let result = try body(taken.connection)
        // One that failed is not lent again.
        handle = taken
        return result
    }

    private func open(_ path: String?) throws -> SQLiteConnection {
        let connection = try SQLiteConnection(path ?? ":memory:", .readWrite)
        try connection.configure(busyMilliseconds: 5000, cacheKibibytes: 2048)
        if path != nil, try connection.pragma("user_version") == 0 { throw NotYetMade() }
        try connection.run("ATTACH ?1 AS store", storePath)
        try connection.execute("PRAGMA query_only = ON")
        return connection
    }

    private func giveBack(_ handle: Handle?, owner: Owner) {
        // Closed outside the lock.
        let surplus = state.broadcast { state -> Handle? in
            if let owner {
                let count = state.lent[owner] ?? 0
                state.lent[owner] = count > 1 ? count - 1 : nil
            }
            if let handle { state.idle.append(handle) }
            return state.idle.count > capacity ? state.idle.removeFirst() : nil
        }
        _ = surplus
    }

    /// Runs `body` while no connection to the account's index is open.
    ///
    /// Blocks until those lent out are back.
    func withClosed<R>(_ account: AccountKey, _ body: () throws -> R) rethrows -> R {
        state.broadcast { state in _ = state.closed.insert(account) }
        defer { state.broadcast { state in _ = state.closed.remove(account) } }
        let idle = state.wait { state -> [Handle]? in
            guard state.lent[account] == nil else { return nil }
            let idle = state.idle.filter { $0.owner == account }
            state.idle.removeAll { $0.owner == account }
            return idle
        }
        closeAll(idle)
        return try body()
    }

    /// Lets go of the last references, and with them of the files.
    private func closeAll(_ handles: consuming [Handle]?) {}

    func close() {
        let idle = state.broadcast { state in
            defer { state.idle = [] }
            return state.idle
        }
        closeAll(idle)
    }
}
