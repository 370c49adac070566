// SPDX-License-Identifier: Apache-2.0

import SQLite
package import Wire

/// A queue that is held: nothing in it is due, whatever its time, until it is released.
///
/// A restored store begins so where deliveries waited: some of them may have been made after the backup.
extension Outbox {
    /// Since when the queue is held; nil when it is not.
    package func heldSince() throws -> Timestamp? {
        try view.connection.first("SELECT since FROM holds WHERE name = 'queue'") {
            Timestamp(milliseconds: $0.int64(0))
        }
    }

    /// Recipients that a delivery is still due to.
    package func waiting() throws -> Int {
        try view.connection.first("SELECT count(*) FROM recipients WHERE due IS NOT NULL") { $0.int(0) } ?? 0
    }
}

extension Outbox where View == Transaction {
    /// Holds the queue if anything waits in it; how many recipients that are.
    package func hold() throws -> Int {
        let count = try waiting()
        if count > 0 {
            try view.connection.run(
                "INSERT OR IGNORE INTO holds (name, since) VALUES ('queue', ?1)",
                view.now.milliseconds
            )
        }
        return count
    }

    /// Lets the queue go on; false when it was not held.
    package func release() throws -> Bool {
        try view.connection.run("DELETE FROM holds WHERE name = 'queue'") > 0
    }
}
