// SPDX-License-Identifier: Apache-2.0

import Crypto
package import POP3
package import Runtime
package import SASL
import Sockets
package import Transport
package import Wire

/// Why something could not be had from a server.
package enum POP3SessionError: Error, Hashable, Sendable {
    /// There is no connection, or TLS did not come about on it.
    case dial(DialError)
    /// The session is over.
    case session(POP3ClientFailure)
    /// The server said no to this; the session goes on.
    case refused(POP3Reply)
}

/// Whom we are to a server, and which server that is.
package struct POP3ClientRoute: Sendable {
    package var server: ServerEndpoint
    /// Nil: nobody logs in, to see what the server can do.
    package var credentials: SASLClientCredentials?
    /// Of one message.
    package var maximumMessageOctets: Int64 = 64 << 20

    package init(server: ServerEndpoint, credentials: SASLClientCredentials?) {
        self.server = server
        self.credentials = credentials
    }

    fileprivate var configuration: POP3ClientConfiguration {
        var configuration = POP3ClientConfiguration { Base64.encode(RandomOctets.make(18)) }
        configuration.tls = server.security == .startTLS ? .required : .asIs
        configuration.credentials = credentials
        configuration.hostName = Array(server.host.utf8)
        configuration.port = server.port
        // Only where a connection in the clear was asked for by name.
        configuration.allowsSecretsInClear = server.security == .none
        configuration.maximumMessageOctets = maximumMessageOctets
        return configuration
    }
}

/// How long a client waits for a server.
package struct POP3ClientPatience: Hashable, Sendable {
    /// For a connection: looking the name up, connecting and, where it comes first, TLS.
    package var connectMilliseconds = 30_000
    /// For a handshake behind STLS.
    package var handshakeMilliseconds = 30_000
    /// For an answer as a whole, to which each piece that comes adds the time it takes at the slowest rate.
    ///
    /// A server that dribbles would otherwise never be done.
    package var answerMilliseconds = 300_000
    package var slowestOctetsPerSecond: Int64 = 4096
    private var milliseconds: [POP3ClientPhase: Int] = [:]

    package init() {}

    /// For each answer of a phase, and each piece of a long one, in milliseconds.
    package subscript(phase: POP3ClientPhase) -> Int {
        get { milliseconds[phase] ?? phase.patienceSeconds * 1000 }
        set { milliseconds[phase] = newValue }
    }
}

/// Drives the client's side of one POP3 connection: sets the session up, then asks for one thing after another.
///
/// It belongs to the one task that uses it, on its loop; a task that is cancelled loses the connection. What was deleted is
/// so only once ``quit()`` has returned: a connection that ends in another way deletes nothing (RFC 1939 §6).
package final class POP3ClientSession {
    /// Takes the next octets of a message out of the buffer.
    package typealias TextTaker = (inout ByteBuffer) async throws -> Void

    let channel: DialogueChannel
    private let patience: POP3ClientPatience
    private var machine: POP3ClientMachine
    /// The answer that is waited for, by its number, and since when, as the time at which its patience ends.
    private var awaited: (answer: Int, until: UInt64)?

    private init(_ channel: DialogueChannel, _ route: POP3ClientRoute, _ patience: POP3ClientPatience) {
        self.channel = channel
        self.patience = patience
        machine = POP3ClientMachine(
            route.configuration,
            isTLS: channel.connection.isTLS,
            // The dialer makes no other.
            isVerified: channel.connection.isTLS,
            channelBinding: channel.connection.channelBinding
        )
    }

    /// Connects, and goes through greeting, CAPA, STLS and login.
    ///
    /// Keys are derived on `pool`.
    package static func open(
        _ route: POP3ClientRoute,
        dialer: Dialer,
        patience: POP3ClientPatience = POP3ClientPatience(),
        pool: BlockingPool
    ) async throws(POP3SessionError) -> POP3ClientSession {
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
        let session = POP3ClientSession(channel, route, patience)
        switch await channel.cancellable({ await session.advance() }) {
        case .ready: return session
        case .closed(let failure):
            if let error = channel.handshakeError { throw .dial(error) }
            throw .session(failure ?? .connectionLost(.greeting))
        case .listing, .text, .finished:
            channel.close()
            throw .session(.unsolicited(.greeting))
        }
    }

    // MARK: What is known of the server

    package var capabilities: POP3Capabilities { machine.capabilities }
    package var isTLS: Bool { channel.connection.isTLS }
    /// Whether something more can be asked for, as far as can be known without asking.
    package var isUsable: Bool { !machine.isOver && channel.isQuiet }

    // MARK: What can be asked for

    /// How many messages there are, and how many octets they have.
    package func status() async throws(POP3SessionError) -> POP3Status {
        switch try await single(.stat) {
        case .status(let status): return status
        case .done, .refused: throw .session(.syntax(.status, .badLine))
        }
    }

    /// The size of each message there is.
    package func sizes(_ each: (UInt32, UInt64) -> Void) async throws(POP3SessionError) {
        _ = try await single(.list(nil)) { listing in
            if case .size(let octets) = listing.value { each(listing.number, octets) }
        }
    }

    /// What names each message across sessions.
    package func uniqueIDs(_ each: (UInt32, [UInt8]) -> Void) async throws(POP3SessionError) {
        _ = try await single(.uidl(nil)) { listing in
            if case .uniqueID(let id) = listing.value { each(listing.number, id) }
        }
    }

    /// A message, piece by piece as it comes, dots undone, with the line ends that the server sends.
    ///
    /// Throws ``POP3SessionError``, or what `take` throws, by which the connection is closed.
    package func retrieve(_ number: UInt32, take: TextTaker) async throws { try await text(.retr(number), take) }

    /// The header and so many lines of the body.
    ///
    /// As ``retrieve(_:take:)``; many servers do not know it.
    package func top(_ number: UInt32, lines: UInt32, take: TextTaker) async throws {
        try await text(.top(number, lines: lines), take)
    }

    /// Marks messages to be deleted by ``quit()``, several in one go where the server takes that.
    ///
    /// Those that it would not mark, and why.
    package func delete(_ numbers: [UInt32]) async throws(POP3SessionError) -> [UInt32: POP3Reply] {
        var refused: [UInt32: POP3Reply] = [:]
        try await perform(numbers.map { .dele($0) }) { index, result in
            if case .refused(let reply) = result { refused[numbers[index]] = reply }
        }
        return refused
    }

    /// Takes back what was marked.
    package func reset() async throws(POP3SessionError) { _ = try await single(.rset) }

    package func noop() async throws(POP3SessionError) { _ = try await single(.noop) }

    /// Ends the session: what was marked is deleted when this returns.
    ///
    /// `.refused` is a server that could not delete it all. Any other error leaves it unknown whether it did.
    package func quit() async throws(POP3SessionError) {
        defer { channel.close() }
        if machine.isAuthenticated {
            _ = try await single(.quit)
        } else if !machine.isOver {
            machine.quitUnauthenticated(&channel.output)
            _ = await channel.cancellable { await advance() }
        }
    }

    /// Closes at once, by which nothing is deleted.
    package func close() { channel.close() }

    /// Says QUIT and closes without waiting: for a session in which nothing was marked.
    package func dismiss() { channel.close(saying: machine.isOver ? nil : "QUIT\r\n") }

    // MARK: Commands

    private func single(
        _ command: POP3Command,
        listing: (POP3Listing) -> Void = { _ in }
    ) async throws(POP3SessionError) -> POP3ClientMachine.Result {
        var found: POP3ClientMachine.Result?
        try await perform([command], listing: listing) { _, result in found = result }
        switch found {
        case .refused(let reply): throw .refused(reply)
        case .done, .status: break
        case nil: throw .session(.unsolicited(command.phase))
        }
        return found ?? .done(POP3Reply(isPositive: true, text: ""))
    }

    private func text(_ command: POP3Command, _ take: TextTaker) async throws {
        var failure: (any Error)?
        var found: POP3ClientMachine.Result?
        machineSend(command)
        while found == nil {
            switch await channel.cancellable({ await advance() }) {
            case .text:
                var piece = ByteBuffer()
                swap(&piece, &machine.text)
                do {
                    try await take(&piece)
                } catch {
                    failure = error
                }
                if let failure {
                    machine.failed(.connectionLost(command.phase))
                    channel.close()
                    throw failure
                }
            case .finished(let result): found = result
            case .closed(let error): throw POP3SessionError.session(error ?? .connectionLost(command.phase))
            case .ready, .listing: break
            }
        }
        if case .refused(let reply) = found { throw POP3SessionError.refused(reply) }
    }

    private func machineSend(_ command: POP3Command) {
        guard machine.canSend else { return machine.failed(.connectionLost(command.phase)) }
        awaited = nil
        machine.send(command, &channel.output)
    }

    /// Sends the commands, several at once where the server takes that, and tells how each ended.
    private func perform(
        _ commands: [POP3Command],
        listing: (POP3Listing) -> Void = { _ in },
        result: (Int, POP3ClientMachine.Result) -> Void
    ) async throws(POP3SessionError) {
        var sent = 0
        var done = 0
        awaited = nil
        while done < commands.count {
            while sent < commands.count, machine.canSend {
                machine.send(commands[sent], &channel.output)
                sent += 1
            }
            switch await channel.cancellable({ await advance() }) {
            case .listing(let one): listing(one)
            case .finished(let one):
                result(done, one)
                done += 1
            case .text: machine.text.removeAll()
            case .closed(let failure): throw .session(failure ?? .connectionLost(commands[done].phase))
            case .ready: if sent == commands.count { throw .session(.unsolicited(commands[done].phase)) }
            }
        }
    }

    // MARK: The dialogue

    private enum Pause: Sendable {
        case ready
        case listing(POP3Listing)
        case text
        case finished(POP3ClientMachine.Result)
        case closed(POP3ClientFailure?)
    }

    /// Lets the dialogue go on until there is something to tell.
    private func advance() async -> Pause {
        while true {
            switch machine.next(&channel.input, &channel.output) {
            case .read(let phase): await exchange(during: phase)
            case .startTLS: await startTLS()
            case .derive(let key): await derive(key)
            case .ready: return .ready
            case .listing(let listing): return .listing(listing)
            case .text: return .text
            case .finished(let result): return .finished(result)
            case .close(let failure):
                channel.close()
                return .closed(failure)
            }
        }
    }

    private func exchange(during phase: POP3ClientPhase) async {
        let left = timeLeft
        guard left > 0 else { return machine.failed(.timedOut(phase)) }
        let milliseconds = min(patience[phase], left)
        do throws(IOError) {
            try await channel.flush(milliseconds: milliseconds)
            try await channel.fill(answer: machine.answers, milliseconds: milliseconds)
        } catch {
            machine.failed(error == .timeout ? .timedOut(phase) : .connectionLost(phase))
        }
    }

    /// Milliseconds that the rest of the answer may take.
    private var timeLeft: Int {
        let loop = channel.connection.loop
        let until: UInt64
        if let awaited, awaited.answer == machine.wholeAnswers {
            until = awaited.until
        } else {
            until = loop.time(afterMilliseconds: patience.answerMilliseconds)
            awaited = (machine.wholeAnswers, until)
        }
        return loop.milliseconds(until: until)
            + Int(clamping: machine.answerOctets / max(1, patience.slowestOctetsPerSecond) * 1000)
    }

    private func startTLS() async {
        guard await channel.startTLS(milliseconds: patience.handshakeMilliseconds) else {
            return machine.failed(.connectionLost(.startTLS))
        }
        machine.tlsEstablished(isVerified: true, channelBinding: channel.connection.channelBinding, &channel.output)
    }

    private func derive(_ key: SCRAMKeyDerivation) async {
        guard let salted = await channel.derive(key) else {
            return machine.failed(.connectionLost(.authentication))
        }
        machine.derived(salted, &channel.output)
    }
}
