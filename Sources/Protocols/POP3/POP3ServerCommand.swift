// SPDX-License-Identifier: Apache-2.0

package import Wire

/// The words a server knows; those of metrics too, so there are no more of them than these.
package enum POP3Verb: String, CaseIterable, Sendable {
    case capa, stls, user, pass, auth, utf8, lang
    case stat, list, uidl, retr, top, dele, rset, noop, quit
    case unknown
    /// Not commands: the greeting, and what ends a session.
    case connect, session
}

/// One command as a server reads it, its arguments parsed.
package enum POP3ServerCommand: Sendable {
    case capa
    case stls
    /// 1…255 octets of UTF-8.
    case user([UInt8])
    /// 1…255 octets of UTF-8, blanks included (RFC 1939 §7).
    case pass(Secret)
    /// `initialResponse` is still base64; both nil where the mechanisms are asked for.
    case auth(mechanism: [UInt8]?, initialResponse: [UInt8]?)
    case utf8
    /// A language range, or nil where the languages are asked for (RFC 6856 §3.2).
    case lang([UInt8]?)
    /// One of those for somebody who is logged in, and QUIT.
    case command(POP3Command)
    case unknown
    /// A line a web browser sends: nothing that follows it is meant for us.
    case foreign
}

/// What is wrong with a command whose word is known.
package enum POP3CommandError: Error, Hashable, Sendable {
    case missingArgument
    case unexpectedArgument
    /// No number of a message, or of lines.
    case badNumber
    /// No text of 1…255 octets in UTF-8.
    case badName
}

extension POP3ServerCommand {
    /// The word of a line, in any case.
    package static func verb(of line: Span<UInt8>) -> POP3Verb {
        let word = ASCII.lowercased(line.extracting(0..<(line.firstIndex(of: ASCII.space) ?? line.count)).array())
        for verb in POP3Verb.allCases where word == Array(verb.rawValue.utf8) {
            switch verb {
            case .unknown, .connect, .session: return .unknown
            default: return verb
            }
        }
        return .unknown
    }

    /// Parses a line without its CRLF.
    ///
    /// It holds no CR, LF or NUL. Blanks at its end are ignored, except in PASS.
    package static func parse(_ line: Span<UInt8>) throws(POP3CommandError) -> POP3ServerCommand {
        let verb = verb(of: line)
        let space = line.firstIndex(of: ASCII.space) ?? line.count
        let rest = line.extracting(min(space + 1, line.count)..<line.count)
        if verb == .pass { return .pass(Secret(try name(rest))) }
        var end = rest.count
        while end > 0, ASCII.isBlank(rest[end - 1]) { end -= 1 }
        return try parse(verb, rest.extracting(0..<end), line)
    }

    private static func parse(
        _ verb: POP3Verb,
        _ argument: Span<UInt8>,
        _ line: Span<UInt8>
    ) throws(POP3CommandError) -> POP3ServerCommand {
        // One blank between two words: another one makes a word that is empty.
        let words =
            argument.isEmpty ? [] : argument.array().split(separator: ASCII.space, omittingEmptySubsequences: false)
        switch verb {
        case .user: return .user(try name(argument))
        case .auth:
            guard words.count <= 2 else { throw .unexpectedArgument }
            return .auth(
                mechanism: words.first.map(Array.init),
                initialResponse: words.dropFirst().first.map(Array.init)
            )
        case .lang:
            guard words.count <= 1 else { throw .unexpectedArgument }
            return .lang(words.first.map(Array.init))
        case .capa: return try alone(.capa, words)
        case .stls: return try alone(.stls, words)
        case .utf8: return try alone(.utf8, words)
        case .stat: return try alone(.command(.stat), words)
        case .rset: return try alone(.command(.rset), words)
        case .noop: return try alone(.command(.noop), words)
        case .quit: return try alone(.command(.quit), words)
        case .list: return .command(.list(words.isEmpty ? nil : try numbers(words, 1)[0]))
        case .uidl: return .command(.uidl(words.isEmpty ? nil : try numbers(words, 1)[0]))
        case .retr: return .command(.retr(try numbers(words, 1)[0]))
        case .dele: return .command(.dele(try numbers(words, 1)[0]))
        case .top:
            let numbers = try numbers(words, 2)
            return .command(.top(numbers[0], lines: numbers[1]))
        case .pass, .unknown, .connect, .session: return isForeign(line) ? .foreign : .unknown
        }
    }

    private static func alone(
        _ command: POP3ServerCommand,
        _ words: [ArraySlice<UInt8>]
    ) throws(POP3CommandError) -> POP3ServerCommand {
        guard words.isEmpty else { throw .unexpectedArgument }
        return command
    }

    /// So many numbers, with one blank between two.
    private static func numbers(_ words: [ArraySlice<UInt8>], _ count: Int) throws(POP3CommandError) -> [UInt32] {
        guard words.count >= count else { throw .missingArgument }
        guard words.count == count else { throw .unexpectedArgument }
        var numbers: [UInt32] = []
        for word in words {
            guard let number = StrictInteger.decimal(word, maximum: UInt64(UInt32.max)) else { throw .badNumber }
            numbers.append(UInt32(number))
        }
        return numbers
    }

    private static func name(_ argument: Span<UInt8>) throws(POP3CommandError) -> [UInt8] {
        guard !argument.isEmpty else { throw .missingArgument }
        guard argument.count <= 255, argument.utf8String() != nil else { throw .badName }
        return argument.array()
    }

    private static func isForeign(_ line: Span<UInt8>) -> Bool {
        let word = line.extracting(0..<(line.firstIndex(of: ASCII.space) ?? line.count)).array()
        return ["GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "PRI"].contains { Array($0.utf8) == word }
    }
}
