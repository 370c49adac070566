// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Wire

/// The server's side of one POP3 session (RFC 1939): octets in, answers and actions out.
///
/// It knows the protocol and its limits; who somebody is, what is in the maildrop, and what a message says, it asks.
///
/// ```
/// greeting ─▶ command ──AUTH──▶ authentication ─┬▶ deciding ─▶ command        AUTHORIZATION until there is a maildrop,
///              │ │ │ └──PASS────────────────────┘     ▲                       then TRANSACTION
///              │ │ └────STLS──▶ handshake ─▶ command  │
///              │ └──LIST, UIDL──▶ listing ─▶ command  │
///              ├────RETR, TOP─────────────────────────┴──▶ text ─▶ command
///              ├────QUIT──▶ deciding (UPDATE) ─▶ closed
///              └──line too long──▶ discarding ─▶ command
/// ```
///
/// Its owner calls ``next(_:_:)`` until the action is `read`, `startTLS` or `close`, sends `output` before it waits or hands
/// on, and answers each question by the call named beside it.
package struct POP3ServerMachine: ~Copyable {
    package enum Action: Sendable {
        /// More input is needed. The number is another one for each command, so that dribbling in one octet after another
        /// gains no time.
        case read(UInt64)
        /// Send the output before going on: much of it has come together.
        case write
        /// Send the output, make the connection a TLS one, then call ``tlsEstablished()``.
        case startTLS
        /// Answer by ``authenticated(_:_:)``.
        case authenticate(SASLCredentials)
        /// A message is wanted, by its index. Answer by ``opened(_:_:)``.
        case open(Int)
        /// Append the open message's next octets to ``content`` and call ``supplied(isEnd:)``.
        ///
        /// Where that is impossible the connection has to be closed: nothing can be said within an answer.
        case content
        /// Delete the messages of these indices, all of them or none, and answer by ``updated(_:_:)``, once that will last.
        case update([Int])
        /// Send the output and end the connection.
        case close
    }

    enum State: Sendable {
        case greeting
        case command
        /// A line too long is read to its end and then refused.
        case discarding(endsInCR: Bool)
        case authentication(SASLServerDialogue)
        case handshake
        case deciding(Question)
        /// The answer to LIST or UIDL, from this index on.
        case listing(isUniqueID: Bool, next: Int)
        case text(Text)
        case closed
    }

    /// What was asked and is not yet answered.
    enum Question: Sendable {
        case authenticate
        /// Lines of the body that are wanted, or nil for all.
        case open(lines: UInt32?)
        case update
    }

    /// A message on its way.
    struct Text: Sendable {
        var encoder = MailTextEncoder(.dots, nul: 0x80)
        var cut: POP3TopCut?
        var isEnd = false
    }

    /// Output that is sent together, about.
    static var outputOctets: Int { 64 << 10 }

    package let configuration: POP3ServerConfiguration
    package internal(set) var session: POP3ServerSession
    /// Octets of the open message, not yet encoded.
    package var content = ByteBuffer()
    /// The replies given since they were last taken.
    package var records: [POP3ServerRecord] = []
    /// Set when the server is about to stop: a session ends when nothing is under way in it.
    package var isDraining = false
    /// Set while the server is overloaded: less patience.
    package var isOverloaded = false

    var state = State.greeting
    /// The TRANSACTION state; before it is AUTHORIZATION.
    package internal(set) var isLoggedIn = false
    var maildrop = POP3Maildrop()
    /// What USER said.
    var name: [UInt8]?
    var verb = POP3Verb.connect
    var serial: UInt64 = 0
    /// Behind this offset the input was not yet searched for a line's end.
    var searched = 0
    private var errors = 0
    private var junk = 0
    var authenticationFailures = 0

    package init(_ configuration: POP3ServerConfiguration, isTLS: Bool) {
        self.configuration = configuration
        session = POP3ServerSession(isTLS: isTLS)
    }

    var limits: POP3ServerConfiguration.Limits { configuration.limits }

    /// Whether a message is open: whoever supplies its octets may forget it otherwise.
    package var isMessageOpen: Bool {
        if case .text = state { return true }
        return false
    }

    /// Whether the end of the connection would undo something.
    package var hasMarks: Bool { maildrop.hasMarks }

    /// What to do next.
    ///
    /// Consumes from the front of `input`, appends to `output`.
    package mutating func next(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action {
        while true {
            if output.count >= Self.outputOctets { return .write }
            if let action = step(&input, &output) { return action }
        }
    }

    /// One step; nil when there is another to take.
    private mutating func step(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action? {
        switch state {
        case .greeting:
            reply(.ok("\(configuration.hostName) Postern is ready"), &output)
            state = .command
            return nil
        case .command, .authentication:
            guard !drains(&output) else { return nil }
            switch takeLine(&input, &output) {
            case .line: return handleLine(&input, &output)
            case .incomplete: return .read(serial)
            case .refused: return nil
            }
        case .discarding(let endsInCR): return discard(endsInCR, &input, &output) ? nil : .read(serial)
        case .listing(let isUniqueID, let next): return list(isUniqueID, from: next, &output)
        case .text(let text): return send(text, &output)
        case .handshake: return .startTLS
        case .closed: return .close
        case .deciding: preconditionFailure("a question is not answered")
        }
    }

    var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    // MARK: What happens to the connection

    /// The handshake is done.
    ///
    /// Nothing that was said before it counts (RFC 2595 §4).
    package mutating func tlsEstablished() {
        guard case .handshake = state else { preconditionFailure("no handshake was asked for") }
        session = POP3ServerSession(isTLS: true)
        name = nil
        state = .command
        serial += 1
    }

    /// What was waited for did not come in time: the session ends without a word, and nothing is deleted (RFC 1939 §3).
    package mutating func timedOut() { state = .closed }

    /// A session in which something is marked may go on to its QUIT, as far as the server waits for it.
    private mutating func drains(_ output: inout ByteBuffer) -> Bool {
        guard isDraining, !hasMarks else { return false }
        verb = .session
        close(.shuttingDown, &output)
        return true
    }

    // MARK: Replies

    mutating func reply(_ reply: POP3Reply, _ output: inout ByteBuffer) {
        reply.append(to: &output)
        records.append(POP3ServerRecord(verb: verb, isPositive: reply.isPositive))
    }

    /// A reply that refuses a command: there are only so many of them in a session.
    mutating func refuse(_ reply: POP3Reply, _ output: inout ByteBuffer) {
        self.reply(reply, &output)
        errors += 1
        if errors >= (isOverloaded ? limits.errorsUnderLoad : limits.errors) { tooManyErrors(&output) }
    }

    /// Counts a command that leads nowhere, as long as nobody is logged in.
    mutating func humour(_ output: inout ByteBuffer) {
        guard !isLoggedIn, !isClosed else { return }
        junk += 1
        if junk > (isOverloaded ? limits.junkCommandsUnderLoad : limits.junkCommands) { tooManyErrors(&output) }
    }

    mutating func tooManyErrors(_ output: inout ByteBuffer) {
        verb = .session
        close(.tooManyErrors, &output)
    }

    mutating func close(_ reply: POP3Reply, _ output: inout ByteBuffer) {
        self.reply(reply, &output)
        state = .closed
    }
}
