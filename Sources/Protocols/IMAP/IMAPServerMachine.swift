// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Wire

/// The server's side of one IMAP session (RFC 9051, RFC 3501): octets in, answers and actions out.
///
/// It knows the protocol and its limits; who somebody is, and what is in a mailbox, it asks.
///
/// ```
/// greeting ─▶ command ──AUTHENTICATE──▶ authentication ─┬▶ deciding ─▶ command    not authenticated until somebody is logged in,
///              │ │ │ └──LOGIN, all that is asked────────┘     ▲                   then authenticated, and selected while there
///              │ │ └────STARTTLS──▶ handshake ─▶ command      │                   is a mailbox
///              │ ├──────COMPRESS──▶ compression ─▶ command    │
///              │ ├──────IDLE──▶ idle ──DONE──▶ command        │
///              │ └──────APPEND──▶ deciding ─▶ message ────────┘
///              └──LOGOUT──▶ closed
/// ```
///
/// One command at a time, in their order. Its owner calls ``next(_:_:)`` until the action is `read`, `startTLS`, `compress` or
/// `close`, sends the output before it waits or hands on, and answers each question by the call named beside it.
package struct IMAPServerMachine: ~Copyable {
    package enum Action: Sendable {
        /// More input is needed. The number is another one for each command, and for each piece of a message, so that dribbling
        /// in one octet after another gains no time.
        case read(UInt64)
        /// Send the output before going on: much of it has come together.
        case write
        /// Send the output, make the connection a TLS one, then call ``tlsEstablished(_:)``.
        case startTLS
        /// Send the output; from then on both directions are compressed (RFC 4978), what is in the input already too. Then call
        /// ``compressionStarted()``.
        case compress
        /// Answer by ``authenticated(_:_:)``.
        case authenticate(SASLCredentials)
        /// Write what the command's answer is made of, but for its end, and answer by ``performed(_:_:)``.
        case perform(IMAPCommand, tag: [UInt8])
        /// ENABLE turned something on: see ``session``.
        case enabled
        /// IDLE began, or is over.
        case idle(Bool)
        /// A message is announced, of an APPEND's messages the one with this number. Answer by ``appendDecided(_:_:)``.
        case appendBegins(IMAPAppend, number: Int)
        /// Take the message's next octets out of ``content`` and answer by ``appendTaken(_:)``.
        case appendOctets
        /// All messages are there: keep them, and answer by ``appendEnded(_:_:)`` once they will last.
        case appendEnds
        /// The messages that were announced are not wanted.
        case appendAborted
        /// Send the output and end the connection.
        case close
    }

    enum State: Sendable {
        case greeting
        case command
        case authentication(tag: [UInt8], SASLServerDialogue)
        case handshake
        case compression
        case deciding(Question)
        case message
        case idle(tag: [UInt8])
        case closed
    }

    /// What was asked and is not yet answered.
    enum Question: Sendable {
        case authenticate(tag: [UInt8])
        case perform(tag: [UInt8], IMAPCommand)
        case appendBegins
        case appendOctets
        case appendEnds
    }

    /// Output that is sent together, about.
    static var outputOctets: Int { 64 << 10 }

    package let configuration: IMAPServerConfiguration
    package internal(set) var session: IMAPServerSession
    /// Octets of the message that is being appended.
    package var content = ByteBuffer()
    /// The answers given since they were last taken.
    package var records: [IMAPServerRecord] = []
    /// Set when the server is about to stop: a session ends when nothing is under way in it.
    package var isDraining = false
    /// Set while the server is overloaded: less patience.
    package var isOverloaded = false

    var state = State.greeting
    var reader: IMAPCommandReader
    package internal(set) var isLoggedIn = false
    var isCompressed = false
    var append: Append?
    var verb = IMAPVerb.connect
    var serial: UInt64 = 0
    /// Told to the owner before anything else.
    var notices: [Action] = []
    private var errors = 0
    private var junk = 0
    var authenticationFailures = 0

    package init(_ configuration: IMAPServerConfiguration, isTLS: Bool) {
        self.configuration = configuration
        session = IMAPServerSession(isTLS: isTLS)
        reader = IMAPCommandReader(configuration.limits.beforeLogin)
    }

    var limits: IMAPServerConfiguration.Limits { configuration.limits }

    /// A message is on its way: what is read is a part of it.
    package var isReadingMessage: Bool {
        if case .message = state { return true }
        return false
    }

    package var isIdling: Bool {
        if case .idle = state { return true }
        return false
    }

    /// Whether messages were announced that are neither kept nor given up.
    package var isAppending: Bool { append?.isBegun == true }

    /// What to do next.
    ///
    /// Consumes from the front of `input`, writes to `encoder`.
    package mutating func next(_ input: inout ByteBuffer, _ encoder: inout IMAPResponseEncoder) -> Action {
        while true {
            encoder.isUTF8 = session.isUTF8
            if !notices.isEmpty { return notices.removeFirst() }
            if encoder.output.count >= Self.outputOctets { return .write }
            if let action = step(&input, &encoder) { return action }
        }
    }

    /// One step; nil when there is another to take.
    private mutating func step(_ input: inout ByteBuffer, _ encoder: inout IMAPResponseEncoder) -> Action? {
        switch state {
        case .greeting:
            greet(&encoder)
            return nil
        case .command:
            guard !drains(&encoder) else { return nil }
            return take(reader.next(&input), input, &encoder)
        case .authentication(let tag, let dialogue):
            guard !drains(&encoder) else { return nil }
            guard let line = line(&input, &encoder) else { return isClosed ? nil : .read(serial) }
            return respond(line, tag, dialogue, &encoder)
        case .idle(let tag):
            guard !drains(&encoder) else { return nil }
            guard let line = line(&input, &encoder) else { return isClosed ? nil : .read(serial) }
            endIdle(line, tag, &encoder)
            return nil
        case .message: return takeMessage(&input)
        case .handshake: return .startTLS
        case .compression: return .compress
        case .closed: return .close
        case .deciding: preconditionFailure("a question is not answered")
        }
    }

    var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// A line that is no command.
    private mutating func line(_ input: inout ByteBuffer, _ encoder: inout IMAPResponseEncoder) -> [UInt8]? {
        do throws(IMAPSyntaxError) {
            let line = try reader.nextLine(&input)
            if line != nil { serial += 1 }
            return line
        } catch {
            fail(error, &encoder)
            return nil
        }
    }

    /// What the reader made of the input, of which `input` is the rest.
    private mutating func take(
        _ piece: IMAPCommandReader.Piece,
        _ input: borrowing ByteBuffer,
        _ encoder: inout IMAPResponseEncoder
    ) -> Action? {
        switch piece {
        case .incomplete: return .read(serial)
        case .continuation:
            // The command is the same: its time goes on.
            goAhead(&encoder)
            return nil
        default: serial += 1
        }
        switch piece {
        case .incomplete, .continuation: return nil
        case .command(let command): return perform(command, input, &encoder)
        case .message(let tag, let message, let isSynchronizing):
            return announced(message, tag, isSynchronizing, &encoder)
        case .appendEnds: return appendComplete(&encoder)
        case .refused(let tag, let error):
            verb = append == nil ? .unknown : .append
            giveUpAppend()
            refuse(tag, .syntax(error), &encoder)
            return nil
        case .failed(let error):
            giveUpAppend()
            fail(error, &encoder)
            return nil
        }
    }

    func goAhead(_ encoder: inout IMAPResponseEncoder) { encoder.output.append("+ Ok\r\n") }

    // MARK: What happens to the connection

    /// The handshake is done.
    ///
    /// Nothing that was said before it counts (RFC 9051 §6.2.1).
    package mutating func tlsEstablished(_ encoder: inout IMAPResponseEncoder) {
        guard case .handshake = state else { preconditionFailure("no handshake was asked for") }
        session = IMAPServerSession(isTLS: true)
        reader = IMAPCommandReader(limits.beforeLogin)
        encoder.isUTF8 = false
        state = .command
        serial += 1
    }

    package mutating func compressionStarted() {
        guard case .compression = state else { preconditionFailure("no compression was asked for") }
        isCompressed = true
        state = .command
        serial += 1
    }

    /// What was waited for did not come in time.
    package mutating func timedOut(_ encoder: inout IMAPResponseEncoder) {
        giveUpAppend()
        bye(IMAPStatus(.bye, nil, "Nothing came for too long"), &encoder)
    }

    /// What came is no compressed stream any more.
    package mutating func decompressionFailed(_ encoder: inout IMAPResponseEncoder) {
        giveUpAppend()
        bye(IMAPStatus(.bye, .clientBug, "That is no deflate stream"), &encoder)
    }

    /// A session in the middle of a command goes on to its end, as far as the server waits for it.
    private mutating func drains(_ encoder: inout IMAPResponseEncoder) -> Bool {
        guard isDraining, reader.isBetweenCommands else { return false }
        bye(IMAPStatus(.bye, .unavailable, "The server is stopping, try again later"), &encoder)
        return true
    }

    // MARK: Answers

    private mutating func greet(_ encoder: inout IMAPResponseEncoder) {
        let status = IMAPStatus(.ok, .capability(capabilities), "\(configuration.hostName) Postern is ready")
        encoder.write(.status(status))
        records.append(IMAPServerRecord(verb: .connect, condition: .ok))
        state = .command
    }

    /// The end of a command.
    mutating func reply(_ tag: [UInt8], _ status: IMAPStatus, _ encoder: inout IMAPResponseEncoder) {
        encoder.isUTF8 = session.isUTF8
        encoder.write(.tagged(tag: tag, status))
        records.append(IMAPServerRecord(verb: verb, condition: status.condition))
    }

    /// An answer that refuses a command: there are only so many of them in a session.
    mutating func refuse(_ tag: [UInt8]?, _ status: IMAPStatus, _ encoder: inout IMAPResponseEncoder) {
        if let tag {
            reply(tag, status, &encoder)
        } else {
            encoder.write(.status(status))
            records.append(IMAPServerRecord(verb: verb, condition: status.condition))
        }
        errors += 1
        if errors >= (isOverloaded ? limits.errorsUnderLoad : limits.errors) { tooManyErrors(&encoder) }
    }

    /// Counts a command that leads nowhere, as long as nobody is logged in.
    mutating func humour(_ encoder: inout IMAPResponseEncoder) {
        guard !isLoggedIn, !isClosed else { return }
        junk += 1
        if junk > (isOverloaded ? limits.junkCommandsUnderLoad : limits.junkCommands) { tooManyErrors(&encoder) }
    }

    mutating func tooManyErrors(_ encoder: inout IMAPResponseEncoder) {
        bye(IMAPStatus(.bye, .limit, "Too many errors"), &encoder)
    }

    /// Where the next command begins is not known.
    mutating func fail(_ error: IMAPSyntaxError, _ encoder: inout IMAPResponseEncoder) {
        verb = .unknown
        let status = IMAPStatus.syntax(error)
        encoder.write(.status(IMAPStatus(.bye, status.code, status.text)))
        records.append(IMAPServerRecord(verb: verb, condition: .bye))
        close()
    }

    /// The session ends with this.
    mutating func bye(_ status: IMAPStatus, _ encoder: inout IMAPResponseEncoder) {
        guard !isClosed else { return }
        encoder.write(.status(status))
        records.append(IMAPServerRecord(verb: .session, condition: .bye))
        close()
    }

    mutating func close() {
        if isIdling { notices.append(.idle(false)) }
        state = .closed
    }
}

extension IMAPStatus {
    /// Why something is no command, as exactly as it is known.
    static func syntax(_ error: IMAPSyntaxError) -> Self {
        switch error {
        case .unexpectedOctet(let octet, let place):
            let shown = (0x21...0x7E).contains(octet) ? "'\(Unicode.Scalar(octet))'" : "octet \(octet)"
            return Self(.bad, nil, "Unexpected \(shown) at offset \(place)")
        case .unexpectedEnd: return Self(.bad, nil, "The command ends too early")
        case .badNumber(let place): return Self(.bad, nil, "No valid number at offset \(place)")
        case .badStatus: return Self(.bad, nil, "Malformed")
        case .tooDeep: return Self(.bad, .limit, "Too deeply nested")
        case .tooMany: return Self(.bad, .limit, "Too many of them")
        case .responseTooLong: return Self(.bad, .limit, "The command is too long")
        case .literalTooLong(let octets): return Self(.bad, .tooBig, "A literal of \(octets) octets is too long here")
        case .badLiteral: return Self(.bad, nil, "That literal has no size")
        }
    }
}
