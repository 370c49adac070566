// SPDX-License-Identifier: Apache-2.0

import Storage

extension StoreStatistics {
    /// Writes the store's samples.
    func write(to writer: inout MetricsWriter) {
        func one(_ name: String, _ kind: MetricsWriter.Kind, _ help: String, _ value: some BinaryInteger) {
            writer.family(name, kind, help)
            writer.sample(name, [], value)
        }
        one("postern_store_commits_total", .counter, "Groups of writes committed.", commits)
        one("postern_store_writes_total", .counter, "Writes committed.", writes)
        one("postern_store_commit_failures_total", .counter, "Groups that could not be committed.", failures)
        writer.family("postern_store_commit_seconds_total", .counter, "Time spent in commits, with their syncs.")
        writer.sample(
            "postern_store_commit_seconds_total",
            [],
            text: MetricsWriter.seconds(nanoseconds: commitNanoseconds)
        )
        one("postern_store_waiting_writes", .gauge, "Writes waiting now.", waiting)
        one("postern_store_size_bytes", .gauge, "Octets of the database.", databaseOctets)
        one("postern_store_wal_bytes", .gauge, "Octets of its write-ahead log.", logOctets)
        one("postern_store_free_bytes", .gauge, "Octets free on the file system.", freeOctets)
    }
}
