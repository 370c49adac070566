// SPDX-License-Identifier: Apache-2.0

package import IMAP
import Compression
package import Runtime
import Sockets
package import TLS
package import Transport
import Wire

/// How long a server waits.
package struct IMAPServerPatience: Sendable {
    /// For a command as a whole, and in IDLE; RFC 9051 §5.4 asks for 30 minutes.
    package var idleMilliseconds = 1_800_000
    package var idleMillisecondsBeforeLogin = 60_000
    /// The same while the server is overloaded.
    package var idleMillisecondsUnderLoad = 10_000
    /// For the next piece of a message.
    package var messageMilliseconds = 120_000
    /// For a client to take what is sent together, some 64 KiB; and for a handshake.
    package var writeMilliseconds = 60_000

    package init() {}
}

/// Drives one connection: the machine says what to do, the delegate what to answer.
package struct IMAPServerDriver<Delegate: IMAPServerDelegate> {
    private let connection: Connection
    private let configuration: IMAPServerConfiguration
    private let patience: IMAPServerPatience
    private let tls: TLSServerContext?
    private let clock: Clock
    private let delegate: Delegate
    private let isOverloaded: @Sendable () -> Bool
    private let responses: IMAPServerResponses

    /// With `tls` nil STARTTLS must not be offered.
    package init(
        connection: Connection,
        configuration: IMAPServerConfiguration,
        patience: IMAPServerPatience = .init(),
        tls: TLSServerContext?,
        clock: Clock,
        delegate: Delegate,
        isOverloaded: @escaping @Sendable () -> Bool
    ) {
        self.connection = connection
        self.configuration = configuration
        self.patience = patience
        self.tls = tls
        self.clock = clock
        self.delegate = delegate
        self.isOverloaded = isOverloaded
        responses = IMAPServerResponses(connection, milliseconds: patience.writeMilliseconds)
    }

    /// Serves until the dialogue ends or the connection does; closes it.
    package func run() async {
        var machine = IMAPServerMachine(configuration, isTLS: connection.isTLS)
        do {
            try await converse(&machine)
        } catch {
            // The connection failed, or a message cannot be read on: there is nothing that could be said.
        }
        if machine.isAppending { delegate.appendAborted() }
        if machine.isIdling { delegate.idling(false) }
        delegate.sessionEnded()
        await connection.closeLingering()
    }

    private func converse(_ machine: inout IMAPServerMachine) async throws {
        var input = ByteBuffer()
        var wait = Wait()
        while true {
            machine.isDraining = connection.isDraining
            machine.isOverloaded = isOverloaded()
            let action = machine.next(&input, &responses.encoder)
            for record in machine.records { delegate.replied(record) }
            machine.records.removeAll()
            switch action {
            case .read(let serial):
                try await responses.send()
                if input.isEmpty { input.removeAll(keepingCapacity: false) }
                try await read(serial, &input, &machine, &wait)
            case .write: try await responses.send()
            case .close: return try await responses.send()
            case .startTLS: try await startTLS(input, &machine)
            case .compress:
                try await responses.send()
                guard let stream = IMAPCompressedStream(&input) else { return }
                responses.compression = stream
                machine.compressionStarted()
            default:
                try await answer(action, &machine)
                // Who sends many commands at once keeps nobody waiting.
                await Task.yield()
            }
        }
    }

    private func startTLS(_ input: borrowing ByteBuffer, _ machine: inout IMAPServerMachine) async throws {
        try await responses.send()
        guard let tls else { preconditionFailure("STARTTLS without a certificate") }
        connection.setDeadline(milliseconds: patience.writeMilliseconds)
        try await connection.startTLS(tls, unread: input)
        machine.tlsEstablished(&responses.encoder)
    }

    /// What the delegate is asked or told.
    private func answer(_ action: IMAPServerMachine.Action, _ machine: inout IMAPServerMachine) async throws {
        switch action {
        case .authenticate(let credentials):
            let verdict = await delegate.authenticate(credentials, machine.session)
            machine.authenticated(verdict, &responses.encoder)
        case .perform(let command, let tag):
            let status = try await delegate.perform(command, tag: tag, machine.session, responses)
            machine.performed(status, &responses.encoder)
        case .enabled: delegate.enabled(machine.session)
        case .idle(let isIdle):
            delegate.idling(isIdle)
            if isIdle { try await delegate.update(machine.session, responses) }
        case .appendBegins(let append, let number):
            let refusal = await delegate.appendBegins(append, number: number, machine.session)
            machine.appendDecided(refusal, &responses.encoder)
        case .appendOctets:
            let refusal = await delegate.append(&machine.content)
            machine.appendTaken(refusal)
        case .appendEnds:
            let status = try await delegate.appendEnds(machine.session, responses)
            machine.appendEnded(status, &responses.encoder)
        case .appendAborted: delegate.appendAborted()
        case .read, .write, .startTLS, .compress, .close: break
        }
    }

    // MARK: Waiting

    /// Since when which command is waited for.
    private struct Wait {
        var serial: UInt64?
        /// In milliseconds.
        var began: UInt64 = 0
    }

    private func read(
        _ serial: UInt64,
        _ input: inout ByteBuffer,
        _ machine: inout IMAPServerMachine,
        _ wait: inout Wait
    ) async throws {
        var isInflated = false
        do throws(BadDeflateStream) {
            isInflated = try responses.compression?.decompress(into: &input) == true
        } catch {
            return machine.decompressionFailed(&responses.encoder)
        }
        // A few octets may be many commands.
        if isInflated { return await Task.yield() }
        let now = clock.monotonic() / 1_000_000
        if wait.serial != serial { wait = Wait(serial: serial, began: now) }
        connection.setDeadline(milliseconds: max(1, limit(machine) - Int(clamping: now - wait.began)))
        var isWoken = false
        do throws(IOError) {
            isWoken = try await receive(&input)
        } catch .timeout {
            return machine.timedOut(&responses.encoder)
        }
        if isWoken, machine.isIdling { try await delegate.update(machine.session, responses) }
    }

    /// Reads what comes; true where nothing did, and somebody has news for the client.
    private func receive(_ input: inout ByteBuffer) async throws(IOError) -> Bool {
        if input.isEmpty, !connection.isDraining, try await !connection.idle() { return !connection.isDraining }
        guard let compression = responses.compression else {
            guard try await connection.read(into: &input) > 0 else { throw .endOfStream }
            return false
        }
        var octets = ByteBuffer()
        guard try await connection.read(into: &octets) > 0 else { throw .endOfStream }
        compression.received(octets)
        return false
    }

    private func limit(_ machine: borrowing IMAPServerMachine) -> Int {
        if machine.isReadingMessage { return patience.messageMilliseconds }
        if machine.isLoggedIn { return patience.idleMilliseconds }
        return machine.isOverloaded ? patience.idleMillisecondsUnderLoad : patience.idleMillisecondsBeforeLogin
    }
}
