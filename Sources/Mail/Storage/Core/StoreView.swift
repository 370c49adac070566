// SPDX-License-Identifier: Apache-2.0

package import SQLite
package import Wire

/// A state of the store that queries can be put to: a ``Snapshot`` or a ``Transaction``.
///
/// The concerns (accounts, folders,
/// messages, …) are its extensions.
package protocol StoreView: AnyObject {
    var connection: SQLiteConnection { get }
    /// The time at which the snapshot or transaction began.
    var now: Timestamp { get }
}

/// One unchanging state of the store, for reading.
///
/// It is valid within the closure it is given to.
package final class Snapshot: StoreView {
    package let connection: SQLiteConnection
    package let now: Timestamp

    init(connection: SQLiteConnection, now: Timestamp) {
        self.connection = connection
        self.now = now
    }
}

/// A piece of writing that happens as a whole or not at all.
///
/// It is valid within the closure it is given to.
package final class Transaction: StoreView {
    package let connection: SQLiteConnection
    package let now: Timestamp
    package let configuration: StoreConfiguration
    /// The accounts changed so far, with their counters, written back at the end.
    private var accounts: [AccountKey: AccountCounters] = [:]

    init(connection: SQLiteConnection, now: Timestamp, configuration: StoreConfiguration) {
        self.connection = connection
        self.now = now
        self.configuration = configuration
    }

    /// Changes the counters of an account and notes that it changed.
    func withCounters<R>(of account: AccountKey, _ body: (inout AccountCounters) throws -> R) throws -> R {
        if accounts[account] == nil { accounts[account] = try AccountCounters.read(account, connection) }
        guard let index = accounts.index(forKey: account) else { throw StoreError.notFound(.account) }
        return try body(&accounts.values[index])
    }

    /// The MODSEQ of all changes that this transaction makes in the account: higher than any before.
    func modseq(of account: AccountKey) throws -> Int64 {
        try withCounters(of: account) { counters in
            if !counters.hasChanges {
                counters.modseq += 1
                counters.hasChanges = true
            }
            return counters.modseq
        }
    }

    /// Notes that something in the folder changed.
    func touch(_ folder: FolderKey, of account: AccountKey) throws {
        try withCounters(of: account) { _ = $0.folders.insert(folder) }
    }

    /// Writes the counters back; what changed, for the subscribers.
    func finish() throws -> [StoreChange] {
        try accounts.map { key, counters in
            try counters.write(key, connection)
            return StoreChange(
                account: counters.id,
                accountKey: key,
                folders: counters.folders.sorted(),
                modseq: UInt64(counters.modseq),
                seq: counters.seq
            )
        }
    }

    /// Forgets the counters of an account whose row this transaction has rewritten itself.
    func flushCounters(of account: AccountKey) throws {
        if let counters = accounts[account] { try counters.write(account, connection) }
    }
}
