// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Wire

/// The client's side of one POP3 session (RFC 1939): answers in, commands and actions out.
///
/// ```
/// greeting ─▶ CAPA ─┬▶ STLS ─▶ handshake ─▶ CAPA ─┬▶ AUTH, or USER and PASS ─▶ CAPA ─▶ ready ◀─┐
///                   └────────────────────────────┘                             └▶ commands ──┤
///                                                                                 QUIT ─▶ closed
/// ```
///
/// Its owner calls ``next(_:_:)`` until the action is `read`, sends `output` before it waits or hands on, and answers the
/// others by the call named beside each. When the connection fails it calls ``failed(_:)``.
package struct POP3ClientMachine: ~Copyable {
    package enum Action: Sendable {
        /// More input is needed.
        case read(POP3ClientPhase)
        /// Send the output, make the connection a TLS one, then call ``tlsEstablished(isVerified:channelBinding:_:)``.
        case startTLS
        /// Answer by ``derived(_:_:)``, from a thread that may block.
        case derive(SCRAMKeyDerivation)
        /// Nothing is under way: the session waits for ``send(_:_:)``.
        case ready
        /// A line of the answer to the first command under way.
        case listing(POP3Listing)
        /// Some of the message that the first command under way asked for is in ``text``; take it out.
        case text
        /// The first command under way is done.
        case finished(Result)
        /// The session is over; nil after QUIT.
        case close(POP3ClientFailure?)
    }

    /// How a command ended.
    package enum Result: Hashable, Sendable {
        case done(POP3Reply)
        /// Of STAT.
        case status(POP3Status)
        /// Nothing else came.
        case refused(POP3Reply)
    }

    enum State: Sendable {
        case awaiting
        case handshake
        case deriving(SCRAMKeyDerivation)
        case ready
        case closed(POP3ClientFailure?)
    }

    enum Expectation: Hashable, Sendable {
        case greeting, capabilities, startTLS, authentication, cancellation, user, pass
        case command(POP3Command)
    }

    /// Lines between an answer's first and its last.
    private enum Body: Sendable {
        case capabilities
        case listings(isUniqueID: Bool)
        case text(POP3TextDecoder)
    }

    /// Commands under way at a time, where the server takes more than one.
    private static var window: Int { 50 }
    /// Lines of one answer: as many messages as no mailbox has.
    private static var maximumListings: Int { 2_000_000 }
    private static var maximumCapabilities: Int { 200 }
    /// Of a text, handed out together.
    private static var textOctets: Int { 64 << 10 }

    package let configuration: POP3ClientConfiguration
    package internal(set) var capabilities = POP3Capabilities()
    package internal(set) var isTLS: Bool
    package internal(set) var isVerified: Bool
    /// Whether the server knows who we are.
    package internal(set) var isAuthenticated = false
    /// Octets of a message, dots undone; whoever takes them empties it.
    package var text = ByteBuffer()
    /// Answers, and pieces of them, that came in this session: each has a deadline of its own.
    package private(set) var answers = 0
    /// Answers that came as a whole, and octets of the one that is coming.
    package private(set) var wholeAnswers = 0
    package private(set) var answerOctets: Int64 = 0

    var state = State.awaiting
    var expected: [Expectation] = [.greeting]
    var exchange: SASLClientDialogue?
    var channelBinding: SASLChannelBinding?
    private var reader = POP3LineReader()
    private var body: Body?
    /// The status line of the answer whose body is under way.
    private var head = POP3Reply(isPositive: true, text: "")
    private var bodyLines = 0
    private var textOctets: Int64 = 0
    /// What is to be told behind a piece of the same answer.
    private var pending: Result?

    /// - Parameter isVerified: of a connection that is TLS already.
    package init(
        _ configuration: POP3ClientConfiguration,
        isTLS: Bool,
        isVerified: Bool = false,
        channelBinding: SASLChannelBinding? = nil
    ) {
        self.configuration = configuration
        self.isTLS = isTLS
        self.isVerified = isVerified
        self.channelBinding = channelBinding
    }

    // MARK: The dialogue

    /// What to do next.
    ///
    /// Consumes from the front of `input`, appends to `output`.
    package mutating func next(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action {
        while true {
            if let pending {
                self.pending = nil
                return .finished(pending)
            }
            switch state {
            case .closed(let failure): return .close(failure)
            case .handshake: return .startTLS
            case .deriving(let key): return .derive(key)
            case .ready:
                if input.isEmpty { return .ready }
                close(.unsolicited(.idle))
            case .awaiting:
                let phase = phase
                do throws(POP3SyntaxError) {
                    if let action = try advance(&input, &output) { return action }
                } catch {
                    close(.syntax(phase, error))
                }
            }
        }
    }

    /// One step; nil where another may be possible at once.
    private mutating func advance(
        _ input: inout ByteBuffer,
        _ output: inout ByteBuffer
    ) throws(POP3SyntaxError) -> Action? {
        if case .text(var decoder) = body { return try take(text: &decoder, &input) }
        guard let line = try reader.next(&input) else { return .read(phase) }
        answers += 1
        answerOctets += Int64(line.count)
        if body != nil { return try take(line, &output) }
        return try received(line, !input.isEmpty, &output)
    }

    /// Some of a text.
    private mutating func take(
        text decoder: inout POP3TextDecoder,
        _ input: inout ByteBuffer
    ) throws(POP3SyntaxError) -> Action {
        let (before, unread) = (text.count, input.count)
        let isEnd = decoder.decode(&input, into: &text, limit: Self.textOctets)
        textOctets += Int64(text.count - before)
        answerOctets += Int64(unread - input.count)
        guard textOctets <= configuration.maximumMessageOctets else { throw .messageTooLarge }
        body = isEnd ? nil : .text(decoder)
        if isEnd { finish(.done(head)) }
        if isEnd || !text.isEmpty { answers += 1 }
        // What came with the end is handed out before it.
        if !text.isEmpty { return .text }
        guard isEnd, let result = pending else { return .read(phase) }
        pending = nil
        return .finished(result)
    }

    /// A line of an answer that has several.
    private mutating func take(_ line: [UInt8], _ output: inout ByteBuffer) throws(POP3SyntaxError) -> Action? {
        guard line != [ASCII.dot] else { return finishLines(&output) }
        let content = line.first == ASCII.dot ? Array(line.dropFirst()) : line
        bodyLines += 1
        switch body {
        case .capabilities:
            guard bodyLines <= Self.maximumCapabilities else { throw .tooManyLines }
            capabilities.take(content)
            return nil
        case .listings(let isUniqueID):
            guard bodyLines <= Self.maximumListings else { throw .tooManyLines }
            guard let listing = POP3Listing(content, isUniqueID: isUniqueID) else { throw .badLine }
            return .listing(listing)
        case .text, nil: return nil
        }
    }

    private mutating func finishLines(_ output: inout ByteBuffer) -> Action? {
        body = nil
        guard expected.first == .capabilities else {
            finish(.done(head))
            return nil
        }
        removeFirstExpected()
        greeted(&output)
        return nil
    }

    /// A status line, or the challenge of an authentication.
    private mutating func received(
        _ line: [UInt8],
        _ hasMore: Bool,
        _ output: inout ByteBuffer
    ) throws(POP3SyntaxError) -> Action? {
        guard let expectation = expected.first else {
            close(.unsolicited(.idle))
            return nil
        }
        if expectation == .authentication, let challenge = Self.challenge(line) {
            removeFirstExpected()
            received(challenge: challenge, &output)
            return nil
        }
        guard let reply = POP3Reply(line) else { throw .badStatus }
        if case .command(let command) = expectation { return try received(reply, line, to: command) }
        if expectation == .capabilities, reply.isPositive {
            begin(.capabilities, reply)
            capabilities = POP3Capabilities()
            capabilities.isKnown = true
            return nil
        }
        removeFirstExpected()
        received(reply, to: expectation, hasMore, &output)
        return nil
    }

    private mutating func begin(_ body: Body, _ reply: POP3Reply) {
        self.body = body
        head = reply
        bodyLines = 0
        textOctets = 0
    }

    /// While the session is being set up.
    private mutating func received(
        _ reply: POP3Reply,
        to expectation: Expectation,
        _ hasMore: Bool,
        _ output: inout ByteBuffer
    ) {
        switch expectation {
        case .greeting:
            guard reply.isPositive else { return close(.refused(.greeting, reply)) }
            askCapabilities(&output)
        case .capabilities:
            // A server of RFC 1939 alone does not know the command.
            capabilities = POP3Capabilities()
            greeted(&output)
        case .startTLS:
            guard reply.isPositive else { return close(.refused(.startTLS, reply)) }
            if hasMore { close(.injectedBeforeTLS) } else { state = .handshake }
        case .authentication, .pass: receivedAuthentication(reply, &output)
        case .user: receivedUser(reply, &output)
        case .cancellation: receivedCancellation(reply)
        case .command: break
        }
    }

    private mutating func received(
        _ reply: POP3Reply,
        _ line: [UInt8],
        to command: POP3Command
    ) throws(POP3SyntaxError) -> Action? {
        if reply.isPositive {
            switch command {
            case .list(nil):
                begin(.listings(isUniqueID: false), reply)
                return nil
            case .uidl(nil):
                begin(.listings(isUniqueID: true), reply)
                return nil
            case .retr, .top:
                begin(.text(POP3TextDecoder(reader.lineEnd ?? .crlf)), reply)
                return nil
            case .list(let number?): return try single(line, number, isUniqueID: false)
            case .uidl(let number?): return try single(line, number, isUniqueID: true)
            case .stat:
                guard let status = POP3Status(Self.behindStatus(line)) else { throw .badLine }
                finish(.status(status))
                return nil
            case .dele, .rset, .noop, .quit: break
            }
        }
        finish(reply.isPositive ? .done(reply) : .refused(reply))
        if command == .quit { close(nil) }
        return nil
    }

    /// `+OK 3 120`: the listing is in the status line, so that it is handed out before the command is done.
    private mutating func single(
        _ line: [UInt8],
        _ number: UInt32,
        isUniqueID: Bool
    ) throws(POP3SyntaxError) -> Action {
        let content = Self.behindStatus(line)
        guard let listing = POP3Listing(content, isUniqueID: isUniqueID), listing.number == number else {
            throw .badLine
        }
        finish(.done(POP3Reply(isPositive: true, text: "")))
        return .listing(listing)
    }

    /// What stands behind `+OK`.
    private static func behindStatus(_ line: [UInt8]) -> [UInt8] { Array(line.dropFirst(3).drop(while: ASCII.isBlank)) }

    /// The first command under way is done, which is told next.
    private mutating func finish(_ result: Result) {
        removeFirstExpected()
        if expected.isEmpty { state = .ready }
        pending = result
    }

    private mutating func removeFirstExpected() {
        expected.removeFirst()
        wholeAnswers += 1
        answerOctets = 0
    }

    // MARK: What the owner does

    /// Whether another command may be sent now: behind others only where the server takes several.
    package var canSend: Bool {
        guard isAuthenticated else { return false }
        switch state {
        case .ready: return true
        case .awaiting:
            return capabilities.pipelining && expected.count < Self.window && expected.last != .command(.quit)
        case .handshake, .deriving, .closed: return false
        }
    }

    /// Asks for something; the answer comes behind those to what was asked before.
    package mutating func send(_ command: POP3Command, _ output: inout ByteBuffer) {
        precondition(canSend, "the session takes no command now")
        command.append(to: &output)
        expected.append(.command(command))
        state = .awaiting
    }

    /// Ends a session that nobody is logged in to.
    package mutating func quitUnauthenticated(_ output: inout ByteBuffer) {
        guard case .ready = state, !isAuthenticated else { return }
        POP3Command.quit.append(to: &output)
        expected.append(.command(.quit))
        state = .awaiting
    }

    /// The handshake is done.
    ///
    /// Nothing that was said before it counts (RFC 2595 §4).
    package mutating func tlsEstablished(
        isVerified: Bool,
        channelBinding: SASLChannelBinding?,
        _ output: inout ByteBuffer
    ) {
        guard case .handshake = state else { preconditionFailure("no handshake was asked for") }
        isTLS = true
        self.isVerified = isVerified
        self.channelBinding = channelBinding
        capabilities = POP3Capabilities()
        askCapabilities(&output)
    }

    /// The connection failed, or a deadline passed.
    package mutating func failed(_ failure: POP3ClientFailure) { close(failure) }

    mutating func close(_ failure: POP3ClientFailure?) {
        guard !isClosed else { return }
        state = .closed(failure)
        expected = []
        body = nil
        exchange = nil
    }

    /// Whether the session has ended.
    package var isOver: Bool { isClosed }

    var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// What is under way.
    package var phase: POP3ClientPhase {
        switch state {
        case .ready: return .idle
        case .handshake: return .startTLS
        case .deriving: return .authentication
        case .closed: return .quit
        case .awaiting: break
        }
        switch expected.first {
        case .greeting: return .greeting
        case .capabilities: return .capabilities
        case .startTLS: return .startTLS
        case .authentication, .cancellation, .user, .pass: return .authentication
        case .command(let command): return command.phase
        case nil: return .idle
        }
    }

    // MARK: Setting up the session

    mutating func askCapabilities(_ output: inout ByteBuffer) {
        output.append("CAPA\r\n")
        expected.append(.capabilities)
        state = .awaiting
    }

    /// It is known what the server can do.
    private mutating func greeted(_ output: inout ByteBuffer) {
        if isAuthenticated {
            state = .ready
        } else if !isTLS, configuration.tls == .required {
            guard capabilities.startTLS else { return close(.tlsNotOffered) }
            output.append("STLS\r\n")
            expected.append(.startTLS)
        } else {
            logIn(&output)
        }
    }
}
