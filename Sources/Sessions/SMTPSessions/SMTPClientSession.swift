// SPDX-License-Identifier: Apache-2.0

import Crypto
package import MailTypes
package import Runtime
package import SASL
package import SMTP
import Sockets
package import Transport
package import Wire

/// Why there is no session with a server.
package enum SMTPSessionError: Error, Hashable, Sendable {
    /// There is no connection, or TLS did not come about on it.
    case dial(DialError)
    /// The server would not have us, or the connection broke.
    case session(SMTPClientFailure)
}

/// Whom we are to a server, and which server that is.
package struct SMTPClientRoute: Sendable {
    package var server: ServerEndpoint
    package var dialect: SMTPClientConfiguration.Dialect
    /// What we call ourselves.
    package var clientName: Domain
    package var credentials: SASLClientCredentials?
    /// Sends messages by BDAT where the server offers CHUNKING.
    package var usesChunking = false

    package init(
        server: ServerEndpoint,
        dialect: SMTPClientConfiguration.Dialect = .smtp,
        clientName: Domain,
        credentials: SASLClientCredentials? = nil
    ) {
        self.server = server
        self.dialect = dialect
        self.clientName = clientName
        self.credentials = credentials
    }

    fileprivate var configuration: SMTPClientConfiguration {
        var configuration = SMTPClientConfiguration(clientName: clientName) {
            Base64.encode(RandomOctets.make(18))
        }
        configuration.dialect = dialect
        configuration.tls = server.security == .startTLS ? .required : .asIs
        configuration.credentials = credentials
        configuration.hostName = Array(server.host.utf8)
        configuration.port = server.port
        // Only where a connection in the clear was asked for by name.
        configuration.allowsSecretsInClear = server.security == .none
        configuration.usesChunking = usesChunking
        return configuration
    }
}

/// Drives the client's side of one connection, for SMTP and LMTP: sets the session up, then sends one message after another.
///
/// It belongs to the one task that uses it, on its loop; a task that is cancelled loses the connection.
package final class SMTPClientSession {
    /// Appends the next octets of a message; false when they were the last.
    package typealias Text = (inout ByteBuffer) async throws -> Bool

    /// What a piece of a text is before it is sent.
    private static let pieceOctets = 32 << 10

    let channel: DialogueChannel
    private let patience: SMTPClientPatience
    private var machine: SMTPClientMachine
    /// How sending failed, and how much was not sent: told to the machine once it has seen the server's last words.
    private var breakage: (error: IOError, unsentOctets: Int)?

    private init(_ channel: DialogueChannel, _ route: SMTPClientRoute, _ patience: SMTPClientPatience) {
        self.channel = channel
        self.patience = patience
        machine = SMTPClientMachine(
            route.configuration,
            isTLS: channel.connection.isTLS,
            // The dialer makes no other.
            isVerified: channel.connection.isTLS,
            channelBinding: channel.connection.channelBinding
        )
    }

    /// Connects and goes through greeting, EHLO, STARTTLS and AUTH.
    ///
    /// Keys are derived on `pool`.
    package static func open(
        _ route: SMTPClientRoute,
        dialer: Dialer,
        patience: SMTPClientPatience = SMTPClientPatience(),
        pool: BlockingPool
    ) async throws(SMTPSessionError) -> SMTPClientSession {
        let channel: DialogueChannel
        do throws(DialError) {
            channel = try await DialogueChannel(
                to: route.server,
                dialer: dialer,
                pool: pool,
                milliseconds: patience.connectMilliseconds
            )
        } catch {
            throw .dial(error)
        }
        let session = SMTPClientSession(channel, route, patience)
        switch await channel.cancellable({ await session.advance() }) {
        case .ready: return session
        case .closed(let failure):
            channel.close()
            if let error = channel.handshakeError { throw .dial(error) }
            throw .session(failure ?? .connectionLost(.greeting))
        case .text, .finished:
            channel.close()
            throw .session(.unsolicited(.hello))
        }
    }

    // MARK: What is known of the server

    /// What the server says it can do.
    package var capabilities: SMTPCapabilities { machine.capabilities }
    /// Messages that were begun in this session.
    package var transactions: Int { machine.transactions }
    package var isTLS: Bool { channel.connection.isTLS }

    /// Whether another message can be sent, as far as can be known without asking: false once the server has hung up, or said
    /// that it will.
    package var isUsable: Bool { !machine.isOver && channel.isQuiet }

    // MARK: Sending

    /// Sends a message and says what became of each recipient, in the envelope's order.
    ///
    /// - Parameters:
    ///   - text: gives the message, whatever line ends it has, piece by piece.
    ///   - beforeEnd: is done before the text's end is sent, with the places in the envelope of the recipients that the server
    ///     has taken, at least one: what is to be remembered should no answer come.
    ///
    /// What either throws, the call throws: the end was then not sent, nobody got the message, and the connection is closed.
    package func send(
        _ envelope: SMTPEnvelope,
        beforeEnd: ([Int]) async throws -> Void = { _ in },
        text: Text
    ) async throws -> [SMTPRecipientResult] {
        machine.begin(envelope, &channel.output)
        var isEndSent = false
        while true {
            switch await channel.cancellable({ await advance() }) {
            case .finished(let results): return results
            case .text:
                do {
                    isEndSent = try await supply(text, beforeEnd)
                } catch {
                    abandon()
                    throw error
                }
            case .closed(let failure):
                let failure = failure ?? .connectionLost(.final)
                return envelope.recipients.map { _ in isEndSent ? .unknown(failure) : .failed(failure) }
            case .ready:
                // The machine tells the results first.
                return envelope.recipients.map { _ in .failed(.unsolicited(.final)) }
            }
        }
    }

    /// One piece of the text; true when it was the last, whose end is then in the output.
    private func supply(_ text: Text, _ beforeEnd: ([Int]) async throws -> Void) async throws -> Bool {
        var piece = ByteBuffer()
        var isMore = true
        while isMore, piece.count < Self.pieceOctets { isMore = try await text(&piece) }
        let accepted = machine.acceptedRecipients
        machine.supply(piece.bytes, isLast: !isMore, &channel.output)
        if !isMore {
            try await beforeEnd(accepted)
        } else {
            await channel.cancellable { await flush(during: .text) }
            channel.takeWhatIsThere()
        }
        return !isMore
    }

    /// Closes the connection before the text's end.
    private func abandon() {
        machine.failed(.connectionLost(.text), unsentOctets: max(1, channel.output.count))
        channel.output.removeAll()
        channel.close()
    }

    /// Says QUIT, waits shortly for the answer, and closes.
    package func quit() async {
        if !machine.isOver {
            machine.quit(&channel.output)
            _ = await channel.cancellable { await advance() }
        }
        channel.close()
    }

    /// Says QUIT and closes, without waiting for the answer.
    package func dismiss() { channel.close(saying: machine.isOver ? nil : "QUIT\r\n") }

    /// Closes at once.
    package func close() { channel.close() }

    // MARK: The dialogue

    private enum Pause: Sendable {
        case ready
        case text
        case finished([SMTPRecipientResult])
        case closed(SMTPClientFailure?)
    }

    /// Lets the dialogue go on until it needs its owner.
    private func advance() async -> Pause {
        while true {
            switch machine.next(&channel.input, &channel.output) {
            case .read(let phase):
                await flush(during: phase)
                if !tellBreakage() { await fill(during: phase) }
            case .startTLS: await startTLS()
            case .derive(let key): await derive(key)
            case .ready: return .ready
            case .text:
                await flush(during: .data)
                if !tellBreakage() { return .text }
            case .finished(let results): return .finished(results)
            case .close(let failure):
                channel.close()
                return .closed(failure)
            }
        }
    }

    private func patience(during phase: SMTPClientPhase) -> Int {
        phase == .quit ? patience.quitMilliseconds : patience[phase]
    }

    /// Sends the output, or notes how that failed.
    private func flush(during phase: SMTPClientPhase) async {
        guard breakage == nil else { return }
        do throws(IOError) {
            try await channel.flush(milliseconds: patience(during: phase == .final ? .text : phase))
        } catch {
            breakage = (error, channel.output.count)
            // A server that has had enough says why, then closes: its words may be there already.
            channel.takeWhatIsThere()
            channel.output.removeAll()
        }
    }

    /// False where there is nothing to tell.
    private func tellBreakage() -> Bool {
        guard let breakage else { return false }
        tell(breakage.error, breakage.unsentOctets)
        return true
    }

    private func tell(_ error: IOError, _ unsentOctets: Int) {
        guard !machine.isOver else { return }
        let phase = machine.phase
        machine.failed(error == .timeout ? .timedOut(phase) : .connectionLost(phase), unsentOctets: unsentOctets)
    }

    private func fill(during phase: SMTPClientPhase) async {
        do throws(IOError) {
            try await channel.fill(answer: machine.replies, milliseconds: patience(during: phase))
        } catch {
            tell(error, 0)
        }
    }

    private func startTLS() async {
        await flush(during: .startTLS)
        if tellBreakage() { return }
        guard await channel.startTLS(milliseconds: patience.handshakeMilliseconds) else {
            return machine.failed(.connectionLost(.startTLS), unsentOctets: 0)
        }
        machine.tlsEstablished(isVerified: true, channelBinding: channel.connection.channelBinding, &channel.output)
    }

    private func derive(_ key: SCRAMKeyDerivation) async {
        guard let salted = await channel.derive(key) else {
            return machine.failed(.connectionLost(.authentication), unsentOctets: 0)
        }
        machine.derived(salted, &channel.output)
    }
}
