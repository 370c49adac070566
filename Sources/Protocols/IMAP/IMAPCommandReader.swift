// SPDX-License-Identifier: Apache-2.0

package import Wire

/// Puts commands together from what a client sends: lines, and the literals within them (RFC 9051 §4.3, RFC 7888).
///
/// The message of an APPEND is not among them: it is announced, and whoever owns the input takes it from there.
package struct IMAPCommandReader: Sendable {
    package struct Limits: Hashable, Sendable {
        /// Of one line, CRLF included; RFC 9051 §4 asks for 8,192 at least, and sets of UIDs are longer.
        package var lineOctets = 64 << 10
        /// Of one literal that is not a message.
        package var literalOctets: UInt64 = 64 << 10
        /// Of a command with its literals, apart from messages.
        package var commandOctets = 256 << 10
        /// Whether the message of an APPEND is announced; else it is a literal as any other.
        package var takesMessages = true

        package init() {}

        /// For a client whom nobody has vouched for yet.
        package static var beforeLogin: Self {
            var limits = Self()
            limits.lineOctets = 8192
            limits.literalOctets = 4096
            limits.commandOctets = 16 << 10
            limits.takesMessages = false
            return limits
        }
    }

    package enum Piece: Sendable {
        /// More input is needed.
        case incomplete
        /// The client waits for `+` before it sends a literal.
        case continuation
        case command(IMAPParsedCommand)
        /// A message of an APPEND is announced: of the input's next octets so many as it says are the message, and what follows
        /// it comes by ``next(_:)``: another message, or ``appendEnds``.
        ///
        /// Whether the client waits for `+` first. Where the message is not wanted and the client waits, call ``reset()``.
        case message(tag: [UInt8], IMAPAppend, isSynchronizing: Bool)
        /// The APPEND whose messages came is complete.
        case appendEnds
        /// No command that could be taken; the next one can be read. Where messages were announced in it they do not count.
        case refused(tag: [UInt8]?, IMAPSyntaxError)
        /// Where the next command begins is not known: the session has to end.
        case failed(IMAPSyntaxError)
    }

    /// An APPEND of which a message was announced.
    private struct Append: Sendable {
        /// The command up to the mailbox, that included.
        let head: [UInt8]
        /// What has to stand behind the message.
        let tail: [UInt8]
    }

    /// Of a tag; nobody needs so many.
    static let maximumTagOctets = 128

    private let grammar: IMAPLimits
    package var limits: Limits
    /// What there is of the command.
    private var command: [UInt8] = []
    /// Behind this offset the input was not yet searched for a line's end.
    private var searched = 0
    /// Octets of a literal that are still to come.
    private var literalLeft: UInt64 = 0
    private var isBinary = false
    /// What is wrong with a command that is still being read.
    private var defect: IMAPSyntaxError?
    private var append: Append?
    /// Messages were announced in the command that is being read.
    private var hadMessages = false
    /// How many literals the command has, behind the last message.
    private var literals = 0

    package init(_ limits: Limits = Limits(), grammar: IMAPLimits = IMAPLimits()) {
        self.limits = limits
        self.grammar = grammar
    }

    /// Forgets what there is of a command: the client was told that it will not be taken.
    package mutating func reset() {
        command = []
        literalLeft = 0
        defect = nil
        append = nil
        hadMessages = false
        literals = 0
    }

    /// Whether nothing of a command was taken yet.
    package var isBetweenCommands: Bool { command.isEmpty && append == nil && literalLeft == 0 }

    /// The next piece, taken from the front of `input`.
    package mutating func next(_ input: inout ByteBuffer) -> Piece {
        while true {
            if literalLeft > 0, !takeLiteral(&input) { return .incomplete }
            do throws(IMAPSyntaxError) {
                guard let line = try takeLine(&input) else { return .incomplete }
                if let piece = try take(line) { return piece }
            } catch {
                return .failed(error)
            }
        }
    }

    /// Takes a line that is no command, but the answer to a challenge or the end of an IDLE, without its CRLF.
    ///
    /// Nil where it has not come; longer than a line may be, or ended by LF alone, it throws.
    package mutating func nextLine(_ input: inout ByteBuffer) throws(IMAPSyntaxError) -> [UInt8]? {
        let line = try takeLine(&input)
        if let defect {
            reset()
            throw defect
        }
        return line
    }

    /// Takes octets of a literal; true when it is complete.
    private mutating func takeLiteral(_ input: inout ByteBuffer) -> Bool {
        let count = Int(min(literalLeft, UInt64(input.count)))
        // Only a literal8 may have it (RFC 9051 §4.3.1).
        if !isBinary, input.bytes.extracting(0..<count).firstIndex(of: ASCII.nul) != nil {
            defect = .unexpectedOctet(ASCII.nul, at: command.count)
        }
        command.append(input.bytes.extracting(0..<count))
        input.consume(count)
        literalLeft -= UInt64(count)
        return literalLeft == 0
    }

    /// The next line without its CRLF; one that ends in LF alone is a defect of its command.
    private mutating func takeLine(_ input: inout ByteBuffer) throws(IMAPSyntaxError) -> [UInt8]? {
        guard let end = input.bytes.firstIndex(of: ASCII.lf, from: searched), end < limits.lineOctets else {
            searched = input.count
            guard searched < limits.lineOctets else { throw .responseTooLong }
            return nil
        }
        searched = 0
        let isWhole = end > 0 && input.bytes[end - 1] == ASCII.cr
        if !isWhole { defect = .unexpectedOctet(ASCII.lf, at: command.count + end) }
        let line = input.bytes.extracting(0..<(isWhole ? end - 1 : end)).array()
        input.consume(end + 1)
        return line
    }

    /// A line of a command: the last one, or one that announces a literal.
    private mutating func take(_ line: [UInt8]) throws(IMAPSyntaxError) -> Piece? {
        var line = line[...]
        if let append = self.append {
            let isClean = line.starts(with: append.tail)
            if isClean { line = line.dropFirst(append.tail.count) }
            if isClean, line.isEmpty {
                reset()
                return .appendEnds
            }
            // Another message, or what makes no sense: as if it stood behind the mailbox.
            command = append.head
            self.append = nil
            hadMessages = true
            literals = 0
            if let first = line.first, !isClean || first != ASCII.space {
                defect = .unexpectedOctet(first, at: command.count)
            } else if !isClean {
                defect = .unexpectedEnd
            }
        }
        guard command.count + line.count <= limits.commandOctets else { throw .responseTooLong }
        let start = command.count
        command += line
        guard let literal = try IMAPGrammar.literal(atEndOf: command, from: start) else { return complete() }
        let isSynchronizing = command[command.count - 2] != ASCII.plus
        isBinary = command[literal.at] == IMAPGrammar.tilde
        command.append(ASCII.lf)
        literals += 1
        if let message = message(isSynchronizing: isSynchronizing) { return message }
        guard literal.octets <= limits.literalOctets,
            literal.octets <= UInt64(limits.commandOctets - min(command.count, limits.commandOctets))
        else {
            guard isSynchronizing else { throw .literalTooLong(octets: literal.octets) }
            return refuse(.literalTooLong(octets: literal.octets))
        }
        // Nobody has to send what is not taken.
        if let defect, isSynchronizing { return refuse(defect) }
        literalLeft = literal.octets
        return isSynchronizing ? .continuation : nil
    }

    private mutating func refuse(_ error: IMAPSyntaxError) -> Piece {
        let tag = tag
        reset()
        return .refused(tag: tag, error)
    }

    private mutating func complete() -> Piece {
        if let defect { return refuse(defect) }
        let parsed = IMAPParsedCommand(command, grammar)
        if hadMessages, case .malformed(_, let error) = parsed { return refuse(error) }
        reset()
        return .command(parsed)
    }

    private var tag: [UInt8]? {
        var cursor = IMAPCursor(command)
        return try? cursor.tag()
    }

    /// The message that is announced here, where the command is an APPEND.
    private mutating func message(isSynchronizing: Bool) -> Piece? {
        // Before it only the mailbox can be one: no command is looked at again and again.
        guard defect == nil, limits.takesMessages, literals <= 2 else { return nil }
        var cursor = IMAPCursor(command)
        cursor.isStrict = true
        do throws(IMAPSyntaxError) {
            let tag = try cursor.tag()
            try cursor.space()
            guard tag.count <= Self.maximumTagOctets, cursor.take(word: "APPEND") else { return nil }
            let mailbox = try cursor.namedMailbox()
            let head = Array(command[..<cursor.index])
            let message = try cursor.appendMessage(to: mailbox)
            guard cursor.isAtEnd else { return nil }
            append = Append(head: head, tail: message.isUTF8 ? [ASCII.closeParenthesis] : [])
            command = []
            return .message(tag: tag, message, isSynchronizing: isSynchronizing)
        } catch {
            // Whatever is wrong is said when the command is complete.
            return nil
        }
    }
}
