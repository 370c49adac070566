// SPDX-License-Identifier: Apache-2.0

import Wire

/// Undoes what RFC 1939 §3 does to a message on its way: a dot more at the beginning of a line that begins with one, and a
/// line that is a dot alone behind the last.
struct POP3TextDecoder: Sendable {
    private enum State: Sendable {
        case lineStart
        /// A dot began the line.
        case dot
        /// A dot and CR began it.
        case dotCR
        case line
        /// CR within a line.
        case cr
    }

    private let lineEnd: POP3LineEnd
    private var state = State.lineStart

    init(_ lineEnd: POP3LineEnd) { self.lineEnd = lineEnd }

    /// Takes octets from the front of `input` into `output`, up to some `limit`; true when that was the end of the text.
    mutating func decode(_ input: inout ByteBuffer, into output: inout ByteBuffer, limit: Int) -> Bool {
        var index = 0
        while index < input.count, output.count < limit {
            let byte = input.bytes[index]
            switch state {
            case .lineStart where byte == ASCII.dot:
                state = .dot
                index += 1
            case .dot where byte == ASCII.cr && lineEnd == .crlf:
                state = .dotCR
                index += 1
            case .dot where byte == ASCII.lf && lineEnd == .lf, .dotCR where byte == ASCII.lf:
                input.consume(index + 1)
                return true
            case .dotCR:
                // The dot was one too many, and the CR is the line's own.
                output.append(ASCII.cr)
                state = .cr
            case .lineStart, .dot, .line, .cr: index = takeLine(input.bytes, from: index, into: &output)
            }
        }
        input.consume(index)
        return false
    }

    /// Takes the rest of a line, as much of it as there is.
    private mutating func takeLine(_ bytes: Span<UInt8>, from start: Int, into output: inout ByteBuffer) -> Int {
        var index = start
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == ASCII.lf, lineEnd == .lf || state == .cr {
                state = .lineStart
                break
            }
            state = byte == ASCII.cr ? .cr : .line
        }
        output.append(bytes.extracting(start..<index))
        return index
    }
}
