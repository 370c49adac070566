// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Logging
internal import MailServers
internal import Runtime
internal import Sockets
internal import TLS
internal import Transport

/// Our users' mailboxes, for their mail programs: by POP3, or by IMAP.
final class MailboxDoor<Service: MailboxService>: Sendable {
    private let service: Service
    private let foundation: Server.Foundation
    private let listeners = Lock<[Listener]>([])
    private let configuration: @Sendable (Settings) throws -> Service.Configuration
    private let logger: Logger

    private init(
        _ service: Service,
        _ foundation: Server.Foundation,
        _ logger: Logger,
        configuration: @escaping @Sendable (Settings) throws -> Service.Configuration
    ) {
        self.service = service
        self.foundation = foundation
        self.logger = logger
        self.configuration = configuration
    }

    /// New limits, for connections to come.
    func reload(_ settings: Settings) {
        do {
            let configuration = try configuration(settings)
            service.reload(configuration)
            for listener in listeners.withLock({ $0 }) {
                listener.setLimits(
                    maximumConnections: configuration.maximumConnections,
                    maximumPerClient: configuration.maximumPerClient
                )
            }
        } catch {
            logger.error("the limits stay as they were", metadata: ["err": "\(error)"])
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

extension MailboxDoor<POP3Service> {
    convenience init(_ foundation: Server.Foundation, tls: TLSServerContext?) throws {
        let logger = foundation.logs.logger("pop3")
        let service = POP3Service(
            try foundation.settings.pop3Configuration(),
            store: foundation.store,
            passwords: foundation.passwords,
            tls: tls,
            observer: POP3Metrics(foundation.metrics),
            logger: logger
        )
        self.init(service, foundation, logger) { try $0.pop3Configuration() }
    }
}

extension MailboxDoor<IMAPService> {
    convenience init(_ foundation: Server.Foundation, tls: TLSServerContext?) throws {
        let logger = foundation.logs.logger("imap")
        let service = IMAPService(
            try foundation.settings.imapConfiguration(),
            store: foundation.store,
            passwords: foundation.passwords,
            intake: foundation.intake,
            tls: tls,
            observer: IMAPMetrics(foundation.metrics),
            logger: logger
        )
        self.init(service, foundation, logger) { try $0.imapConfiguration() }
    }
}
