// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Logging
internal import MailServers
internal import Runtime
internal import Sockets
internal import TLS
internal import Transport

/// Our users' mailboxes, for their mail programs.
final class IMAPDoor: Sendable {
    private let service: IMAPService
    private let foundation: Server.Foundation
    private let listeners = Lock<[Listener]>([])
    private let logger: Logger

    init(_ foundation: Server.Foundation, tls: TLSServerContext?) throws {
        self.foundation = foundation
        logger = foundation.logs.logger("imap")
        service = IMAPService(
            try foundation.settings.imapConfiguration(),
            store: foundation.store,
            passwords: foundation.passwords,
            intake: foundation.intake,
            tls: tls,
            observer: IMAPMetrics(foundation.metrics),
            logger: logger
        )
    }

    /// New limits, for connections to come.
    func reload(_ settings: Settings) {
        do {
            service.reload(try settings.imapConfiguration())
        } catch {
            logger.error("the limits stay as they were", metadata: ["err": "\(error)"])
        }
        for listener in listeners.withLock({ $0 }) {
            listener.setLimits(
                maximumConnections: settings.imap.sessions,
                maximumPerClient: settings.imap.connectionsPerAddress
            )
        }
    }

    func listen(at address: SocketAddress, isImplicitTLS: Bool, _ name: String) throws -> Listener {
        let listener = try service.listen(
            at: address,
            isImplicitTLS: isImplicitTLS,
            loops: foundation.group.loops,
            limits: foundation.doors.configuration(name)
        )
        foundation.doors.add(name, listener)
        listeners.withLock { $0.append(listener) }
        return listener
    }
}
