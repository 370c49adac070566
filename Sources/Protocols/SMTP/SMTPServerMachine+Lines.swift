// SPDX-License-Identifier: Apache-2.0

import Wire

/// Command lines out of the input: CRLF ends them, nothing else does.
extension SMTPServerMachine {
    private var maximumLineOctets: Int {
        if case .authentication = state { return limits.authenticationOctets }
        return limits.commandOctets
    }

    enum Search {
        /// A complete line is at the front of the input, `searched` octets long, CRLF included.
        case line
        case incomplete
        /// What is there is no line; the state says what becomes of it.
        case refused
    }

    /// Looks for a complete line at the front of `input`.
    mutating func takeLine(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Search {
        let maximum = isAuthentication(input) ? limits.authenticationOctets : maximumLineOctets
        while searched < min(input.count, maximum) {
            defer { searched += 1 }
            guard input.bytes[searched] == ASCII.lf else { continue }
            if searched > 0, input.bytes[searched - 1] == ASCII.cr { return .line }
            // What stands behind a bare line feed was perhaps never meant as a command: the session ends here.
            verb = .unknown
            close(.bareLineFeed, &output)
            return .refused
        }
        guard searched >= maximum else { return .incomplete }
        verb = SMTPCommand.verb(of: input.bytes.extracting(0..<min(input.count, 16)))
        if case .command = state, verb == .bdat {
            // As with one that cannot be read: nobody knows how many octets behind it are no commands.
            close(.lineTooLong, &output)
            return .refused
        }
        let endsInCR = input.bytes[searched - 1] == ASCII.cr
        input.consume(searched)
        searched = 0
        if case .authentication = state {
            state = .discarding(.authenticationLineTooLong, endsInCR: endsInCR)
        } else {
            state = .discarding(.lineTooLong, endsInCR: endsInCR)
        }
        return .refused
    }

    /// AUTH with an initial response may be longer than other commands.
    private func isAuthentication(_ input: borrowing ByteBuffer) -> Bool {
        input.count >= 5 && ASCII.equalsIgnoringCase(input.bytes.extracting(0..<5), "AUTH ")
    }

    /// Drops input up to a CRLF, then refuses; false when that needs more input.
    mutating func discard(
        _ reply: SMTPReply,
        _ endsInCR: Bool,
        _ input: inout ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Bool {
        var previousIsCR = endsInCR
        var index = 0
        let count = input.count
        while index < count {
            let byte = input.bytes[index]
            index += 1
            if byte == ASCII.lf, previousIsCR {
                input.consume(index)
                state = .command
                serial += 1
                refuse(reply, &output)
                return true
            }
            previousIsCR = byte == ASCII.cr
        }
        input.consume(count)
        state = .discarding(reply, endsInCR: previousIsCR)
        return false
    }

    /// Handles the line that ``takeLine(_:_:)`` found.
    mutating func handleLine(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action? {
        let length = searched
        searched = 0
        serial += 1
        let line = input.bytes.extracting(0..<(length - 2)).array()
        input.consume(length)
        if case .authentication(let dialogue) = state { return respond(line, dialogue, &output) }
        verb = SMTPCommand.verb(of: line.span)
        guard !line.contains(ASCII.cr), !line.contains(ASCII.nul) else {
            refuse(.controlInCommand, &output)
            return nil
        }
        do throws(SMTPSyntaxError) {
            return perform(try SMTPCommand.parse(line.span), input, &output)
        } catch {
            if verb == .bdat {
                // Where the chunk ends is not known, so neither is where the next command begins.
                close(.badChunkSize, &output)
            } else if verb == .rcpt {
                refuseRecipient(.syntax(error, verb), &output)
            } else {
                refuse(.syntax(error, verb), &output)
            }
            return nil
        }
    }
}
