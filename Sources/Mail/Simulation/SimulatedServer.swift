// SPDX-License-Identifier: Apache-2.0

import Runtime
package import Sockets
package import TLS
import Transport
import Wire

/// A mail server that keeps its mail in memory and misbehaves as it is told to: for tests, and for those who want to see
/// what becomes of their application when their users' servers do that.
package final class SimulatedServer: Sendable {
    package enum Service: String, CaseIterable, Sendable {
        case imap, pop3, smtp
    }

    package struct Configuration: Sendable {
        package var service: Service
        package var misbehaviours: Set<Misbehaviour>
        /// Connections that are treated so: later ones are served as they should be; nil for all.
        package var times: Int?
        /// Without extensions: RFC 3501 or RFC 1939 alone.
        package var isBare = false
        package var username = "user"
        package var password = "pw"
        /// Offers XOAUTH2, too: what is accepted is an access token.
        package var takesTokens = false
        /// TLS from the first octet; else STARTTLS or STLS is offered where there is a certificate.
        package var isImplicitTLS = false
        package var tls: TLSServerContext?

        package init(_ service: Service, _ misbehaviours: Set<Misbehaviour> = []) {
            self.service = service
            self.misbehaviours = misbehaviours
        }
    }

    /// What clients did.
    package struct Counts: Hashable, Sendable {
        package var connections = 0
        package var logins = 0
        /// Logins that came without TLS.
        package var clearLogins = 0
        package var commands = 0
        /// Messages that were taken by SMTP, and their recipients.
        package var messages = 0
        package var recipients = 0
    }

    package let configuration: Configuration
    package let mailbox: SimulatedMailbox
    private let counted = Lock(Counts())
    private let wrong: Lock<Set<Misbehaviour>>
    /// Passwords and access tokens that are right.
    private let secrets: Lock<Set<[UInt8]>>
    /// How often all connections were cut.
    private let cuts = Lock(0)
    private let listening = Lock<Listener?>(nil)

    private init(_ configuration: Configuration, _ mailbox: SimulatedMailbox) {
        self.configuration = configuration
        self.mailbox = mailbox
        wrong = Lock(configuration.misbehaviours)
        secrets = Lock([Array(configuration.password.utf8)])
    }

    /// Listens at the address, and serves until it is stopped.
    package static func start(
        _ configuration: Configuration,
        _ mailbox: SimulatedMailbox,
        at address: SocketAddress = .loopback(port: 0),
        loops: [EventLoop]
    ) throws -> SimulatedServer {
        let server = SimulatedServer(configuration, mailbox)
        let listener = try Listener.bind(
            address,
            loops: loops,
            tls: configuration.isImplicitTLS ? configuration.tls : nil
        ) { await server.serve($0) }
        server.listening.withLock { $0 = listener }
        return server
    }

    package var counts: Counts { counted.withLock { $0 } }
    /// What connections to come meet.
    package func misbehave(_ misbehaviours: Set<Misbehaviour>) { wrong.withLock { $0 = misbehaviours } }

    /// What one logs in with from now on; nothing else is right then, unless it was taken `also`.
    package func accept(_ secret: String, also: Bool = false) {
        secrets.withLock { secrets in
            if !also { secrets = [] }
            secrets.insert(Array(secret.utf8))
        }
    }

    func accepts(_ secret: [UInt8]) -> Bool { secrets.withLock { $0.contains(secret) } }

    /// Ends every IMAP connection that there is: at once where it idles, else at its next command.
    package func cutConnections() { cuts.withLock { $0 += 1 } }

    var cutsSoFar: Int { cuts.withLock { $0 } }

    package var port: UInt16 { listening.withLock { $0?.localAddress.port } ?? 0 }

    /// Ends all connections.
    package func stop() async {
        await listening.withLock { $0 }?.drain(milliseconds: 0)
    }

    func count(_ change: (inout Counts) -> Void) { counted.withLock { change(&$0) } }

    private func serve(_ connection: Connection) async {
        let number = counted.withLock { counts in
            defer { counts.connections += 1 }
            return counts.connections
        }
        let misbehaves = configuration.times.map { number < $0 } ?? true
        let wire = SimulatedWire(connection, misbehaves ? wrong.withLock { $0 } : [])
        do {
            guard try await wire.isGreeted(configuration.service) else { return }
            switch configuration.service {
            case .imap: try await SimulatedIMAPSession(wire, self).run()
            case .pop3: try await SimulatedPOP3Session(wire, self).run()
            case .smtp: try await SimulatedSMTPSession(wire, self).run()
            }
        } catch {
            // The client is gone, or was sent away.
        }
        connection.close()
    }
}
