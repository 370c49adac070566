// SPDX-License-Identifier: Apache-2.0

internal import Configuration
internal import Logging
internal import MailServers
internal import MailTypes
internal import Runtime
internal import SMTP
internal import SMTPSessions
internal import Sockets
internal import TLS
internal import Transport

/// Mail that comes in, and mail from our users.
final class SMTPDoor: Sendable {
    enum Kind { case exchange, submission, submissions }

    private let service: SMTPService
    private let foundation: Server.Foundation
    private let listeners = Lock<[Listener]>([])

    init(_ foundation: Server.Foundation, tls: TLSServerContext?) throws {
        self.foundation = foundation
        let settings = foundation.settings
        service = SMTPService(
            try Self.configuration(settings),
            store: foundation.store,
            passwords: foundation.passwords,
            reader: foundation.intake,
            tls: tls,
            observer: SMTPMetrics(foundation.metrics),
            logger: foundation.logs.logger("smtp")
        )
    }

    /// New limits, for connections to come.
    func reload(_ settings: Settings) {
        service.reload(limits: settings.smtpLimits, patience: settings.smtpPatience, overload: settings.smtpOverload)
        for listener in listeners.withLock({ $0 }) {
            listener.setLimits(
                maximumConnections: settings.smtp.sessions,
                maximumPerClient: settings.smtp.connectionsPerAddress
            )
        }
    }

    func listen(at address: SocketAddress, _ kind: Kind, _ name: String) throws -> Listener {
        let endpoint =
            switch kind {
            case .exchange: SMTPService.Endpoint(address: address, service: .exchange)
            case .submission: SMTPService.Endpoint(address: address, service: .submission)
            case .submissions: SMTPService.Endpoint(address: address, service: .submission, isImplicitTLS: true)
            }
        let limits = foundation.doors.configuration(name)
        let listener = try service.listen(at: endpoint, loops: foundation.group.loops, limits: limits)
        foundation.doors.add(name, listener)
        listeners.withLock { $0.append(listener) }
        return listener
    }

    private static func configuration(_ settings: Settings) throws -> SMTPReceiverConfiguration {
        var configuration = SMTPReceiverConfiguration(hostName: try settings.ownDomain())
        configuration.domains = try settings.configuredDomains()
        configuration.postmaster = try postmaster(settings)
        configuration.routes = settings.outgoingRoutes
        configuration.lifetimeMilliseconds = settings.deliveryLifetimeMilliseconds
        configuration.limits = settings.smtpLimits
        configuration.patience = settings.smtpPatience
        configuration.maximumConnections = settings.smtp.sessions
        configuration.maximumPerClient = settings.smtp.connectionsPerAddress
        configuration.overloadConnections = settings.smtpOverload
        return configuration
    }

    /// The one that is set; nil is the oldest account's.
    private static func postmaster(_ settings: Settings) throws -> EmailAddress? {
        guard !settings.postmaster.isEmpty else { return nil }
        guard let address = EmailAddress(settings.postmaster) else {
            throw Server.Failure(description: "postmaster: \(settings.postmaster) is no address")
        }
        return address
    }
}
