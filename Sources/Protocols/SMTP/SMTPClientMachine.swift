// SPDX-License-Identifier: Apache-2.0

import MailTypes
package import SASL
package import Wire

/// The client's side of one SMTP or LMTP session: replies in, commands and actions out.
///
/// ```
/// greeting ─▶ EHLO ─┬▶ HELO ─────────────────────┬▶ ready ◀───────────────────────────────┐
///                   ├▶ STARTTLS ─▶ handshake ─▶ EHLO ─┤    └▶ MAIL, RCPT…, DATA ─▶ text ─▶ answer ┤
///                   └▶ AUTH ◀────────────────────┘    └▶ QUIT ─▶ closed     └▶ (refused) RSET ─┘
/// ```
///
/// Its owner calls ``next(_:_:)`` until the action is `read`, sends `output` before it waits or hands on, and answers the
/// others by the call named beside each. When the connection fails it calls ``failed(_:unsentOctets:)``.
package struct SMTPClientMachine: ~Copyable {
    package enum Action: Sendable {
        /// More input is needed; the phase has its deadline (``SMTPClientPhase/patienceSeconds``).
        case read(SMTPClientPhase)
        /// Send the output, make the connection a TLS one, then call ``tlsEstablished(isVerified:channelBinding:_:)``.
        case startTLS
        /// Answer by ``derived(_:_:)``, from a thread that may block.
        case derive(SCRAMKeyDerivation)
        /// The session waits for ``begin(_:_:)`` or ``quit(_:)``.
        case ready
        /// The next octets of the message are wanted, by ``supply(_:isLast:_:)``.
        case text
        /// What became of each recipient of the envelope, in its order.
        case finished([SMTPRecipientResult])
        /// The session is over; nil after QUIT.
        case close(SMTPClientFailure?)
    }

    enum State: Sendable {
        case awaiting
        case handshake
        case deriving(SCRAMKeyDerivation)
        case ready
        case text(MailTextEncoder)
        case closed(SMTPClientFailure?)
    }

    /// The command whose reply is awaited.
    enum Expectation: Hashable, Sendable {
        case greeting, ehlo, helo, startTLS, authentication, cancellation, quit
        case rset, mail, rcpt(Int), data
        case chunk
        /// The answer to the end of the text: for all recipients, or in LMTP for one.
        case final(Int?)
    }

    package let configuration: SMTPClientConfiguration
    package internal(set) var capabilities = SMTPCapabilities()
    package internal(set) var isTLS: Bool
    /// Whether the server's certificate was verified.
    package internal(set) var isVerified: Bool
    /// Messages that were begun in this session.
    package internal(set) var transactions = 0
    /// Replies that came in this session: each has a deadline of its own.
    package private(set) var replies = 0

    var state = State.awaiting
    var expected: [Expectation] = [.greeting]
    var transaction: Transaction?
    var exchange: SASLClientDialogue?
    var channelBinding: SASLChannelBinding?
    /// A transaction was begun and not ended by its text.
    var needsReset = false
    /// Results not handed out yet.
    var results: [SMTPRecipientResult]?
    private var parser = SMTPReplyParser()

    /// - Parameter isVerified: of a connection that is TLS already.
    package init(
        _ configuration: SMTPClientConfiguration,
        isTLS: Bool,
        isVerified: Bool = false,
        channelBinding: SASLChannelBinding? = nil
    ) {
        self.configuration = configuration
        self.isTLS = isTLS
        self.isVerified = isVerified
        self.channelBinding = channelBinding
    }

    /// What to do next.
    ///
    /// Consumes from the front of `input`, appends to `output`.
    package mutating func next(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action {
        while true {
            if let results {
                self.results = nil
                return .finished(results)
            }
            switch state {
            case .closed(let failure): return .close(failure)
            case .handshake: return .startTLS
            case .deriving(let key): return .derive(key)
            case .ready:
                if input.isEmpty { return .ready }
                guard let reply = takeReply(&input) else { return isClosed ? next(&input, &output) : .ready }
                close(reply.code == 421 ? .refused(.idle, reply) : .unsolicited(.idle))
            case .text:
                // A server that does not want the rest says so, and then seldom waits for its end.
                guard let reply = takeReply(&input) else { return isClosed ? next(&input, &output) : .text }
                received(reply, during: .text, &output)
            case .awaiting:
                let phase = phase
                guard let reply = takeReply(&input) else { return isClosed ? next(&input, &output) : .read(phase) }
                received(reply, during: phase, &output)
                if case .handshake = state, !input.isEmpty { close(.injectedBeforeTLS) }
            }
        }
    }

    private mutating func takeReply(_ input: inout ByteBuffer) -> SMTPReply? {
        do throws(SMTPReplySyntaxError) {
            guard let reply = try parser.next(&input) else { return nil }
            replies += 1
            return reply
        } catch {
            fail(.syntax(phase, error), mayHaveArrived: transaction?.isEndSent ?? false)
            return nil
        }
    }

    /// Whether the session has ended.
    package var isOver: Bool { isClosed }

    var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// What is under way.
    package var phase: SMTPClientPhase {
        switch state {
        case .ready: return .idle
        case .text: return .text
        case .handshake: return .startTLS
        case .deriving: return .authentication
        case .closed: return .quit
        case .awaiting: break
        }
        return switch expected.first {
        case .greeting: .greeting
        case .ehlo, .helo: .hello
        case .startTLS: .startTLS
        case .authentication, .cancellation: .authentication
        case .rset: .reset
        case .mail: .mail
        case .rcpt: .rcpt
        case .data: .data
        case .chunk: .text
        case .final: .final
        case .quit, nil: .quit
        }
    }

    // MARK: What happens to the connection

    /// The handshake is done.
    ///
    /// Nothing that was said before it counts (RFC 3207 §4.2).
    package mutating func tlsEstablished(
        isVerified: Bool,
        channelBinding: SASLChannelBinding?,
        _ output: inout ByteBuffer
    ) {
        guard case .handshake = state else { preconditionFailure("no handshake was asked for") }
        isTLS = true
        self.isVerified = isVerified
        self.channelBinding = channelBinding
        capabilities = SMTPCapabilities()
        state = .awaiting
        hello(&output)
    }

    /// The connection failed, or a deadline passed.
    ///
    /// - Parameter unsentOctets: how much of the output was not sent. While any is, the end of a text has not reached the
    ///   server, and the message was certainly not taken.
    package mutating func failed(_ failure: SMTPClientFailure, unsentOctets: Int) {
        fail(failure, mayHaveArrived: unsentOctets == 0 && transaction?.isEndSent ?? false)
    }

    mutating func fail(_ failure: SMTPClientFailure, mayHaveArrived: Bool) {
        finishTransaction { _ in mayHaveArrived ? .unknown(failure) : .failed(failure) }
        close(failure)
    }

    mutating func close(_ failure: SMTPClientFailure?) {
        guard !isClosed else { return }
        state = .closed(failure)
        expected = []
        exchange = nil
    }

    // MARK: Setting up the session

    mutating func send(_ command: StaticString, expecting expectation: Expectation, _ output: inout ByteBuffer) {
        output.append(command)
        output.appendLineEnd()
        expected.append(expectation)
    }

    mutating func received(_ reply: SMTPReply, during phase: SMTPClientPhase, _ output: inout ByteBuffer) {
        guard !expected.isEmpty || phase == .text else { return close(.unsolicited(phase)) }
        if phase == .text, expected.isEmpty {
            finishTransaction { _ in .refused(.text, reply) }
            return close(.refused(.text, reply))
        }
        let expectation = expected.removeFirst()
        // The server is about to hang up, whatever was asked (RFC 5321 §3.8).
        if reply.code == 421, expectation != .quit {
            finishTransaction { _ in .refused(phase, reply) }
            return close(.refused(phase, reply))
        }
        switch expectation {
        case .greeting:
            guard reply.code == 220 else { return close(.refused(.greeting, reply)) }
            hello(&output)
        case .ehlo: receivedEHLO(reply, &output)
        case .helo:
            guard reply.code == 250 else { return close(.refused(.hello, reply)) }
            greeted(&output)
        case .startTLS:
            guard reply.code == 220 else { return startTLSRefused(reply, &output) }
            state = .handshake
        case .authentication: receivedAuthentication(reply, &output)
        case .cancellation: receivedCancellation(reply)
        case .quit: close(nil)
        case .rset: receivedReset(reply, &output)
        case .mail: receivedMail(reply, &output)
        case .rcpt(let index): receivedRcpt(reply, index, &output)
        case .data: receivedData(reply, &output)
        case .chunk: receivedChunk(reply, &output)
        case .final(let index): receivedFinal(reply, index)
        }
    }

    private mutating func hello(_ output: inout ByteBuffer) {
        output.append(configuration.dialect == .lmtp ? "LHLO " : "EHLO ")
        output.append(configuration.clientName.octets)
        output.appendLineEnd()
        expected.append(.ehlo)
    }

    private mutating func receivedEHLO(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        if reply.code == 250 {
            capabilities = SMTPCapabilities(reply)
            return greeted(&output)
        }
        // A server of RFC 821 does not know EHLO; whatever 5yz it says, it may know HELO (RFC 5321 §3.2).
        guard reply.code >= 500, configuration.dialect == .smtp else { return close(.refused(.hello, reply)) }
        output.append("HELO ")
        output.append(configuration.clientName.octets)
        output.appendLineEnd()
        expected.append(.helo)
    }

    private mutating func greeted(_ output: inout ByteBuffer) {
        if !isTLS, configuration.tls != .asIs {
            if capabilities.startTLS { return send("STARTTLS", expecting: .startTLS, &output) }
            guard configuration.tls == .opportunistic else { return close(.tlsNotOffered) }
        }
        secured(&output)
    }

    private mutating func startTLSRefused(_ reply: SMTPReply, _ output: inout ByteBuffer) {
        guard configuration.tls == .opportunistic, reply.code != 421 else { return close(.refused(.startTLS, reply)) }
        secured(&output)
    }

    /// Ends the session in order.
    package mutating func quit(_ output: inout ByteBuffer) {
        guard case .ready = state else { return close(nil) }
        state = .awaiting
        send("QUIT", expecting: .quit, &output)
    }
}

extension SMTPClientPhase {
    /// How long RFC 5321 §4.5.3.2 gives a server: for a reply, or to take more of a text.
    package var patienceSeconds: Int {
        switch self {
        case .greeting, .hello, .startTLS, .authentication, .mail, .rcpt, .reset: 300
        case .data: 120
        case .text: 180
        case .final: 600
        case .quit, .idle: 10
        }
    }
}
