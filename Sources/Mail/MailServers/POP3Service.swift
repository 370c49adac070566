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
package final class POP3Service: MailboxService {
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

    package func reload(_ configuration: POP3ServiceConfiguration) {
        current.withLock { context in
            let name = context.configuration.hostName
            context.configuration = configuration
            context.configuration.hostName = name
        }
    }

    package func listen(
        at address: SocketAddress,
        isImplicitTLS: Bool,
        loops: [EventLoop],
        limits: Listener.Configuration = Listener.Configuration()
    ) throws -> Listener {
        if isImplicitTLS, tls == nil { throw SMTPService.NoCertificate() }
        let configuration = context.configuration
        return try Listener.bind(
            address,
            loops: loops,
            tls: isImplicitTLS ? tls : nil,
            limits: limits,
            connections: configuration.maximumConnections,
            perClient: configuration.maximumPerClient,
            refusal: "-ERR [SYS/TEMP] Too many connections"
        ) { await self.serve($0, $1) }
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
