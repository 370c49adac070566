// SPDX-License-Identifier: Apache-2.0

import IMAP
import MailTypes
import Storage

/// What a look at a folder of a server showed, compared with what is mirrored of it.
struct FolderChanges: Sendable {
    /// UIDs that are not mirrored, above those that are.
    var arrived = IMAPNumberSet()
    /// UIDs that were mirrored and are there no more, ascending.
    var departed: [UInt32] = []
    /// Flags that are others now.
    var flags: [(uid: UInt32, flags: MessageFlags)] = []
    /// What is noted of the folder when all of that is mirrored.
    var remote: RemoteFolder
}

/// Compares UIDs that are mirrored with those that a server has, both ascending.
enum UIDComparison {
    /// The mirrored ones that the server has not.
    static func departed(mirrored: [UInt32], present: IMAPNumberSet) -> [UInt32] {
        var departed: [UInt32] = []
        var ranges = present.ranges.sorted { $0.lowerBound < $1.lowerBound }[...]
        for uid in mirrored {
            while let range = ranges.first, range.upperBound < uid { ranges.removeFirst() }
            if let range = ranges.first, range.contains(uid) { continue }
            departed.append(uid)
        }
        return departed
    }

    /// The highest numbers of a set that are below `limit`, at most `count`, descending; and whether there are more.
    static func highest(
        _ count: Int,
        of set: IMAPNumberSet,
        below limit: UInt32
    ) -> (uids: [UInt32], hasMore: Bool) {
        var uids: [UInt32] = []
        for range in set.ranges.sorted(by: { $0.lowerBound > $1.lowerBound }) {
            guard range.lowerBound < limit else { continue }
            var uid = min(range.upperBound, limit - 1)
            while uid >= range.lowerBound {
                guard uids.count < count else { return (uids, true) }
                uids.append(uid)
                guard uid > 0 else { break }
                uid -= 1
            }
        }
        return (uids, false)
    }
}
