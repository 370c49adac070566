// SPDX-License-Identifier: Apache-2.0

package import Wire

/// What a server does with a carriage return or a line feed that stands alone in a message.
package enum SMTPLineEndPolicy: Sendable {
    /// The message is refused, after its proper end. No two readers can then disagree about where it ends.
    case reject
    /// It becomes CRLF. It still never ends the message.
    case normalize
}

/// Message text from the wire, octet by octet, with dots unstuffed: only CR LF `.` CR LF ends it (RFC 5321 §4.1.1.4).
///
/// A message whose line ends are doubtful is read to its proper end and then refused: what stands between a doubtful end
/// and the proper one could otherwise be taken for commands.
///
/// ```
///          ┌──────── other ────────┐            ┌─ LF ──▶ lineStart
///   lineStart ── "." ──▶ dot ── other ──▶ text ─┤ CR ──▶ carriageReturn ─┘ (other: it was bare)
///                         └── CR ──▶ dotReturn ── LF ──▶ the end
/// ```
package struct SMTPTextDecoder: Sendable {
    package enum Framing: Sendable {
        /// DATA: dots are stuffed, a lone dot ends the text.
        case dots
        /// BDAT (RFC 3030): the octets were counted, a dot is a dot.
        case chunks
    }

    package enum Defect: Hashable, Sendable { case bareCR, bareLF, nul, lineTooLong }

    private enum State: Sendable { case lineStart, text, carriageReturn, dot, dotReturn }

    private let framing: Framing
    private let policy: SMTPLineEndPolicy
    private let maximumLineOctets: Int
    private var state = State.lineStart
    private var lineOctets = 0

    /// The first thing found that refuses the message.
    package private(set) var defect: Defect?

    package init(_ framing: Framing, policy: SMTPLineEndPolicy, maximumLineOctets: Int) {
        self.framing = framing
        self.policy = policy
        self.maximumLineOctets = maximumLineOctets
    }

    /// Decodes from the front of `input` and says how much of it was used; `isEnd` when the lone dot was read.
    package mutating func decode(
        _ input: Span<UInt8>,
        into content: inout ByteBuffer
    ) -> (consumed: Int, isEnd: Bool) {
        var index = 0
        while index < input.count {
            if state == .text {
                let run = endOfRun(input, from: index)
                if run > index {
                    content.append(input.extracting(index..<run))
                    count(run - index)
                    index = run
                    continue
                }
            }
            let byte = input[index]
            index += 1
            if step(byte, &content) { return (index, true) }
        }
        return (index, false)
    }

    /// The counted octets are all there: a carriage return that waits for its line feed waits in vain.
    package mutating func finish(into content: inout ByteBuffer) {
        if state == .carriageReturn { lone(.bareCR, &content) }
        state = .text
    }

    private func endOfRun(_ input: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < input.count {
            switch input[index] {
            case ASCII.cr, ASCII.lf, ASCII.nul: return index
            default: index &+= 1
            }
        }
        return index
    }

    /// One octet; true at the end of the message.
    private mutating func step(_ byte: UInt8, _ content: inout ByteBuffer) -> Bool {
        switch (state, byte) {
        case (.dotReturn, ASCII.lf): return true
        case (.carriageReturn, ASCII.lf):
            endLine(&content)
        case (.carriageReturn, _):
            lone(.bareCR, &content)
            state = .text
            return step(byte, &content)
        case (.dotReturn, _):
            lone(.bareCR, &content)
            state = .text
            return step(byte, &content)
        case (.dot, ASCII.cr): state = .dotReturn
        case (.lineStart, ASCII.dot) where framing == .dots: state = .dot
        case (.lineStart, ASCII.cr), (.text, ASCII.cr): state = .carriageReturn
        case (_, ASCII.lf):
            // Behind a lone dot too: the dot is kept, so that nothing vanishes where line ends are mended.
            if state == .dot { content.append(ASCII.dot) }
            lone(.bareLF, &content)
            state = .text
        case (_, ASCII.nul):
            note(.nul)
            state = .text
        case (.lineStart, _), (.text, _), (.dot, _):
            content.append(byte)
            count(1)
            state = .text
        }
        return false
    }

    private mutating func endLine(_ content: inout ByteBuffer) {
        content.appendLineEnd()
        lineOctets = 0
        state = .lineStart
    }

    /// A CR or LF that stands alone.
    private mutating func lone(_ kind: Defect, _ content: inout ByteBuffer) {
        switch policy {
        case .reject: note(kind)
        case .normalize:
            content.appendLineEnd()
            lineOctets = 0
        }
    }

    private mutating func count(_ octets: Int) {
        let (sum, overflow) = lineOctets.addingReportingOverflow(octets)
        lineOctets = overflow ? .max : sum
        if lineOctets > maximumLineOctets { note(.lineTooLong) }
    }

    private mutating func note(_ found: Defect) {
        if defect == nil { defect = found }
    }
}

/// Reads a message's header section as it passes: how large it is, and through how many hands it came.
package struct SMTPHeaderWatch: Sendable {
    /// `Received` fields so far: each is a hop (RFC 5321 §6.3).
    package private(set) var hops = 0
    /// Octets of the header section so far, its empty line included.
    package private(set) var octets = 0
    package private(set) var isFinished = false

    private static let name: StaticString = "received"
    private var column = 0
    private var matches = true

    package init() {}

    package mutating func observe(_ content: Span<UInt8>) {
        var index = 0
        while index < content.count, !isFinished {
            observe(content[index])
            index += 1
        }
        octets += index
    }

    private mutating func observe(_ byte: UInt8) {
        switch byte {
        case ASCII.lf:
            // A line that held nothing but its CR ends the header section.
            if column == 0 { isFinished = true }
            column = 0
            matches = true
        case ASCII.cr: break
        default:
            if matches { match(byte) }
            column += 1
        }
    }

    /// `received` and `:`, with the blanks between them that RFC 5322 §4.5 once allowed.
    private mutating func match(_ byte: UInt8) {
        let length = Self.name.utf8CodeUnitCount
        if column < length {
            matches = Self.name.withUTF8Buffer { $0[column] == ASCII.lowercased(byte) }
        } else if byte == ASCII.colon {
            hops += 1
            matches = false
        } else {
            matches = ASCII.isBlank(byte)
        }
    }
}
