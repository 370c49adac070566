// SPDX-License-Identifier: Apache-2.0

package import Accounts
package import Logging
import MailTypes
import POP3
import POP3Sessions
import Runtime
package import Sockets
package import Storage
package import TLS
package import Transport

/// What all connections of our POP3 listeners share.
struct POP3ServiceContext: Sendable {
    var configuration: POP3ServiceConfiguration
    let store: Store
    let passwords: PasswordAuthenticator
    let observer: (any POP3Observer)?
    let logger: Logger
}

/// Our POP3 listeners: the inboxes of local accounts, for mail programs.
package final class POP3Service: Sendable {
    private let current: Lock<POP3ServiceContext>
    private var context: POP3ServiceContext { current.withLock { $0 } }
    private let tls: TLSServerContext?

    /// Without `tls` there is no STLS, so nobody can log in.
    package init(
        _ configuration: POP3ServiceConfiguration,
        store: Store,
        passwords: PasswordAuthenticator,
        tls: TLSServerContext?,
        observer: (any POP3Observer)? = nil,
        logger: Logger
    ) {
        current = Lock(
            POP3ServiceContext(
                configuration: configuration,
                store: store,
                passwords: passwords,
                observer: observer,
                logger: logger
            )
        )
        self.tls = tls
    }

    /// New limits, for connections to come; the name stays what it was.
    package func reload(_ configuration: POP3ServiceConfiguration) {
        current.withLock { context in
            let name = context.configuration.hostName
            context.configuration = configuration
            context.configuration.hostName = name
        }
    }

    /// Listens at `address` and serves until the listener is drained.
    ///
    /// - Parameters:
    ///   - isImplicitTLS: TLS from the first octet, as on port 995; else STLS is offered where there is a certificate.
    ///   - limits: of the listener; what it may have at a time, and what it says to more, are the service's own.
    package func listen(
        at address: SocketAddress,
        isImplicitTLS: Bool,
        loops: [EventLoop],
        limits: Listener.Configuration = Listener.Configuration()
    ) throws -> Listener {
        if isImplicitTLS, tls == nil { throw SMTPService.NoCertificate() }
        let context = context
        var limits = limits
        limits.maximumConnections = context.configuration.maximumConnections
        limits.maximumPerClient = context.configuration.maximumPerClient
        limits.refusal = Array("-ERR [SYS/TEMP] Too many connections\r\n".utf8)
        let open = ConnectionCount()
        return try Listener.bind(
            address,
            loops: loops,
            tls: isImplicitTLS ? tls : nil,
            configuration: limits
        ) { connection in
            open.add(1)
            await self.serve(connection, open)
            open.add(-1)
        }
    }

    private func serve(_ connection: Connection, _ open: ConnectionCount) async {
        let context = context
        let configuration = context.configuration
        let threshold = configuration.overloadConnections
        context.observer?.connectionOpened(isImplicitTLS: connection.isTLS)
        await POP3ServerDriver(
            connection: connection,
            configuration: POP3ServerConfiguration(
                hostName: configuration.hostName.description,
                offersStartTLS: tls != nil,
                limits: configuration.limits
            ),
            patience: configuration.patience,
            tls: tls,
            clock: context.store.clock,
            delegate: POP3Mailbox(context, connection: connection),
            isOverloaded: { open.value >= threshold }
        ).run()
    }
}
