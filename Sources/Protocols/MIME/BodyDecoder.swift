// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Undoes a transfer encoding, in pieces as they come.
///
/// It takes everything: what does not belong is skipped or kept as it is, as readers of mail do, and ``sawMalformed``
/// says so. The output is never longer than the input and a few octets.
package struct BodyDecoder: Sendable {
    private enum Method {
        case identity
        case base64(Base64Stream)
        case quotedPrintable(QuotedPrintableStream)
        case uuencode(UUStream)
    }

    private var method: Method

    package init(_ encoding: TransferEncoding) {
        switch encoding {
        case .sevenBit, .eightBit, .binary: method = .identity
        case .base64: method = .base64(Base64Stream())
        case .quotedPrintable: method = .quotedPrintable(QuotedPrintableStream())
        case .uuencode: method = .uuencode(UUStream())
        }
    }

    package var sawMalformed: Bool {
        switch method {
        case .identity: false
        case .base64(let stream): stream.sawMalformed
        case .quotedPrintable(let stream): stream.sawMalformed
        case .uuencode(let stream): stream.sawMalformed
        }
    }

    /// Whether what came cannot be what the encoding makes, though it was said to be.
    package var isNotEncoded: Bool {
        if case .base64(let stream) = method { stream.isNotBase64 } else { false }
    }

    /// Appends what `input` encodes, as far as it is complete.
    package mutating func decode(_ input: Span<UInt8>, into output: inout ByteBuffer) {
        switch method {
        case .identity: output.append(input)
        case .base64(var stream):
            method = .identity
            stream.decode(input, into: &output)
            method = .base64(stream)
        case .quotedPrintable(var stream):
            method = .identity
            stream.decode(input, into: &output)
            method = .quotedPrintable(stream)
        case .uuencode(var stream):
            method = .identity
            stream.decode(input, into: &output)
            method = .uuencode(stream)
        }
    }

    /// Appends what is left at the end.
    package mutating func finish(into output: inout ByteBuffer) {
        switch method {
        case .identity: break
        case .base64(var stream):
            stream.finish(into: &output)
            method = .base64(stream)
        case .quotedPrintable(var stream):
            stream.finish(into: &output)
            method = .quotedPrintable(stream)
        case .uuencode(var stream):
            stream.finish(into: &output)
            method = .uuencode(stream)
        }
    }

    package static func decode(_ input: Span<UInt8>, _ encoding: TransferEncoding) -> [UInt8] {
        var decoder = BodyDecoder(encoding)
        var output = ByteBuffer()
        decoder.decode(input, into: &output)
        decoder.finish(into: &output)
        return output.array()
    }
}

/// RFC 2045 §6.8: octets outside the alphabet are skipped; padding ends a run and its line, and another may follow.
///
/// Where the first line has such octets before any padding, it is something else than base64.
private struct Base64Stream {
    private(set) var isNotBase64 = false
    private var isInFirstLine = true
    /// Behind padding, until the line ends.
    private var isBehindPadding = false
    private var group: UInt32 = 0
    private var digits = 0
    private(set) var sawMalformed = false

    mutating func decode(_ input: Span<UInt8>, into output: inout ByteBuffer) {
        output.reserve(input.count / 4 * 3 + 3)
        for index in input.indices {
            let byte = input[index]
            if isBehindPadding {
                if byte == ASCII.lf {
                    isBehindPadding = false
                } else if !ASCII.isWhitespace(byte), byte != ASCII.equals {
                    sawMalformed = true
                }
            } else if let value = Base64.value(of: byte) {
                group = group << 6 | UInt32(value)
                digits += 1
                if digits == 4 {
                    output.append(UInt8(group >> 16 & 0xFF))
                    output.append(UInt8(group >> 8 & 0xFF))
                    output.append(UInt8(group & 0xFF))
                    group = 0
                    digits = 0
                }
            } else if byte == ASCII.equals {
                isBehindPadding = digits >= 2
                isInFirstLine = false
                endRun(into: &output)
            } else if byte == ASCII.lf {
                isInFirstLine = false
            } else if !ASCII.isWhitespace(byte) {
                sawMalformed = true
                if isInFirstLine { isNotBase64 = true }
            }
        }
    }

    mutating func finish(into output: inout ByteBuffer) {
        if digits > 0 { sawMalformed = true }
        endRun(into: &output)
    }

    private mutating func endRun(into output: inout ByteBuffer) {
        switch digits {
        case 1: sawMalformed = true
        case 2: output.append(UInt8(group >> 4 & 0xFF))
        case 3:
            output.append(UInt8(group >> 10 & 0xFF))
            output.append(UInt8(group >> 2 & 0xFF))
        default: break
        }
        group = 0
        digits = 0
    }
}

/// RFC 2045 §6.7: blanks at the ends of lines are not content; an `=` that begins nothing known is itself.
private struct QuotedPrintableStream {
    private enum State {
        case text
        case carriageReturn
        case equals
        case hex(UInt8)
        case equalsCarriageReturn
        /// Blanks behind an `=`: before a line end they are not there.
        case equalsBlank
    }

    /// Blanks held back at most; a line with more of them keeps them.
    private static let mostBlanks = 1_000

    private var state = State.text
    private var blanks: [UInt8] = []
    private(set) var sawMalformed = false

    mutating func decode(_ input: Span<UInt8>, into output: inout ByteBuffer) {
        output.reserve(input.count)
        for index in input.indices { take(input[index], into: &output) }
    }

    private mutating func take(_ byte: UInt8, into output: inout ByteBuffer) {
        switch state {
        case .text: takeText(byte, into: &output)
        case .carriageReturn:
            state = .text
            if byte == ASCII.lf {
                blanks.removeAll(keepingCapacity: true)
                output.appendLineEnd()
            } else {
                flushBlanks(into: &output)
                output.append(ASCII.cr)
                takeText(byte, into: &output)
            }
        case .equals: takeAfterEquals(byte, into: &output)
        case .hex(let first):
            state = .text
            if let high = ASCII.hexValue(first), let low = ASCII.hexValue(byte) {
                output.append(high << 4 | low)
            } else {
                sawMalformed = true
                output.append(ASCII.equals)
                output.append(first)
                takeText(byte, into: &output)
            }
        case .equalsCarriageReturn:
            state = .text
            if byte != ASCII.lf { takeText(byte, into: &output) }
        case .equalsBlank:
            switch byte {
            case ASCII.space, ASCII.tab: hold(byte, behindEquals: true, into: &output)
            case ASCII.cr, ASCII.lf:
                blanks.removeAll(keepingCapacity: true)
                state = byte == ASCII.cr ? .equalsCarriageReturn : .text
            default:
                sawMalformed = true
                output.append(ASCII.equals)
                state = .text
                takeText(byte, into: &output)
            }
        }
    }

    private mutating func takeText(_ byte: UInt8, into output: inout ByteBuffer) {
        switch byte {
        case ASCII.equals:
            flushBlanks(into: &output)
            state = .equals
        case ASCII.space, ASCII.tab: hold(byte, behindEquals: false, into: &output)
        case ASCII.cr: state = .carriageReturn
        case ASCII.lf:
            blanks.removeAll(keepingCapacity: true)
            output.append(byte)
        default:
            if !blanks.isEmpty { flushBlanks(into: &output) }
            output.append(byte)
        }
    }

    private mutating func takeAfterEquals(_ byte: UInt8, into output: inout ByteBuffer) {
        switch byte {
        case ASCII.cr: state = .equalsCarriageReturn
        case ASCII.lf: state = .text
        case ASCII.space, ASCII.tab:
            blanks.append(byte)
            state = .equalsBlank
        case _ where ASCII.hexValue(byte) != nil: state = .hex(byte)
        default:
            sawMalformed = true
            output.append(ASCII.equals)
            state = .text
            takeText(byte, into: &output)
        }
    }

    private mutating func hold(_ byte: UInt8, behindEquals: Bool, into output: inout ByteBuffer) {
        blanks.append(byte)
        guard blanks.count > Self.mostBlanks else { return }
        if behindEquals { output.append(ASCII.equals) }
        state = .text
        flushBlanks(into: &output)
    }

    private mutating func flushBlanks(into output: inout ByteBuffer) {
        output.append(blanks)
        blanks.removeAll(keepingCapacity: true)
    }

    mutating func finish(into output: inout ByteBuffer) {
        switch state {
        case .carriageReturn: output.append(ASCII.cr)
        case .hex(let first):
            sawMalformed = true
            output.append(ASCII.equals)
            output.append(first)
        case .text, .equals, .equalsCarriageReturn, .equalsBlank: break
        }
        blanks.removeAll()
        state = .text
    }
}

/// The lines between `begin` and `end`: the first character says how many octets the line holds.
private struct UUStream {
    private static let longestLine = 100

    private enum State { case before, inside, behind }

    private var state = State.before
    private var line: [UInt8] = []
    private(set) var sawMalformed = false

    mutating func decode(_ input: Span<UInt8>, into output: inout ByteBuffer) {
        for index in input.indices {
            let byte = input[index]
            if byte == ASCII.lf {
                endLine(into: &output)
            } else if line.count < Self.longestLine {
                line.append(byte)
            } else if state == .inside {
                sawMalformed = true
            }
        }
    }

    mutating func finish(into output: inout ByteBuffer) {
        endLine(into: &output)
        if state != .behind { sawMalformed = true }
    }

    private mutating func endLine(into output: inout ByteBuffer) {
        defer { line.removeAll(keepingCapacity: true) }
        if line.last == ASCII.cr { line.removeLast() }
        switch state {
        case .before: if line.starts(with: Array("begin ".utf8)) { state = .inside }
        case .inside: decodeLine(into: &output)
        case .behind: break
        }
    }

    private mutating func decodeLine(into output: inout ByteBuffer) {
        guard let first = line.first else { return }
        guard line != Array("end".utf8) else {
            state = .behind
            return
        }
        var left = Int((first &- 0x20) & 63)
        var index = 1
        while left > 0 {
            guard index < line.count else {
                sawMalformed = true
                return
            }
            var group: UInt32 = 0
            for place in index..<index + 4 {
                group = group << 6 | UInt32(place < line.count ? (line[place] &- 0x20) & 63 : 0)
            }
            for shift: UInt32 in [16, 8, 0] where left > 0 {
                output.append(UInt8(group >> shift & 0xFF))
                left -= 1
            }
            index += 4
        }
    }
}
