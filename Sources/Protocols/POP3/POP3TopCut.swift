// SPDX-License-Identifier: Apache-2.0

import Wire

/// Where a message is cut off by TOP: behind its header, the blank line, and so many lines of its body (RFC 1939 §7).
struct POP3TopCut: Sendable {
    private var linesLeft: UInt32
    private var isHeader = true
    /// Whether the line so far has nothing but a CR.
    private var isBlank = true
    private(set) var isDone = false

    init(lines: UInt32) { linesLeft = lines }

    /// How many of the message's next octets belong to the answer.
    mutating func take(_ text: Span<UInt8>) -> Int {
        var index = 0
        while index < text.count, !isDone {
            let byte = text[index]
            index += 1
            if byte == ASCII.lf { endLine() } else if byte != ASCII.cr { isBlank = false }
        }
        return index
    }

    private mutating func endLine() {
        if !isHeader {
            linesLeft -= 1
        } else if isBlank {
            isHeader = false
        }
        isDone = !isHeader && linesLeft == 0
        isBlank = true
    }
}
