// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Message text for the wire: dots stuffed, every line ended by CRLF, no bare CR or LF, whatever the message holds.
///
/// What another reader might take for the end of the text cannot be in it: that is how a message inside a message was once
/// smuggled past servers.
package struct SMTPTextEncoder: Sendable {
    package enum Framing: Sendable {
        /// DATA: a dot at a line's beginning is doubled, a lone dot ends the text (RFC 5321 §4.5.2).
        case dots
        /// BDAT (RFC 3030): the octets are counted.
        case chunks
    }

    private let framing: Framing
    private var isAtLineStart = true
    private var endsInCR = false

    package init(_ framing: Framing) { self.framing = framing }

    /// Appends the next octets of the message.
    package mutating func encode(_ text: Span<UInt8>, into output: inout ByteBuffer) {
        var index = 0
        while index < text.count {
            let byte = text[index]
            if endsInCR {
                endsInCR = false
                endLine(&output)
                // The CR had its LF, or stood alone and has one now.
                if byte == ASCII.lf {
                    index += 1
                    continue
                }
            }
            switch byte {
            case ASCII.cr:
                endsInCR = true
                index += 1
            case ASCII.lf:
                endLine(&output)
                index += 1
            default:
                if isAtLineStart, byte == ASCII.dot, framing == .dots { output.append(ASCII.dot) }
                isAtLineStart = false
                let end = endOfRun(text, from: index)
                output.append(text.extracting(index..<end))
                index = end
            }
        }
    }

    /// Ends the last line, if it is not ended, and for DATA the text.
    package mutating func finish(into output: inout ByteBuffer) {
        if endsInCR || !isAtLineStart { endLine(&output) }
        endsInCR = false
        if framing == .dots { output.append(".\r\n") }
    }

    private mutating func endLine(_ output: inout ByteBuffer) {
        output.appendLineEnd()
        isAtLineStart = true
    }

    private func endOfRun(_ text: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < text.count, text[index] != ASCII.cr, text[index] != ASCII.lf { index &+= 1 }
        return index
    }
}
