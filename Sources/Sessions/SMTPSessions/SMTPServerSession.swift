// SPDX-License-Identifier: Apache-2.0

package import Runtime
package import SMTP
import Sockets
package import TLS
package import Transport
import Wire

/// How long a server waits, and what it expects meanwhile.
package struct SMTPServerPatience: Sendable {
    /// For a command as a whole (RFC 5321 §4.5.3.2.7 asks for five minutes), and for any part of a message.
    package var idleMilliseconds = 300_000
    /// The same while the server is overloaded.
    package var idleMillisecondsUnderLoad = 10_000
    /// A message comes at least so fast, in octets per second, from this time on after its beginning.
    package var minimumRate: UInt64 = 500
    package var rateGraceMilliseconds: UInt64 = 30_000
    /// For writing a reply, and for a handshake.
    package var writeMilliseconds = 30_000

    package init() {}
}

/// Drives one connection: the machine says what to do, the delegate what to answer.
package struct SMTPServerSession<Delegate: SMTPServerDelegate> {
    private let connection: Connection
    private let configuration: SMTPServerConfiguration
    private let patience: SMTPServerPatience
    private let tls: TLSServerContext?
    private let clock: Clock
    private let delegate: Delegate
    private let isOverloaded: @Sendable () -> Bool

    /// With `tls` nil STARTTLS must not be offered.
    package init(
        connection: Connection,
        configuration: SMTPServerConfiguration,
        patience: SMTPServerPatience = .init(),
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
        var machine = SMTPServerMachine(configuration, isTLS: connection.isTLS)
        var output = ByteBuffer()
        do throws(IOError) {
            try await converse(&machine, &output)
        } catch {
            // What failed is the connection: there is nobody left to tell. A timeout was told by `converse`.
        }
        if machine.isMessageOpen { delegate.messageAborted() }
        await connection.closeLingering()
    }

    private func converse(_ machine: inout SMTPServerMachine, _ output: inout ByteBuffer) async throws(IOError) {
        var input = ByteBuffer()
        var pace = SMTPPace()
        while true {
            machine.isDraining = connection.isDraining
            machine.isOverloaded = isOverloaded()
            let action = machine.next(&input, &output)
            report(&machine)
            switch action {
            case .read(let wait):
                try await send(&output)
                if input.isEmpty { input.removeAll(keepingCapacity: false) }
                try await read(wait, &input, &machine, &output, &pace)
            case .startTLS:
                try await send(&output)
                guard let tls else { preconditionFailure("STARTTLS without a certificate") }
                connection.setDeadline(milliseconds: patience.writeMilliseconds)
                try await connection.startTLS(tls, unread: input)
                machine.tlsEstablished()
            case .authenticate(let credentials):
                machine.authenticated(await delegate.authenticate(credentials, machine.session), &output)
            case .mail(let mail): machine.decided(await delegate.mail(mail, machine.session), &output)
            case .rcpt(let rcpt): machine.decided(await delegate.recipient(rcpt, machine.session), &output)
            case .begin: machine.decided(await delegate.messageBegins(machine.session), &output)
            case .store:
                if let reply = await delegate.message(&machine.content) { machine.storeFailed(reply) }
                machine.content.removeAll()
            case .end: machine.decided(await delegate.messageEnds(machine.session), &output)
            case .abort: delegate.messageAborted()
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

    private func report(_ machine: inout SMTPServerMachine) {
        for record in machine.records { delegate.replied(record) }
        machine.records.removeAll()
    }

    // MARK: Waiting

    private func read(
        _ wait: SMTPServerMachine.Wait,
        _ input: inout ByteBuffer,
        _ machine: inout SMTPServerMachine,
        _ output: inout ByteBuffer,
        _ pace: inout SMTPPace
    ) async throws(IOError) {
        let limit = machine.isOverloaded ? patience.idleMillisecondsUnderLoad : patience.idleMilliseconds
        let now = clock.monotonic() / 1_000_000
        connection.setDeadline(milliseconds: pace.remaining(of: limit, for: wait, at: now))
        do throws(IOError) {
            // While the server stops, a session without a transaction is told so; within one it may go on.
            if input.isEmpty, !connection.isDraining { guard try await connection.idle() else { return } }
            let count = try await connection.read(into: &input)
            guard count > 0 else { throw .endOfStream }
            let isSlow = pace.isTooSlow(
                after: count,
                at: clock.monotonic() / 1_000_000,
                minimum: patience.minimumRate,
                grace: patience.rateGraceMilliseconds
            )
            if isSlow { machine.tooSlow(&output) }
        } catch .timeout {
            machine.timedOut(&output)
        }
    }
}

/// Measures what is waited for: the time since a command began to be awaited, and how fast a message comes.
struct SMTPPace {
    private var wait: SMTPServerMachine.Wait?
    /// When `wait` began, in milliseconds.
    private var began: UInt64 = 0
    private var octets: UInt64 = 0

    /// What is left of `limit` milliseconds, at least 1: for one command it runs from its first wait; parts of a message
    /// have it each.
    mutating func remaining(of limit: Int, for wait: SMTPServerMachine.Wait, at now: UInt64) -> Int {
        if wait != self.wait {
            self.wait = wait
            began = now
            octets = 0
        }
        guard case .command = wait else { return limit }
        return max(1, limit - Int(clamping: now - began))
    }

    /// Counts what came; true for a message that comes too slowly.
    mutating func isTooSlow(after count: Int, at now: UInt64, minimum: UInt64, grace: UInt64) -> Bool {
        guard wait == .message else { return false }
        octets += UInt64(count)
        let elapsed = now - began
        guard elapsed > grace else { return false }
        return octets < (minimum.multipliedReportingOverflow(by: elapsed).partialValue / 1000)
    }
}
