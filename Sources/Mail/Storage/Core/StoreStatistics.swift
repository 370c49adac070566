// SPDX-License-Identifier: Apache-2.0

import Files
package import Metrics

/// What the store did since it was opened, and what it takes up now.
package struct StoreStatistics: Hashable, Sendable {
    /// Groups committed, and the writes in them.
    package var commits: UInt64 = 0
    package var writes: UInt64 = 0
    /// Groups that could not be committed.
    package var failures: UInt64 = 0
    /// Of them, those after which what the disk holds is unknown.
    package var diskErrors: UInt64 = 0
    /// How long each COMMIT took, its sync included.
    package var commitDurations = Durations()
    /// Writes waiting now.
    package var waiting = 0
    package var databaseOctets: Int64 = 0
    /// The write-ahead log's file.
    package var logOctets: Int64 = 0
    /// What the file system has left for us.
    package var freeOctets: UInt64 = 0
    /// What is to stay free.
    package var minimumFreeOctets: Int64 = 0
    /// How often the store was opened again after an error of the disk.
    package var reopenings: UInt64 = 0
}

extension Store {
    /// The figures of now.
    ///
    /// Asks the file system, so not from an event loop more often than now and then.
    package func statistics() -> StoreStatistics {
        var statistics = writer.statistics
        statistics.databaseOctets = (try? Files.status(configuration.databasePath).size) ?? 0
        statistics.logOctets = (try? Files.status(configuration.databasePath + "-wal").size) ?? 0
        statistics.freeOctets = (try? Files.freeSpace(configuration.directory)) ?? 0
        statistics.minimumFreeOctets = configuration.minimumFreeOctets
        return statistics
    }
}
