// SPDX-License-Identifier: Apache-2.0

package import Accounts
import Delivery
package import Intake
package import Logging
import Runtime
package import SMTP
package import SMTPSessions
package import Sockets
package import Storage
package import TLS
package import Transport
import Wire

/// Our SMTP listeners: mail from anywhere for our mailboxes, and mail from our users.
package final class SMTPService: Sendable {
    /// One listener.
    package struct Endpoint: Sendable {
        package var address: SocketAddress
        package var service: SMTPServerConfiguration.Service
        /// TLS from the first octet, as on port 465; else STARTTLS is offered where there is a certificate.
        package var isImplicitTLS: Bool

        package init(
            address: SocketAddress,
            service: SMTPServerConfiguration.Service,
            isImplicitTLS: Bool = false
        ) {
            self.address = address
            self.service = service
            self.isImplicitTLS = isImplicitTLS
        }
    }

    private let current: Lock<SMTPReceiverContext>
    private var context: SMTPReceiverContext { current.withLock { $0 } }
    private let tls: TLSServerContext?

    /// Without `tls` there is no STARTTLS, so on submission nobody can log in.
    package init(
        _ configuration: SMTPReceiverConfiguration,
        store: Store,
        passwords: PasswordAuthenticator,
        reader: any MessageReading,
        tls: TLSServerContext?,
        observer: (any MailServerObserver)? = nil,
        logger: Logger
    ) {
        let context = SMTPReceiverContext(
            configuration: configuration,
            store: store,
            passwords: passwords,
            reader: reader,
            domains: LocalDomains(store: store, configured: configuration.domains.union([configuration.hostName])),
            observer: observer,
            logger: logger
        )
        current = Lock(context)
        self.tls = tls
    }

    /// New limits, for connections to come; names and domains stay what they were.
    package func reload(limits: SMTPServerConfiguration.Limits, patience: SMTPServerPatience, overload: Int) {
        current.withLock { context in
            context.configuration.limits = limits
            context.configuration.patience = patience
            context.configuration.overloadConnections = overload
        }
    }

    /// Listens at the endpoint's address and serves until the listener is drained.
    ///
    /// An endpoint with implicit TLS needs a certificate.
    ///
    /// - Parameter limits: of the listener; what it may have at a time, and what it says to more, are the service's own.
    package func listen(
        at endpoint: Endpoint,
        loops: [EventLoop],
        limits: Listener.Configuration = Listener.Configuration()
    ) throws -> Listener {
        if endpoint.isImplicitTLS, tls == nil { throw NoCertificate() }
        let configuration = context.configuration
        return try Listener.bind(
            endpoint.address,
            loops: loops,
            tls: endpoint.isImplicitTLS ? tls : nil,
            limits: limits,
            connections: configuration.maximumConnections,
            perClient: configuration.maximumPerClient,
            refusal: "421 4.7.0 \(configuration.hostName) Too many connections"
        ) { await self.serve($0, endpoint.service, $1) }
    }

    /// An endpoint with implicit TLS was asked for, and there is no certificate.
    package struct NoCertificate: Error {}

    private func serve(
        _ connection: Connection,
        _ service: SMTPServerConfiguration.Service,
        _ open: ConnectionCount
    ) async {
        let context = context
        let configuration = context.configuration
        let threshold = configuration.overloadConnections
        await SMTPServerSession(
            connection: connection,
            configuration: SMTPServerConfiguration(
                service: service,
                hostName: configuration.hostName,
                offersStartTLS: tls != nil,
                lineEnds: configuration.lineEnds,
                limits: configuration.limits
            ),
            patience: configuration.patience,
            tls: tls,
            clock: context.store.clock,
            delegate: SMTPReceiver(context, service: service, connection: connection),
            isOverloaded: { open.value >= threshold }
        ).run()
    }
}
