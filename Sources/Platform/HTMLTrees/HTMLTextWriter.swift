// SPDX-License-Identifier: Apache-2.0

/// Lays out the text of HTML: runs of blanks are one blank, blocks begin on their own line.
struct HTMLTextWriter {
    /// What an element means for the text around it.
    enum Kind { case inline, block, paragraph, preformatted, item, cell, lineBreak, rule, image, hidden }

    private let limit: Int
    private var output: [UInt8] = []
    /// Line ends owed before the next visible octet: 0, 1 or 2.
    private var breaks = 0
    private var owesBlank = false
    private var preformatted = 0
    private(set) var isFull = false

    init(limit: Int) { self.limit = max(limit, 0) }

    mutating func begin(_ kind: Kind) {
        switch kind {
        case .inline, .image, .hidden: break
        case .block: owe(breaks: 1)
        case .paragraph: owe(breaks: 2)
        case .preformatted:
            owe(breaks: 2)
            preformatted += 1
        case .item:
            owe(breaks: 1)
            text([0x2D, 0x20])
        case .cell: owesBlank = true
        case .lineBreak: if breaks < 2, !output.isEmpty { breaks += 1 }
        case .rule: owe(breaks: 2)
        }
    }

    mutating func end(_ kind: Kind) {
        switch kind {
        case .inline, .image, .hidden, .lineBreak: break
        case .block, .item: owe(breaks: 1)
        case .paragraph, .rule: owe(breaks: 2)
        case .preformatted:
            preformatted -= 1
            owe(breaks: 2)
        case .cell: owesBlank = true
        }
    }

    private mutating func owe(breaks count: Int) {
        if !output.isEmpty { breaks = max(breaks, count) }
        owesBlank = false
    }

    mutating func text(_ octets: [UInt8]) {
        var index = 0
        while index < octets.count, !isFull {
            let byte = octets[index]
            // U+00A0 is a blank like others; soft hyphens, joiners and marks of direction are not seen.
            if byte == 0xC2, index + 1 < octets.count, octets[index + 1] == 0xA0 || octets[index + 1] == 0xAD {
                if octets[index + 1] == 0xA0 { owesBlank = true }
                index += 2
            } else if isInvisible(octets, at: index) {
                index += 3
            } else if byte == 0x0A, preformatted > 0 {
                if breaks < 2, !output.isEmpty { breaks += 1 }
                index += 1
            } else if byte <= 0x20 || byte == 0x7F {
                owesBlank = true
                index += 1
            } else {
                put(byte)
                index += 1
            }
        }
    }

    private func isInvisible(_ octets: [UInt8], at index: Int) -> Bool {
        guard index + 2 < octets.count else { return false }
        switch (octets[index], octets[index + 1], octets[index + 2]) {
        case (0xE2, 0x80, 0x8B...0x8F), (0xE2, 0x80, 0xAA...0xAE), (0xE2, 0x81, 0xA0...0xA4), (0xEF, 0xBB, 0xBF):
            return true
        default: return false
        }
    }

    private mutating func put(_ byte: UInt8) {
        if breaks > 0 {
            append(breaks, of: 0x0A)
        } else if owesBlank, let last = output.last, last != 0x0A, last != 0x20 {
            append(1, of: 0x20)
        }
        breaks = 0
        owesBlank = false
        append(1, of: byte)
    }

    private mutating func append(_ count: Int, of byte: UInt8) {
        for _ in 0..<count {
            guard output.count < limit else {
                isFull = true
                return
            }
            output.append(byte)
        }
    }

    func endsWith(_ text: [UInt8]) -> Bool { output.suffix(text.count).elementsEqual(text) }

    /// The text; a character cut by the limit is left out.
    consuming func finish() -> [UInt8] {
        if isFull {
            var start = output.count
            while start > 0, output.count - start < 4, output[start - 1] & 0xC0 == 0x80 { start -= 1 }
            if start > 0, output[start - 1] >= 0xC0 {
                let width = output[start - 1] >= 0xF0 ? 4 : output[start - 1] >= 0xE0 ? 3 : 2
                if output.count - start + 1 < width { output.removeSubrange((start - 1)...) }
            }
        }
        while let last = output.last, last == 0x0A || last == 0x20 { output.removeLast() }
        return output
    }
}
