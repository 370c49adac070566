// SPDX-License-Identifier: Apache-2.0

import SASL
package import Wire

/// What each command does.
extension POP3ServerMachine {
    /// Performs a command whose line was consumed; `input` holds what the client sent behind it.
    mutating func perform(
        _ command: POP3ServerCommand,
        _ input: borrowing ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Action? {
        switch command {
        case .capa: tellCapabilities(&output)
        case .lang(let range): language(range, &output)
        case .foreign: close(.foreign, &output)
        case .unknown: refuse(.unknownCommand, &output)
        case .command(let command): return perform(command, &output)
        case .stls, .user, .pass, .auth, .utf8:
            guard !isLoggedIn else {
                refuse(.notAfterLogin, &output)
                return nil
            }
            return authorize(command, input, &output)
        }
        return nil
    }

    /// The commands of the AUTHORIZATION state.
    private mutating func authorize(
        _ command: POP3ServerCommand,
        _ input: borrowing ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Action? {
        switch command {
        case .stls: startTLS(input, &output)
        case .user(let name): user(name, &output)
        case .pass(let password): return pass(password, &output)
        case .auth(let mechanism, let response): return authenticate(mechanism, response, &output)
        case .utf8:
            session.isUTF8 = true
            reply(.utf8Enabled, &output)
            humour(&output)
        case .capa, .lang, .command, .unknown, .foreign: break
        }
        return nil
    }

    private mutating func startTLS(_ input: borrowing ByteBuffer, _ output: inout ByteBuffer) {
        guard !session.isTLS else { return refuse(.tlsAlready, &output) }
        guard configuration.offersStartTLS else { return refuse(.tlsNotOffered, &output) }
        guard !session.isUTF8 else { return refuse(.tlsBehindUTF8, &output) }
        // Whatever was sent in clear behind the command would otherwise be read as if it had come under TLS.
        guard input.isEmpty else { return close(.nothingBehindSTLS, &output) }
        reply(.tlsReady, &output)
        state = .handshake
    }

    // MARK: In both states

    /// What holds now: passwords only where they would be taken.
    private mutating func tellCapabilities(_ output: inout ByteBuffer) {
        reply(.ok("These are the capabilities"), &output)
        var lines = [
            "TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "LOGIN-DELAY 0", "UTF8 USER",
            "LANG", "IMPLEMENTATION Postern",
        ]
        if !isLoggedIn, configuration.offersStartTLS, !session.isTLS { lines.append("STLS") }
        if session.isTLS { lines += ["USER", "SASL \(Self.mechanisms.map(\.rawValue).joined(separator: " "))"] }
        append(lines, &output)
        humour(&output)
    }

    /// Lines, none of which begins with a dot, and the end of the answer.
    mutating func append(_ lines: [String], _ output: inout ByteBuffer) {
        for line in lines + ["."] {
            output.append(utf8: line)
            output.appendLineEnd()
        }
    }

    /// `LANG` (RFC 6856 §3): there is one language.
    private mutating func language(_ range: [UInt8]?, _ output: inout ByteBuffer) {
        guard let range else {
            reply(.ok("These are the languages"), &output)
            append(["en English"], &output)
            return humour(&output)
        }
        guard range == [ASCII.asterisk] || ASCII.equalsIgnoringCase(range, "en") else {
            return refuse(.unknownLanguage, &output)
        }
        reply(.english, &output)
        humour(&output)
    }

    // MARK: Of the TRANSACTION state

    private mutating func perform(_ command: POP3Command, _ output: inout ByteBuffer) -> Action? {
        guard isLoggedIn else {
            if command == .quit { close(.loggedOut, &output) } else { refuse(.notBeforeLogin, &output) }
            return nil
        }
        switch command {
        case .stat: reply(.ok("\(maildrop.unmarkedCount) \(maildrop.unmarkedOctets)"), &output)
        case .list(nil): list(isUniqueID: false, &output)
        case .uidl(nil): list(isUniqueID: true, &output)
        case .list(let number?): list(number, isUniqueID: false, &output)
        case .uidl(let number?): list(number, isUniqueID: true, &output)
        case .retr(let number): return open(number, lines: nil, &output)
        case .top(let number, let lines): return open(number, lines: lines, &output)
        case .dele(let number):
            guard let index = maildrop.index(of: number) else {
                reply(.noSuchMessage, &output)
                return nil
            }
            maildrop.mark(index)
            reply(.marked, &output)
        case .rset:
            maildrop.unmarkAll()
            reply(.reset, &output)
        case .noop: reply(.done, &output)
        case .quit: return quit(&output)
        }
        return nil
    }

    private mutating func list(isUniqueID: Bool, _ output: inout ByteBuffer) {
        reply(.ok("\(maildrop.unmarkedCount) messages"), &output)
        state = .listing(isUniqueID: isUniqueID, next: 0)
    }

    private mutating func list(_ number: UInt32, isUniqueID: Bool, _ output: inout ByteBuffer) {
        guard let index = maildrop.index(of: number) else { return reply(.noSuchMessage, &output) }
        output.append("+OK ")
        append(index, isUniqueID, &output)
        records.append(POP3ServerRecord(verb: verb, isPositive: true))
    }

    private func append(_ index: Int, _ isUniqueID: Bool, _ output: inout ByteBuffer) {
        output.append(decimal: index + 1)
        output.append(ASCII.space)
        if isUniqueID {
            output.append(maildrop.uniqueID(of: index))
        } else {
            output.append(decimal: maildrop.size(of: index))
        }
        output.appendLineEnd()
    }

    /// Goes on with a listing until there is enough to send, or the end.
    mutating func list(_ isUniqueID: Bool, from next: Int, _ output: inout ByteBuffer) -> Action? {
        var next = next
        while next < maildrop.count, output.count < Self.outputOctets {
            if !maildrop.isMarked(next) { append(next, isUniqueID, &output) }
            next += 1
        }
        state = .listing(isUniqueID: isUniqueID, next: next)
        guard next == maildrop.count else { return nil }
        output.append(".\r\n")
        state = .command
        return nil
    }

    // MARK: UPDATE

    private mutating func quit(_ output: inout ByteBuffer) -> Action? {
        guard maildrop.hasMarks else {
            close(.loggedOut, &output)
            return nil
        }
        state = .deciding(.update)
        return .update(maildrop.marked)
    }

    /// The answer to `update`: whether the messages are deleted lastingly; otherwise none is.
    package mutating func updated(_ isDeleted: Bool, _ output: inout ByteBuffer) {
        guard case .deciding(.update) = state else { preconditionFailure("nothing was to be deleted") }
        close(isDeleted ? .loggedOut : .notDeleted, &output)
    }
}
