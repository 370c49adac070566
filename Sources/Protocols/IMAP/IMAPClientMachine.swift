// SPDX-License-Identifier: Apache-2.0

package import SASL
package import Wire

/// The client's side of one IMAP session: responses in, commands and events out.
///
/// ```
/// greeting ─▶ [CAPABILITY] ─┬▶ STARTTLS ─▶ handshake ─▶ CAPABILITY ─┬▶ AUTHENTICATE or LOGIN ─▶ [CAPABILITY] ─┐
///                           └─────────────────────────────────────┘                                      │
///    closed ◀─ LOGOUT ◀─ commands, several under way ◀─ ready ◀─ [COMPRESS] ◀─ ID, ENABLE, NAMESPACE ◀──────┘
/// ```
///
/// Its owner calls ``next(_:_:)`` until the action is `read`, sends `output` before it waits, and answers the others by the
/// call named beside each. Commands are ``submit(_:_:)``ted at any time; those that cannot be under way together wait for
/// each other. When the connection fails it calls ``failed(_:)``.
package struct IMAPClientMachine: ~Copyable {
    package enum Action: Sendable {
        /// Send the output; then more input is needed.
        case read(IMAPClientPhase)
        /// Send the output, make the connection a TLS one, then call ``tlsEstablished(isVerified:channelBinding:_:)``.
        case startTLS
        /// Answer by ``derived(_:_:)``, from a thread that may block.
        case derive(SCRAMKeyDerivation)
        /// Send the output as it is; from then on both directions are compressed, beginning with what is left of the input.
        /// Then call ``compressionStarted(_:)``.
        case startCompression
        case event(Event)
        /// The session is over; nil after LOGOUT.
        case close(IMAPClientFailure?)
    }

    package enum Event: Hashable, Sendable {
        /// Commands can be submitted.
        case ready
        /// Untagged data, and the command that has asked for such, if one has.
        ///
        /// Servers may send data unasked at any time, so what is told may be beyond what was asked for.
        case response(IMAPResponse, for: CommandID?)
        /// A piece of a FETCH response.
        case fetch(IMAPResponseEvent, for: CommandID?)
        /// A response was left out.
        case unreadable(IMAPSyntaxError, [UInt8])
        /// The server has agreed to IDLE.
        case idling(CommandID)
        /// The octets of a message are wanted, by ``supply(_:_:)``: so many.
        case wantsOctets(CommandID, UInt64)
        case completed(CommandID, IMAPStatus)
    }

    /// A command of this session.
    package struct CommandID: Hashable, Sendable {
        let number: UInt64
    }

    enum State: Sendable {
        case greeting
        /// Commands of our own are under way.
        case setup
        case handshake
        case deriving(SCRAMKeyDerivation)
        case compressing
        case ready
        case closed(IMAPClientFailure?)
    }

    /// How far the session is set up.
    enum Stage: Sendable { case greeted, secured, authenticated, identified, compressed }

    package let configuration: IMAPClientConfiguration
    package internal(set) var capabilities = IMAPCapabilities()
    /// What the server has enabled.
    package internal(set) var enabled: Set<IMAPCapability> = []
    /// Nil where the server has told none.
    package internal(set) var namespaces: IMAPNamespaces?
    /// What the server says of itself.
    package internal(set) var serverIdentification: [IMAPParameter] = []
    package internal(set) var isTLS: Bool
    /// Whether the server's certificate was verified.
    package internal(set) var isVerified: Bool

    var state = State.greeting
    var stage = Stage.greeted
    /// In the order in which they were sent.
    var underWay: [UnderWay] = []
    /// Not sent yet.
    var waiting: [Pending] = []
    /// The command whose parts are being sent.
    var sending: Sending?
    var events: [Event] = []
    var nextEvent = 0
    var lastNumber: UInt64 = 0
    var exchange: SASLClientDialogue?
    /// Capabilities were told since the last login or handshake was asked for.
    var hasFreshCapabilities = false
    var parser: IMAPResponseParser
    var channelBinding: SASLChannelBinding?
    private var octetsBeforeLogin = 0
    private var unreadable = 0

    /// - Parameter isVerified: of a connection that is TLS already.
    package init(
        _ configuration: IMAPClientConfiguration,
        isTLS: Bool,
        isVerified: Bool = false,
        channelBinding: SASLChannelBinding? = nil
    ) {
        self.configuration = configuration
        self.isTLS = isTLS
        self.isVerified = isVerified
        self.channelBinding = channelBinding
        parser = IMAPResponseParser(.beforeLogin)
    }

    /// Deviations of the server that were met so far.
    package var deviations: Set<IMAPDeviation> { parser.deviations }

    /// Names of mailboxes are UTF-8 in this session.
    package var isUTF8: Bool { enabled.contains(.utf8Accept) || enabled.contains(.imap4rev2) }

    package var isReady: Bool {
        if case .ready = state { return true }
        return false
    }

    var isClosed: Bool {
        if case .closed = state { return true }
        return false
    }

    /// What to do next.
    ///
    /// Consumes from the front of `input`, appends to `output`.
    package mutating func next(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Action {
        while true {
            if nextEvent < events.count {
                nextEvent += 1
                return .event(events[nextEvent - 1])
            }
            events.removeAll(keepingCapacity: true)
            nextEvent = 0
            switch state {
            case .closed(let failure): return .close(failure)
            case .handshake: return .startTLS
            case .deriving(let key): return .derive(key)
            case .compressing: return .startCompression
            case .greeting, .setup, .ready: break
            }
            guard let event = takeEvent(&input) else {
                if isClosed { continue }
                return .read(phase)
            }
            received(event, &output)
            if case .handshake = state, !input.isEmpty { close(.injectedBeforeTLS) }
        }
    }

    private mutating func takeEvent(_ input: inout ByteBuffer) -> IMAPResponseEvent? {
        let before = input.count
        do throws(IMAPSyntaxError) {
            let event = try parser.next(&input)
            guard stage == .greeted || stage == .secured else { return event }
            octetsBeforeLogin += before - input.count
            if octetsBeforeLogin > configuration.octetsBeforeLogin {
                close(.tooMuchBeforeLogin)
                return nil
            }
            return event
        } catch {
            close(.syntax(phase, error))
            return nil
        }
    }

    /// What is under way.
    package var phase: IMAPClientPhase {
        switch state {
        case .greeting: return .greeting
        case .handshake: return .startTLS
        case .deriving: return .authentication
        case .compressing: return .setup
        case .closed: return .closed
        case .ready: return underWay.isEmpty ? .ready : underWay.contains { $0.isIdling } ? .idle : .command
        case .setup: break
        }
        guard case .setup(let step) = underWay.first?.owner else { return .setup }
        switch step {
        case .capability: return .capability
        case .startTLS: return .startTLS
        case .login: return .authentication
        case .id, .enable, .namespace, .compress: return .setup
        }
    }

    // MARK: What happens to the connection

    /// The connection failed, or a deadline passed.
    package mutating func failed(_ failure: IMAPClientFailure) { close(failure) }

    mutating func close(_ failure: IMAPClientFailure?) {
        guard !isClosed else { return }
        state = .closed(failure)
        underWay = []
        waiting = []
        sending = nil
        exchange = nil
    }

    // MARK: Responses

    private mutating func received(_ event: IMAPResponseEvent, _ output: inout ByteBuffer) {
        switch event {
        case .response(let response): received(response, &output)
        case .fetchBegins, .fetchItem, .sectionBegins, .sectionOctets, .sectionEnds, .fetchEnds:
            if case .greeting = state { return close(.unsolicited(.greeting)) }
            if isReady { events.append(.fetch(event, for: asker(of: .fetch))) }
        case .unreadable(let error, let octets):
            unreadable += 1
            if case .greeting = state { return close(.syntax(.greeting, error)) }
            if unreadable > configuration.unreadableResponses { return close(.tooManyUnreadable) }
            events.append(.unreadable(error, octets))
        }
    }

    private mutating func received(_ response: IMAPResponse, _ output: inout ByteBuffer) {
        if case .greeting = state { return greeted(response, &output) }
        switch response {
        case .continuation(let text): receivedContinuation(text, &output)
        case .tagged(let tag, let status): receivedTagged(tag, status, &output)
        case .status(let status): receivedStatus(status)
        case .capability(let capabilities):
            take(capabilities)
            pass(response)
        case .enabled(let words):
            let names = words.map { $0.map(ASCII.uppercased) }
            enabled.formUnion(
                IMAPCapability.allCases.filter { capability in
                    names.contains { $0.elementsEqual(capability.rawValue.utf8) }
                }
            )
            pass(response)
        case .namespace(let namespaces):
            self.namespaces = namespaces
            pass(response)
        case .id(let parameters):
            serverIdentification = parameters
            pass(response)
        case .list, .mailboxStatus, .flags, .exists, .recent, .expunge, .vanished, .search, .sort, .extendedSearch,
            .thread, .quota, .quotaRoots, .unknown:
            pass(response)
        }
    }

    /// Data for whoever owns the session.
    private mutating func pass(_ response: IMAPResponse) {
        if isReady { events.append(.response(response, for: asker(of: response))) }
    }

    private mutating func receivedStatus(_ status: IMAPStatus) {
        if case .capability(let capabilities) = status.code { take(capabilities) }
        if status.condition == .bye {
            // After LOGOUT it is how the server says goodbye.
            if underWay.contains(where: { $0.isLogout }) { return }
            return close(.bye(status))
        }
        if status.code == .alert || isReady {
            events.append(.response(.status(status), for: asker(of: .status(status))))
        }
    }

    mutating func take(_ capabilities: IMAPCapabilities) {
        self.capabilities = capabilities
        hasFreshCapabilities = true
    }

    private mutating func receivedTagged(_ tag: [UInt8], _ status: IMAPStatus, _ output: inout ByteBuffer) {
        guard let index = underWay.firstIndex(where: { $0.tag == tag }) else { return close(.unsolicited(phase)) }
        if case .capability(let capabilities) = status.code { take(capabilities) }
        // A literal that was announced is expected still, whatever is said in between.
        if sending?.number == underWay[index].number {
            if sending?.isSupplying == true {
                underWay[index].early = status
                return
            }
            sending = nil
        }
        finish(index, status, &output)
    }

    mutating func finish(_ index: Int, _ status: IMAPStatus, _ output: inout ByteBuffer) {
        let command = underWay.remove(at: index)
        switch command.owner {
        case .setup(let step): finished(step, status, &output)
        case .caller:
            events.append(.completed(CommandID(number: command.number), status))
            if command.isLogout, status.condition == .ok { return close(nil) }
            sendWaiting(&output)
        }
    }

    private mutating func receivedContinuation(_ text: [UInt8], _ output: inout ByteBuffer) {
        if exchange != nil { return receivedChallenge(text, &output) }
        if sending?.isPaused == true { return resumeSending(&output) }
        if let index = underWay.firstIndex(where: { $0.isIdle && !$0.isAgreed }) {
            underWay[index].isAgreed = true
            events.append(.idling(CommandID(number: underWay[index].number)))
            if underWay[index].isEnding || !waiting.isEmpty { sendDone(index, &output) }
            return
        }
        close(.unsolicited(phase))
    }
}
