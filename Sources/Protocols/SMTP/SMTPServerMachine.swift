// SPDX-License-Identifier: Apache-2.0

import MailTypes
package import SASL
package import Wire

/// The server's side of one SMTP connection: octets in, replies and actions out.
///
/// It knows the protocol and its limits; who may send what to whom, it asks.
///
/// ```
/// greeting ─▶ command ──MAIL/RCPT/DATA/BDAT/AUTH──▶ deciding ─▶ command
///               │ │ └──AUTH──▶ authentication ─▶ deciding        │
///               │ └────STARTTLS──▶ handshake ─▶ command           ├─▶ text (DATA) ──▶ deciding ─▶ command
///               └──line too long──▶ discarding ─▶ command         └─▶ chunk (BDAT) ─▶ deciding ─▶ command
/// ```
///
/// Its owner calls ``next(_:_:)`` until the action is `read`, `startTLS` or `close`, sends `output` before it waits or
/// hands on, and answers each question by the call named beside it.
package struct SMTPServerMachine: ~Copyable {
    package enum Action: Sendable {
        /// More input is needed.
        case read(Wait)
        /// Send the output, make the connection a TLS one, then call ``tlsEstablished()``.
        case startTLS
        /// Answer by ``authenticated(_:_:)``.
        case authenticate(SASLCredentials)
        /// The first command of a transaction. Answer by ``decided(_:_:)``, as the next three.
        case mail(SMTPMail)
        case rcpt(SMTPRcpt)
        /// A message begins for the recipients accepted so far.
        case begin
        /// The message is complete and correct; the verdict becomes the reply that takes responsibility for it.
        case end
        /// Take the octets out of ``content``; they are the message's next. ``storeFailed(_:)`` if that is impossible.
        case store
        /// The message that began will not be completed: forget it.
        case abort
        /// Send the output and end the connection.
        case close
    }

    /// What is waited for: a deadline belongs to it.
    package enum Wait: Hashable, Sendable {
        /// A command, or a response to a challenge. The number is another one for each, so that dribbling in one octet
        /// after another gains no time.
        case command(UInt64)
        /// Any octets of a message.
        case message
    }

    enum State: Sendable {
        case greeting
        case command
        /// A line too long is read to its end and then refused.
        case discarding(SMTPReply, endsInCR: Bool)
        case authentication(SASLServerDialogue)
        case handshake
        case deciding(Question)
        case text(SMTPTextDecoder)
        case chunk(SMTPTextDecoder, rest: UInt64, isLast: Bool)
        /// The message is all here.
        case complete
        case closed
    }

    /// What was asked and is not yet answered.
    enum Question: Sendable {
        case authenticate
        case mail(SMTPMail)
        case rcpt
        case beginText
        case beginChunk(octets: UInt64, isLast: Bool)
        case end
    }

    /// What belongs to one message; a new value for each.
    struct Transaction: Sendable {
        let mail: SMTPMail
        var recipients = 0
        /// Between `begin` and `end` or `abort`.
        var isOpen = false
        /// Octets of the message as it is stored.
        var octets: UInt64 = 0
        /// Octets that came for it over the wire.
        var received: UInt64 = 0
        var header = SMTPHeaderWatch()
        /// Why the message is refused, once that is known; the rest of it is read and forgotten.
        var refusal: SMTPReply?
        /// The text decoder between two chunks; nil before the first.
        var chunks: SMTPTextDecoder?
    }

    package let configuration: SMTPServerConfiguration
    package internal(set) var session: SMTPSession
    /// The octets of a `store` action; its owner empties it.
    package var content = ByteBuffer()
    /// The replies given since they were last taken.
    package var records: [SMTPServerRecord] = []
    /// Set when the server is about to stop: the session ends with 421 between two transactions.
    package var isDraining = false
    /// Set while the server is overloaded: less patience.
    package var isOverloaded = false

    var state = State.greeting
    var transaction: Transaction?
    var verb = SMTPVerb.connect
    var serial: UInt64 = 0
    /// Behind this offset the input was not yet searched for a line's end.
    var searched = 0
    var errors = 0
    var junk = 0
    var refusedRecipients = 0
    var authenticationFailures = 0
    /// The reply to a chunk that has no transaction to belong to, while its octets are read.
    var skipped: SMTPReply?
    /// An `abort` is due before anything else.
    var owesAbort = false

    package init(_ configuration: SMTPServerConfiguration, isTLS: Bool) {
        self.configuration = configuration
        session = SMTPSession(isTLS: isTLS)
    }

    var limits: SMTPServerConfiguration.Limits { configuration.limits }

    /// The envelope's MAIL of the open transaction.
    package var mail: SMTPMail? { transaction?.mail }

    /// Whether a message has begun and was neither taken nor forgotten.
    package var isMessageOpen: Bool { transaction?.isOpen ?? false }

    /// What to do next.
    ///
    /// Consumes from the front of `input`, appends to `output`.
    package mutating func next(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action {
        while true {
            if owesAbort {
                owesAbort = false
                return .abort
            }
            if let action = step(&input, &output) { return action }
        }
    }

    /// One step; nil when there is another to take.
    private mutating func step(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action? {
        switch state {
        case .greeting:
            greet(input, &output)
            return nil
        case .command, .authentication:
            guard !drains(&output) else { return nil }
            switch takeLine(&input, &output) {
            case .line: return handleLine(&input, &output)
            case .incomplete: return .read(.command(serial))
            case .refused: return nil
            }
        case .discarding(let reply, let endsInCR):
            return discard(reply, endsInCR, &input, &output) ? nil : .read(.command(serial))
        case .text(let decoder): return text(decoder, &input, &output)
        case .chunk(let decoder, let rest, let isLast): return chunk(decoder, rest, isLast, &input, &output)
        case .complete: return complete(&output)
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
    /// Nothing that was said before it counts (RFC 3207 §4.2).
    package mutating func tlsEstablished() {
        precondition({ if case .handshake = state { true } else { false } }())
        session = SMTPSession(isTLS: true)
        transaction = nil
        state = .command
        serial += 1
    }

    /// What was waited for did not come in time.
    package mutating func timedOut(_ output: inout ByteBuffer) {
        verb = .session
        close(SMTPReply(421, .code(4, 4, 2), "\(hostName) Error: timeout exceeded"), &output)
    }

    /// The peer sends too slowly to go on with it.
    package mutating func tooSlow(_ output: inout ByteBuffer) {
        verb = .session
        close(SMTPReply(421, .code(4, 4, 2), "\(hostName) Error: data arrives too slowly"), &output)
    }

    private mutating func greet(_ input: borrowing ByteBuffer, _ output: inout ByteBuffer) {
        guard input.isEmpty else {
            close(.unauthorizedPipelining, &output)
            return
        }
        let kind = configuration.service == .submission ? "ESMTP submission" : "ESMTP"
        reply(SMTPReply(220, nil, "\(hostName) \(kind) Postern"), &output)
        state = .command
    }

    private mutating func drains(_ output: inout ByteBuffer) -> Bool {
        guard isDraining, transaction == nil else { return false }
        verb = .session
        close(SMTPReply(421, .code(4, 3, 2), "\(hostName) Service shutting down, try again later"), &output)
        return true
    }

    var hostName: String { configuration.hostName.description }

    // MARK: Replies

    mutating func reply(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        reply.append(to: &output)
        records.append(SMTPServerRecord(verb: verb, code: reply.code))
    }

    /// A reply that refuses a command: there are only so many of them in a session.
    mutating func refuse(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        self.reply(reply, &output)
        errors += 1
        if errors >= (isOverloaded ? limits.errorsUnderLoad : limits.errors) { tooManyErrors(&output) }
    }

    mutating func tooManyErrors(_ output: inout ByteBuffer) {
        verb = .session
        close(SMTPReply(421, .code(4, 7, 0), "\(hostName) Error: too many errors"), &output)
    }

    /// A reply to a command that leads nowhere.
    mutating func humour(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        self.reply(reply, &output)
        junk += 1
        if junk > (isOverloaded ? limits.junkCommandsUnderLoad : limits.junkCommands) { tooManyErrors(&output) }
    }

    mutating func close(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        self.reply(reply, &output)
        forgetTransaction()
        state = .closed
    }

    /// Ends the transaction without a message.
    mutating func forgetTransaction() {
        if isMessageOpen { owesAbort = true }
        transaction = nil
    }
}
