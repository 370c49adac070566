// SPDX-License-Identifier: Apache-2.0

import Wire

/// The boundaries of the multiparts that are open, and what a line says about them.
///
/// ```
/// delimiter       := CRLF "--" boundary
/// close-delimiter := delimiter "--"
/// ```
///
/// A line that begins with a delimiter is one, whatever follows (RFC 2046 §5.1.1). Where it begins with several, the longest
/// counts, so that one boundary may be the beginning of another.
///
/// A multipart whose end has not come when a delimiter of one around it does is over (RFC 2046 §5.1.2). A line that is
/// nothing but its delimiter is no content even so: it delimits parts of the multipart that ended it. Its boundary is
/// a stray one there.
///
/// Boundaries are kept in order, so that a line is read once however many there are: those that begin as the line does
/// are always neighbours, and become fewer with each octet.
struct BoundarySet {
    struct Match: Equatable {
        /// Of the multipart concerned.
        let level: Int
        let isClose: Bool
        /// Whether something other than blanks follows.
        var hasTrailingText = false
        /// Whether the boundary is that of a multipart which the one concerned has ended.
        var isStray = false
    }

    private struct Entry {
        let boundary: [UInt8]
        /// Multiparts that have it and whose end has not come, innermost last.
        var waiting: [Int]
        /// Multiparts that have it and are open, those included that only have an epilogue left.
        var holders = 0
        /// Multiparts where it is a stray one, innermost last.
        var strayIn: [Int] = []
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    /// Adds the boundary of the multipart at that level, and says whether one around it waits for the same.
    mutating func insert(_ boundary: [UInt8], level: Int) -> Bool {
        let place = placeMade(for: boundary)
        let isRepeated = !entries[place].waiting.isEmpty
        entries[place].waiting.append(level)
        entries[place].holders += 1
        return isRepeated
    }

    /// The close delimiter of that multipart has come.
    mutating func close(_ boundary: [UInt8], level: Int) {
        let place = self.place(of: boundary)
        guard place < entries.count, entries[place].boundary == boundary else { return }
        entries[place].waiting.removeAll { $0 == level }
    }

    /// That multipart is no longer open.
    mutating func remove(_ boundary: [UInt8], level: Int) {
        close(boundary, level: level)
        let place = self.place(of: boundary)
        guard place < entries.count, entries[place].boundary == boundary else { return }
        entries[place].holders -= 1
        removeIfUnused(place)
    }

    /// The boundary becomes a stray one in the multipart of that level; says whether it was not yet.
    mutating func insertStray(_ boundary: [UInt8], level: Int) -> Bool {
        let place = placeMade(for: boundary)
        let before = entries[place].strayIn.lastIndex { $0 <= level }
        if let before, entries[place].strayIn[before] == level { return false }
        entries[place].strayIn.insert(level, at: before.map { $0 + 1 } ?? 0)
        return true
    }

    mutating func removeStray(_ boundary: [UInt8], level: Int) {
        let place = self.place(of: boundary)
        guard place < entries.count, entries[place].boundary == boundary else { return }
        entries[place].strayIn.removeAll { $0 == level }
        removeIfUnused(place)
    }

    private mutating func removeIfUnused(_ place: Int) {
        if entries[place].holders == 0, entries[place].strayIn.isEmpty { entries.remove(at: place) }
    }

    /// The place of the boundary's entry.
    private mutating func placeMade(for boundary: [UInt8]) -> Int {
        let place = self.place(of: boundary)
        if place == entries.count || entries[place].boundary != boundary {
            entries.insert(Entry(boundary: boundary, waiting: []), at: place)
        }
        return place
    }

    /// The first entry that does not come before the boundary.
    private func place(of boundary: [UInt8]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = low + (high - low) / 2
            if entries[middle].boundary.lexicographicallyPrecedes(boundary) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Lines

    /// What the line delimits; nil for ordinary text and for what lies behind the close delimiter of the same multipart.
    func match(_ line: [UInt8]) -> Match? {
        guard line.count > 2, line[0] == ASCII.hyphen, line[1] == ASCII.hyphen, !entries.isEmpty else { return nil }
        var end = line.count
        while end > 2, ASCII.isWhitespace(line[end - 1]) { end -= 1 }
        let found = beginnings(of: line, to: end)
        // A whole line may be the delimiter of one and the close delimiter of another: the innermost has it.
        let opening = found.opening.flatMap { entries[$0].waiting.last }
        let closing = found.closing.flatMap { entries[$0].waiting.last }
        if let level = [opening, closing].compactMap({ $0 }).max() {
            return Match(level: level, isClose: level != opening)
        }
        let strayOpening = found.opening.flatMap { entries[$0].strayIn.last }
        let strayClosing = found.closing.flatMap { entries[$0].strayIn.last }
        if let level = [strayOpening, strayClosing].compactMap({ $0 }).max() {
            return Match(level: level, isClose: level != strayOpening, isStray: true)
        }
        guard let longest = found.longest, let level = entries[longest].waiting.last else { return nil }
        let rest = line[(2 + entries[longest].boundary.count)..<end]
        return Match(level: level, isClose: rest.starts(with: [ASCII.hyphen, ASCII.hyphen]), hasTrailingText: true)
    }

    private struct Beginnings {
        var longest: Int?
        /// The boundary that is all the line has.
        var opening: Int?
        /// The boundary before the `--` at the end.
        var closing: Int?
    }

    private func beginnings(of line: [UInt8], to end: Int) -> Beginnings {
        let endsWithHyphens = end >= 5 && line[end - 1] == ASCII.hyphen && line[end - 2] == ASCII.hyphen
        var found = Beginnings()
        // Entries in `low..<high` begin as the line does, as far as it is read.
        var low = 0
        var high = entries.count
        var length = 0
        while low < high {
            // The shortest comes first.
            if entries[low].boundary.count == length {
                if entries[low].holders > 0 { found.longest = low }
                if 2 + length == end { found.opening = low }
                if 2 + length == end - 2, endsWithHyphens { found.closing = low }
                low += 1
            }
            guard 2 + length < end else { break }
            let byte = line[2 + length]
            while low < high, entries[low].boundary[length] < byte { low += 1 }
            while low < high, entries[high - 1].boundary[length] > byte { high -= 1 }
            length += 1
        }
        return found
    }
}
