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
    var flags: [UInt32: MessageFlags] = [:]
    /// The folder was never looked into before: what is in it is not news.
    var isFirst = false
    /// What is noted of the folder when all of that is mirrored.
    var remote: RemoteFolder
}

/// Compares UIDs that are mirrored with those that a server has, both ascending.
enum UIDComparison {
    /// The mirrored ones that the server has not.
    static func departed(mirrored: [UInt32], present: IMAPNumberSet) -> [UInt32] {
        split(mirrored, by: present).outside
    }

    /// The mirrored ones that the server says are gone.
    static func departed(among mirrored: [UInt32], gone: IMAPNumberSet) -> [UInt32] {
        split(mirrored, by: gone).inside
    }

    /// Those that the server has and the mirror has not, the lowest first, at most `limit`.
    static func missing(from mirrored: [UInt32], present: IMAPNumberSet, limit: Int) -> [UInt32] {
        var missing: [UInt32] = []
        var known = mirrored[...]
        for range in present.normalized.ranges {
            for uid in range {
                while let first = known.first, first < uid { known.removeFirst() }
                if known.first == uid { continue }
                guard missing.count < limit else { return missing }
                missing.append(uid)
            }
        }
        return missing
    }

    /// One walk over both.
    private static func split(_ uids: [UInt32], by set: IMAPNumberSet) -> (inside: [UInt32], outside: [UInt32]) {
        var (inside, outside): ([UInt32], [UInt32]) = ([], [])
        var ranges = set.normalized.ranges[...]
        for uid in uids {
            while let range = ranges.first, range.upperBound < uid { ranges.removeFirst() }
            if let range = ranges.first, range.contains(uid) { inside.append(uid) } else { outside.append(uid) }
        }
        return (inside, outside)
    }

    /// The highest numbers of ascending ranges that are below `limit`, at most `count`, descending; and whether there are more.
    static func highest(
        _ count: Int,
        of ranges: [ClosedRange<UInt32>],
        below limit: UInt32
    ) -> (uids: [UInt32], hasMore: Bool) {
        var uids: [UInt32] = []
        for range in ranges.prefix(upTo: ranges.partition { $0.lowerBound < limit }).reversed() {
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

extension Array {
    /// How many elements at the beginning are so, where all that are so come before all that are not.
    fileprivate func partition(_ isSo: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isSo(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
