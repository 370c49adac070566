// SPDX-License-Identifier: Apache-2.0

import Wire

/// A text to be looked for whatever the case of its letters and of those around it (RFC 9051 §6.4.4: `i;unicode-casemap` in
/// essence): looked for as a piece of a word too.
struct FoldedNeedle: Sendable {
    let octets: [UInt8]

    init(_ text: [UInt8]) { octets = FoldedText.fold(text) }

    func isIn(_ text: [UInt8]) -> Bool { isIn(folded: FoldedText.fold(text)) }

    func isIn(folded text: [UInt8]) -> Bool {
        guard let first = octets.first else { return true }
        guard text.count >= octets.count else { return false }
        let (text, needle) = (text.span, octets.span)
        var start = 0
        while start <= text.count - needle.count {
            guard let place = text.firstIndex(of: first, from: start), place <= text.count - needle.count else {
                return false
            }
            if text.extracting(place..<place + needle.count).equals(needle) { return true }
            start = place + 1
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
