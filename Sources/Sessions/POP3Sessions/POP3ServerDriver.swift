// SPDX-License-Identifier: Apache-2.0

package import POP3
package import Runtime
import Sockets
package import TLS
package import Transport
import Wire

/// How long a server waits.
package struct POP3ServerPatience: Sendable {
    /// For a command as a whole; RFC 1939 §3 asks for ten minutes.
    package var idleMilliseconds = 600_000
    /// The same while the server is overloaded, and before anybody is logged in.
    package var idleMillisecondsUnderLoad = 10_000
    package var idleMillisecondsBeforeLogin = 60_000
    /// For a command of a session in which something is marked, while the server stops.
    package var drainMilliseconds = 5000
    /// For a client to take what is sent together, some 64 KiB; and for a handshake.
    package var writeMilliseconds = 60_000

    package init() {}
}

/// Drives one connection: the machine says what to do, the delegate what to answer.
package struct POP3ServerDriver<Delegate: POP3ServerDelegate> {
    private let connection: Connection
    private let configuration: POP3ServerConfiguration
    private let patience: POP3ServerPatience
    private let tls: TLSServerContext?
    private let clock: Clock
    private let delegate: Delegate
    private let isOverloaded: @Sendable () -> Bool

    /// With `tls` nil STLS must not be offered.
    package init(
        connection: Connection,
        configuration: POP3ServerConfiguration,
        patience: POP3ServerPatience = .init(),
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
    }

    /// Serves until the dialogue ends or the connection does; closes it.
    package func run() async {
        var machine = POP3ServerMachine(configuration, isTLS: connection.isTLS)
        do {
            try await converse(&machine)
        } catch {
            // The connection failed, or a message cannot be read on: there is nothing that could be said.
        }
        delegate.closeMessage()
        await connection.closeLingering()
    }

    private func converse(_ machine: inout POP3ServerMachine) async throws {
        var input = ByteBuffer()
        var output = ByteBuffer()
        var wait = Wait()
        while true {
            machine.isDraining = connection.isDraining
            machine.isOverloaded = isOverloaded()
            let action = machine.next(&input, &output)
            for record in machine.records { delegate.replied(record) }
            machine.records.removeAll()
            switch action {
            case .read(let serial):
                delegate.closeMessage()
                try await send(&output)
                if input.isEmpty { input.removeAll(keepingCapacity: false) }
                try await read(serial, &input, &machine, &wait)
            case .write: try await send(&output)
            case .startTLS:
                try await send(&output)
                guard let tls else { preconditionFailure("STLS without a certificate") }
                connection.setDeadline(milliseconds: patience.writeMilliseconds)
                try await connection.startTLS(tls, unread: input)
                machine.tlsEstablished()
            case .authenticate(let credentials):
                machine.authenticated(await delegate.authenticate(credentials, machine.session), &output)
            case .open(let message): machine.opened(await delegate.open(message, machine.session), &output)
            case .content:
                let isEnd = try await delegate.content(into: &machine.content)
                machine.supplied(isEnd: isEnd)
            case .update(let messages): machine.updated(await delegate.delete(messages), &output)
            case .close: return try await send(&output)
            }
        }
    }

    private func send(_ output: inout ByteBuffer) async throws(IOError) {
        guard !output.isEmpty else { return }
        connection.setDeadline(milliseconds: patience.writeMilliseconds)
        try await connection.write(&output)
        output.removeAll(keepingCapacity: false)
    }

    // MARK: Waiting

    /// Since when which command is waited for.
    private struct Wait {
        var serial: UInt64?
        var isDraining = false
        /// In milliseconds.
        var began: UInt64 = 0
    }

    private func read(
        _ serial: UInt64,
        _ input: inout ByteBuffer,
        _ machine: inout POP3ServerMachine,
        _ wait: inout Wait
    ) async throws(IOError) {
        let now = clock.monotonic() / 1_000_000
        if wait.serial != serial || wait.isDraining != connection.isDraining {
            wait = Wait(serial: serial, isDraining: connection.isDraining, began: now)
        }
        let limit = idleLimit(machine)
        connection.setDeadline(milliseconds: max(1, limit - Int(clamping: now - wait.began)))
        do throws(IOError) {
            if input.isEmpty, !connection.isDraining { guard try await connection.idle() else { return } }
            guard try await connection.read(into: &input) > 0 else { throw .endOfStream }
        } catch .timeout {
            machine.timedOut()
        }
    }

    private func idleLimit(_ machine: borrowing POP3ServerMachine) -> Int {
        var limit = patience.idleMilliseconds
        if !machine.isLoggedIn { limit = min(limit, patience.idleMillisecondsBeforeLogin) }
        if machine.isOverloaded { limit = min(limit, patience.idleMillisecondsUnderLoad) }
        if connection.isDraining { limit = min(limit, patience.drainMilliseconds) }
        return limit
    }
}
