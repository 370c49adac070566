// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Logging
internal import MailServers
internal import Runtime
internal import Sockets
internal import TLS
internal import Transport

/// Our users' inboxes, for their mail programs.
final class POP3Door: Sendable {
    private let service: POP3Service
    private let foundation: Server.Foundation
    private let listeners = Lock<[Listener]>([])
    private let logger: Logger

    init(_ foundation: Server.Foundation, tls: TLSServerContext?) throws {
        self.foundation = foundation
        logger = foundation.logs.logger("pop3")
        service = POP3Service(
            try foundation.settings.pop3Configuration(),
            store: foundation.store,
            passwords: foundation.passwords,
            tls: tls,
            observer: POP3Metrics(foundation.metrics),
            logger: logger
        )
    }

    /// New limits, for connections to come.
    func reload(_ settings: Settings) {
        do {
            service.reload(try settings.pop3Configuration())
        } catch {
            logger.error("the limits stay as they were", metadata: ["err": "\(error)"])
        }
        for listener in listeners.withLock({ $0 }) {
            listener.setLimits(
                maximumConnections: settings.pop3.sessions,
                maximumPerClient: settings.pop3.connectionsPerAddress
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
