// SPDX-License-Identifier: Apache-2.0

/// Where a store is and what it may use.
package struct StoreConfiguration: Sendable {
    /// The data directory; made with mode 0700 when it is missing.
    package var directory: String
    /// Writes that may wait; more are refused with ``StoreError/busy``.
    package var queueCapacity = 4096
    /// Writes committed together at most.
    package var groupCapacity = 1024
    /// Threads for reads that take long.
    package var readerThreads = 2
    /// Threads that write, sync and read large bodies.
    package var bodyThreads = 2
    /// Octets of the largest message taken.
    package var maximumMessageOctets: Int64 = 64 << 20
    /// How long a read may take on the caller's own thread before it is repeated on a reader thread.
    package var quickReadMilliseconds = 10
    /// How long a read may take at all.
    package var longReadMilliseconds = 30_000
    /// Page cache of each connection.
    package var cacheKibibytes = 8192
    /// Pages in the write-ahead log at which it is copied into the database.
    package var checkpointPages = 1000
    /// Whether the whole file is checked when it is opened.
    ///
    /// After a failed write it always is.
    package var checksAtOpen = false
    /// How long after a failed write, and a few vain attempts that follow each other sooner, the store is opened again.
    package var reopenMilliseconds = 5000
    /// Octets of the database file, roughly, beyond which the disk counts as full; nil for no bound but the disk's.
    package var maximumDatabaseOctets: Int64?
    /// Octets that stay free on the disk: beyond that no mail is taken in (``Store/checkRoom(for:)``), while what is there can
    /// still be changed and deleted.
    package var minimumFreeOctets: Int64 = 0
    /// How long after a full disk a write is tried again, if nobody wants one before.
    package var fullProbeMilliseconds = 1000
    /// How long events are kept, and how many of an account at most.
    package var eventMilliseconds: Int64 = 30 * 86_400_000
    package var eventsPerAccount: Int64 = 1_000_000
    /// How long contents without a message stay, so that the search index can take their words out.
    package var releasedContentMilliseconds: Int64 = 60_000

    /// Called before each COMMIT, and when the store is opened again; what it throws fails that as if a sync had failed.
    ///
    /// For tests of faults only.
    package var commitFault: (@Sendable () throws -> Void)?

    package init(directory: String) { self.directory = directory }

    var databasePath: String { directory + "/postern.sqlite" }
    var lockPath: String { directory + "/store.lock" }
}
