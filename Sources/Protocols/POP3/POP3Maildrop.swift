// SPDX-License-Identifier: Apache-2.0

/// The messages a session shows: as they were when it began (RFC 1939 §4), and which of them are marked as deleted.
///
/// An index is a message's number less one.
package struct POP3Maildrop: Sendable {
    private var sizes: [Int64] = []
    /// All unique ids, one behind the other, and where each ends.
    private var idOctets: [UInt8] = []
    private var idEnds: [Int] = []
    private var isMarked: [Bool] = []
    /// Those that are marked, in the order in which they were.
    private var marks: [Int] = []
    private var octets: Int64 = 0
    /// Of those that are not marked.
    package private(set) var unmarkedCount = 0
    package private(set) var unmarkedOctets: Int64 = 0

    package init() {}

    package mutating func reserve(_ messages: Int, idOctets octets: Int) {
        sizes.reserveCapacity(messages)
        idEnds.reserveCapacity(messages)
        isMarked.reserveCapacity(messages)
        idOctets.reserveCapacity(octets)
    }

    /// - Parameters:
    ///   - size: octets, as they are sent but for the dots that are added.
    ///   - uniqueID: of 1…70 octets from `!` to `~`, and no other message's ever (RFC 1939 §7).
    package mutating func append(size: Int64, uniqueID: [UInt8]) {
        precondition((1...70).contains(uniqueID.count) && uniqueID.allSatisfy { (0x21...0x7E).contains($0) })
        sizes.append(size)
        idOctets += uniqueID
        idEnds.append(idOctets.count)
        isMarked.append(false)
        unmarkedCount += 1
        unmarkedOctets += size
        octets += size
    }

    /// Marked ones included.
    package var count: Int { sizes.count }

    /// The index of a message by its number, unless there is none or it is marked.
    func index(of number: UInt32) -> Int? {
        guard number >= 1, number <= sizes.count, !isMarked[Int(number) - 1] else { return nil }
        return Int(number) - 1
    }

    func isMarked(_ index: Int) -> Bool { isMarked[index] }
    func size(of index: Int) -> Int64 { sizes[index] }
    func uniqueID(of index: Int) -> ArraySlice<UInt8> { idOctets[(index == 0 ? 0 : idEnds[index - 1])..<idEnds[index]] }

    mutating func mark(_ index: Int) {
        isMarked[index] = true
        marks.append(index)
        unmarkedCount -= 1
        unmarkedOctets -= sizes[index]
    }

    /// Costs no more than the marks did, so that it cannot be asked for too often.
    mutating func unmarkAll() {
        for index in marks { isMarked[index] = false }
        marks = []
        unmarkedCount = sizes.count
        unmarkedOctets = octets
    }

    var hasMarks: Bool { !marks.isEmpty }
    /// Ascending.
    var marked: [Int] { marks.sorted() }
}
