// SPDX-License-Identifier: Apache-2.0

import Wire

/// Command lines out of the input: CRLF ends them, nothing else does.
extension POP3ServerMachine {
    enum Search {
        /// A complete line is at the front of the input, `searched` octets long, CRLF included.
        case line
        case incomplete
        /// What is there is no line; the state says what becomes of it.
        case refused
    }

    /// Looks for a complete line at the front of `input`.
    mutating func takeLine(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Search {
        let maximum = isAuthentication(input) ? limits.authenticationOctets : limits.commandOctets
        while searched < min(input.count, maximum) {
            defer { searched += 1 }
            guard input.bytes[searched] == ASCII.lf else { continue }
            if searched > 0, input.bytes[searched - 1] == ASCII.cr { return .line }
            verb = .unknown
            close(.bareLineFeed, &output)
            return .refused
        }
        guard searched >= maximum else { return .incomplete }
        verb = POP3ServerCommand.verb(of: input.bytes.extracting(0..<min(input.count, 16)))
        if case .authentication = state { verb = .auth }
        let endsInCR = input.bytes[searched - 1] == ASCII.cr
        input.consume(searched)
        searched = 0
        state = .discarding(endsInCR: endsInCR)
        return .refused
    }

    /// AUTH with an initial response, and what answers a challenge, may be longer than other commands.
    private func isAuthentication(_ input: borrowing ByteBuffer) -> Bool {
        if case .authentication = state { return true }
        return input.count >= 5 && ASCII.equalsIgnoringCase(input.bytes.extracting(0..<5), "AUTH ")
    }

    /// Drops input up to a CRLF, then refuses; false when that needs more input.
    mutating func discard(_ endsInCR: Bool, _ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Bool {
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
                refuse(.lineTooLong, &output)
                return true
            }
            previousIsCR = byte == ASCII.cr
        }
        input.consume(count)
        state = .discarding(endsInCR: previousIsCR)
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
        verb = POP3ServerCommand.verb(of: line.span)
        guard !line.contains(ASCII.cr), !line.contains(ASCII.nul) else {
            refuse(.controlInCommand, &output)
            return nil
        }
        do throws(POP3CommandError) {
            return perform(try POP3ServerCommand.parse(line.span), input, &output)
        } catch {
            refuse(.syntax(error), &output)
            return nil
        }
    }
}
