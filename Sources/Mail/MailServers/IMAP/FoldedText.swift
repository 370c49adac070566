// SPDX-License-Identifier: Apache-2.0

import Wire

/// A text to be looked for whatever the case of its letters and of those around it (RFC 9051 §6.4.4: `i;unicode-casemap` in
/// essence): looked for as a piece of a word too.
struct FoldedNeedle: Sendable {
    let octets: [UInt8]
    /// Behind how many of its octets, which also end where the first n of them do, one goes on (Knuth, Morris, Pratt).
    private let fallback: [Int]

    init(_ text: [UInt8]) {
        let octets = FoldedText.fold(text)
        var fallback = [Int](repeating: 0, count: octets.count)
        var length = 0
        for index in octets.indices.dropFirst() {
            while length > 0, octets[length] != octets[index] { length = fallback[length - 1] }
            if octets[length] == octets[index] { length += 1 }
            fallback[index] = length
        }
        self.octets = octets
        self.fallback = fallback
    }

    func isIn(_ text: [UInt8]) -> Bool { isIn(folded: FoldedText.fold(text)) }

    /// In time that grows with the text, whatever is looked for.
    func isIn(folded text: [UInt8]) -> Bool {
        guard let first = octets.first else { return true }
        let text = text.span
        var (index, length) = (0, 0)
        while index < text.count {
            if length == 0 {
                guard let place = text.firstIndex(of: first, from: index) else { return false }
                index = place
            }
            while length > 0, octets[length] != text[index] { length = fallback[length - 1] }
            if octets[length] == text[index] { length += 1 }
            if length == octets.count { return true }
            index += 1
        }
        return false
    }
}

/// A text that comes in pieces, and what of several needles was seen in it.
struct FoldedText {
    private var tail: [UInt8] = []
    private let needles: [FoldedNeedle]
    private let overlap: Int
    private(set) var found: [Bool]

    init(_ needles: [FoldedNeedle]) {
        self.needles = needles
        overlap = (needles.map(\.octets.count).max() ?? 1) - 1
        found = needles.map(\.octets.isEmpty)
    }

    var hasAll: Bool { found.allSatisfy { $0 } }

    /// The next octets: UTF-8, whole characters.
    mutating func take(_ piece: [UInt8]) {
        let text = tail + Self.fold(piece)
        for index in needles.indices where !found[index] { found[index] = needles[index].isIn(folded: text) }
        tail = Array(text.suffix(max(overlap, 0)))
    }

    /// Another text begins: nothing is found across the two.
    mutating func end() { tail = [] }

    static func fold(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(where: { $0 >= 0x80 }) else { return text.map(ASCII.lowercased) }
        var folded: [UInt8] = []
        folded.reserveCapacity(text.count)
        for scalar in text.span.repairedUTF8String().unicodeScalars {
            if scalar.isASCII {
                folded.append(ASCII.lowercased(UInt8(ascii: scalar)))
            } else {
                folded += Array(scalar.properties.lowercaseMapping.utf8)
            }
        }
        return folded
    }
}
