// SPDX-License-Identifier: Apache-2.0

import Metrics
import Runtime
import Storage

/// What the store counts and takes up.
enum StoreMetrics {
    /// - Parameter workers: threads, because the file system is asked.
    static func collect(_ store: Store, workers: BlockingPool, into registry: MetricsRegistry) {
        registry.collect { writer in
            guard let statistics = try? await workers.run({ store.statistics() }) else { return }
            write(statistics, to: &writer)
        }
    }

    private static func write(_ statistics: StoreStatistics, to writer: inout MetricsWriter) {
        writer.counter("postern_store_commits_total", "Groups of writes committed.", statistics.commits)
        writer.counter("postern_store_writes_total", "Writes committed.", statistics.writes)
        writer.counter(
            "postern_store_commit_failures_total",
            "Groups that could not be committed.",
            statistics.failures
        )
        writer.counter(
            "postern_store_disk_errors_total",
            "Failures to write or sync after which the store was closed for writing and checked.",
            statistics.diskErrors
        )
        writer.family("postern_store_commit_duration_seconds", .histogram, "Commits of a group, with their sync.")
        writer.histogram("postern_store_commit_duration_seconds", [], statistics.commitDurations)
        writer.gauge("postern_store_waiting_writes", "Writes waiting now.", statistics.waiting)
        writer.gauge("postern_store_size_bytes", "Octets of the database.", statistics.databaseOctets)
        writer.gauge("postern_store_wal_bytes", "Octets of its write-ahead log.", statistics.logOctets)
        writer.gauge("postern_store_free_bytes", "Octets free on the file system.", statistics.freeOctets)
        writer.gauge(
            "postern_store_free_limit_bytes",
            "With less free no mail is taken in.",
            statistics.minimumFreeOctets
        )
        writer.counter(
            "postern_store_reopens_total",
            "Openings anew after an error of the disk.",
            statistics.reopenings
        )
    }
}
