// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Message sequence numbers or UIDs as ranges: `sequence-set` and `uid-set` of RFC 9051 §9.
///
/// `*`, the largest number in use, is ``largest``. A set that a peer sent keeps the order of its ranges, which means something
/// in COPYUID and in the answer to SORT.
package struct IMAPNumberSet: Hashable, Sendable {
    /// What `*` is held as: 4,294,967,295.
    package static let largest = UInt32.max

    /// Each with its smaller number first.
    package private(set) var ranges: [ClosedRange<UInt32>]

    package init() { ranges = [] }

    package init(_ range: ClosedRange<UInt32>) { ranges = [range] }

    /// These ranges in this order.
    package init(ranges: [ClosedRange<UInt32>]) { self.ranges = ranges }

    /// As few ascending ranges as can be; numbers may come in any order and more than once.
    package init(_ numbers: some Sequence<UInt32>) {
        ranges = []
        for number in numbers.sorted() {
            guard let last = ranges.last, number <= last.upperBound || number == last.upperBound + 1 else {
                ranges.append(number...number)
                continue
            }
            ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, number)
        }
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// How many numbers there are, those that stand in two ranges twice.
    package var count: UInt64 {
        ranges.reduce(0) { $0 &+ UInt64($1.upperBound &- $1.lowerBound) &+ 1 }
    }

    /// Costs a look at each range.
    package func contains(_ number: UInt32) -> Bool { ranges.contains { $0.contains(number) } }

    /// The numbers in the order of the set; nil where they are more than `limit`, so that `1:*` is never written out.
    package func numbers(limit: Int) -> [UInt32]? {
        guard count <= UInt64(max(limit, 0)) else { return nil }
        return ranges.flatMap { Array($0) }
    }

    /// The number at this place of the order, counted from 0.
    package func number(at place: UInt64) -> UInt32? {
        var rest = place
        for range in ranges {
            let count = UInt64(range.upperBound &- range.lowerBound) &+ 1
            if rest < count { return range.lowerBound &+ UInt32(rest) }
            rest -= count
        }
        return nil
    }

    /// Where a number stands in the order, counted from 0.
    package func place(of number: UInt32) -> UInt64? {
        var before: UInt64 = 0
        for range in ranges {
            if range.contains(number) { return before &+ UInt64(number &- range.lowerBound) }
            before &+= UInt64(range.upperBound &- range.lowerBound) &+ 1
        }
        return nil
    }

    /// Ascending, without overlaps, in as few ranges as can be.
    package var normalized: Self {
        var merged: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = merged.last, last.upperBound == .max || range.lowerBound <= last.upperBound + 1 else {
                merged.append(range)
                continue
            }
            merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
        }
        return Self(ranges: merged)
    }

    /// ```.
    /// sequence-set = (seq-number / seq-range) ["," sequence-set]
    /// seq-range    = seq-number ":" seq-number
    /// seq-number   = nz-number / "*"
    /// ```.
    package func append(to output: inout ByteBuffer) {
        for (index, range) in ranges.enumerated() {
            if index > 0 { output.append(ASCII.comma) }
            Self.append(range.lowerBound, to: &output)
            guard range.lowerBound < range.upperBound else { continue }
            output.append(ASCII.colon)
            Self.append(range.upperBound, to: &output)
        }
    }

    private static func append(_ number: UInt32, to output: inout ByteBuffer) {
        if number == largest { output.append(ASCII.asterisk) } else { output.append(decimal: UInt64(number)) }
    }

    /// The set split so that each piece is written in at most so many octets: servers have a limit for a line.
    package func pieces(ofAtMost octets: Int) -> [Self] {
        var pieces: [Self] = []
        var current: [ClosedRange<UInt32>] = []
        var length = 0
        for range in ranges {
            var written = ByteBuffer()
            Self(range).append(to: &written)
            if length + written.count + 1 > octets, !current.isEmpty {
                pieces.append(Self(ranges: current))
                current = []
                length = 0
            }
            current.append(range)
            length += written.count + 1
        }
        return current.isEmpty ? pieces : pieces + [Self(ranges: current)]
    }
}

extension IMAPCursor {
    mutating func numberSet() throws(IMAPSyntaxError) -> IMAPNumberSet {
        var ranges: [ClosedRange<UInt32>] = []
        repeat {
            let first = try setNumber()
            let last = take(ASCII.colon) ? try setNumber() : first
            ranges.append(min(first, last)...max(first, last))
        } while take(ASCII.comma)
        return IMAPNumberSet(ranges: ranges)
    }

    private mutating func setNumber() throws(IMAPSyntaxError) -> UInt32 {
        take(ASCII.asterisk) ? IMAPNumberSet.largest : try nonZero()
    }
}

extension IMAPNumberSet {
    /// As it is written; nil for anything else.
    package init?(_ text: [UInt8]) {
        var cursor = IMAPCursor(text)
        guard let set = try? cursor.numberSet(), cursor.isAtEnd else { return nil }
        self = set
    }
}
