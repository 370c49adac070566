// SPDX-License-Identifier: Apache-2.0

package import Accounts
import IMAP
import IMAPSessions
package import Intake
package import Logging
import MailTypes
import Runtime
package import Sockets
package import Storage
package import TLS
package import Transport
import Wire

/// What all connections of our IMAP listeners share.
struct IMAPServiceContext: Sendable {
    var configuration: IMAPServiceConfiguration
    let store: Store
    let passwords: PasswordAuthenticator
    let intake: Intake
    let recent = RecentMessages()
    let sessions = AccountSessions()
    let observer: (any IMAPObserver)?
    let logger: Logger
}

/// How many sessions each account has now.
final class AccountSessions: Sendable {
    private let counts = Lock<[AccountKey: Int]>([:])

    /// Takes one place; false where there is none.
    func begin(_ account: AccountKey, limit: Int) -> Bool {
        counts.withLock { counts in
            let count = counts[account] ?? 0
            guard count < limit else { return false }
            counts[account] = count + 1
            return true
        }
    }

    func end(_ account: AccountKey) {
        counts.withLock { counts in
            let count = counts[account] ?? 0
            counts[account] = count > 1 ? count - 1 : nil
        }
    }
}

/// Our IMAP listeners: the mailboxes of local accounts, for mail programs.
package final class IMAPService: MailboxService {
    /// What is answered here of what needs not be.
    static let capabilities: [IMAPCapability] = [
        .namespace, .uidPlus, .move, .condStore, .qresync, .esearch, .searchResult, .within, .children,
        .listExtended, .listStatus, .specialUse, .createSpecialUse, .statusSize, .objectID, .saveDate, .preview, .quota,
        .multiAppend, .utf8Accept,
    ]

    private let current: Lock<IMAPServiceContext>
    private var context: IMAPServiceContext { current.withLock { $0 } }
    private let tls: TLSServerContext?

    /// Without `tls` there is no STARTTLS, so nobody can log in.
    package init(
        _ configuration: IMAPServiceConfiguration,
        store: Store,
        passwords: PasswordAuthenticator,
        intake: Intake,
        tls: TLSServerContext?,
        observer: (any IMAPObserver)? = nil,
        logger: Logger
    ) {
        current = Lock(
            IMAPServiceContext(
                configuration: configuration,
                store: store,
                passwords: passwords,
                intake: intake,
                observer: observer,
                logger: logger
            )
        )
        self.tls = tls
    }

    package func reload(_ configuration: IMAPServiceConfiguration) {
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
            refusal: "* BYE [UNAVAILABLE] Too many connections"
        ) { await self.serve($0, $1) }
    }

    private func serve(_ connection: Connection, _ open: ConnectionCount) async {
        let context = context
        let configuration = context.configuration
        let threshold = configuration.overloadConnections
        context.observer?.connectionOpened(isImplicitTLS: connection.isTLS)
        var server = IMAPServerConfiguration(
            hostName: configuration.hostName.description,
            offersStartTLS: tls != nil
        )
        server.capabilities = Self.capabilities
        server.appendLimit = UInt64(max(context.store.configuration.maximumMessageOctets, 0))
        server.id = [IMAPParameter(name: Array("name".utf8), value: Array("Postern".utf8))]
        server.limits = configuration.limits
        await IMAPServerDriver(
            connection: connection,
            configuration: server,
            patience: configuration.patience,
            tls: tls,
            clock: context.store.clock,
            delegate: IMAPMailbox(context, connection: connection),
            isOverloaded: { open.value >= threshold }
        ).run()
    }
}
