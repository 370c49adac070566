// SPDX-License-Identifier: Apache-2.0

package import Sockets
package import Transport

/// Listeners through which mail programs reach our mailboxes: POP3's, and IMAP's.
package protocol MailboxService: Sendable {
    associatedtype Configuration: MailboxServiceConfiguration

    /// New limits, for connections to come; the name stays what it was.
    func reload(_ configuration: Configuration)

    /// Listens at `address` and serves until the listener is drained.
    ///
    /// - Parameters:
    ///   - isImplicitTLS: TLS from the first octet, as on ports 995 and 993; else it is offered where there is a certificate.
    ///   - limits: of the listener; what it may have at a time, and what it says to more, are the service's own.
    func listen(
        at address: SocketAddress,
        isImplicitTLS: Bool,
        loops: [EventLoop],
        limits: Listener.Configuration
    ) throws -> Listener
}

package protocol MailboxServiceConfiguration: Sendable {
    /// Connections at a time of one listener, and from one client.
    var maximumConnections: Int { get }
    var maximumPerClient: Int { get }
}
