// SPDX-License-Identifier: Apache-2.0

import IMAP
import Testing

@testable import Sync

@Suite struct UIDComparisonTests {
    private static let ranges = IMAPNumberSet(ranges: [9...12, 3...4, UInt32.max...UInt32.max])

    @Test func whatIsNotInTheSetHasDeparted() {
        let mirrored: [UInt32] = [1, 3, 4, 5, 9, 12, 13, UInt32.max]
        #expect(UIDComparison.departed(mirrored: mirrored, present: Self.ranges) == [1, 5, 13])
        #expect(UIDComparison.departed(among: mirrored, gone: Self.ranges) == [3, 4, 9, 12, UInt32.max])
        #expect(UIDComparison.departed(mirrored: mirrored, present: IMAPNumberSet()) == mirrored)
        #expect(UIDComparison.departed(mirrored: [], present: Self.ranges).isEmpty)
    }

    @Test func whatIsOnlyThereIsMissing() {
        #expect(UIDComparison.missing(from: [3, 9, 10], present: Self.ranges, limit: 3) == [4, 11, 12])
        #expect(UIDComparison.missing(from: [3, 4], present: IMAPNumberSet(3...4), limit: 9).isEmpty)
        #expect(UIDComparison.missing(from: [], present: IMAPNumberSet(1...UInt32.max), limit: 2) == [1, 2])
    }

    @Test func theHighestComeFirst() {
        var page = UIDComparison.highest(3, of: Self.ranges.normalized.ranges, below: UInt32.max)
        #expect(page.uids == [12, 11, 10] && page.hasMore)
        page = UIDComparison.highest(3, of: Self.ranges.normalized.ranges, below: 10)
        #expect(page.uids == [9, 4, 3] && !page.hasMore)
        page = UIDComparison.highest(3, of: Self.ranges.normalized.ranges, below: 3)
        #expect(page.uids.isEmpty && !page.hasMore)
        page = UIDComparison.highest(1, of: Self.ranges.normalized.ranges, below: 9)
        #expect(page.uids == [4] && page.hasMore)
        page = UIDComparison.highest(2, of: [0...1], below: 5)
        #expect(page.uids == [1, 0] && !page.hasMore)
    }

    @Test func pausesDoubleUpToABound() {
        var backOff = BackOff(firstMilliseconds: 100, lastMilliseconds: 1000)
        var pauses = (0..<6).map { _ in backOff.pause { $0.upperBound } }
        #expect(pauses == [100, 200, 400, 800, 1000, 1000])
        backOff.reset()
        pauses = [backOff.pause { $0.lowerBound }]
        #expect(pauses == [50])
    }
}
