// SPDX-License-Identifier: Apache-2.0

/// Message text for the wire: dots stuffed, every line ended by CRLF, no bare CR or LF, whatever the message holds.
///
/// What another reader might take for the end of the text cannot be in it: that is how a message inside a message was once
/// smuggled past servers.
package struct MailTextEncoder: Sendable {
    package enum Framing: Sendable {
        /// SMTP's DATA and POP3's answers: a dot at a line's beginning is doubled, a lone dot ends the text (RFC 5321 §4.5.2,
        /// RFC 1939 §3).
        case dots
        /// SMTP's BDAT (RFC 3030): the octets are counted.
        case chunks
    }

    private let framing: Framing
    private let nul: UInt8
    private var isAtLineStart = true
    private var endsInCR = false

    /// - Parameter nul: what is sent for NUL, which some protocols cannot carry.
    package init(_ framing: Framing, nul: UInt8 = ASCII.nul) {
        self.framing = framing
        self.nul = nul
    }

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
            case ASCII.nul:
                isAtLineStart = false
                output.append(nul)
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
        while index < text.count {
            let byte = text[index]
            if byte == ASCII.cr || byte == ASCII.lf || byte == ASCII.nul { break }
            index &+= 1
        }
        return index
    }
}
