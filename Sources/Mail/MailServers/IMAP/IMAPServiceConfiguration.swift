// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import IMAPSessions
package import MailTypes

/// What our IMAP listeners offer.
package struct IMAPServiceConfiguration: MailboxServiceConfiguration {
    /// Our name in the greeting.
    package var hostName: Domain
    package var limits = IMAPServerConfiguration.Limits()
    package var patience = IMAPServerPatience()
    /// Connections at a time of one listener, and from one client.
    package var maximumConnections = 1000
    package var maximumPerClient = 50
    /// Sessions at a time of one account, over all listeners.
    package var maximumPerAccount = 100
    /// From so many connections on a listener is impatient.
    package var overloadConnections = 800

    package init(hostName: Domain) { self.hostName = hostName }
}

/// Whoever counts what the IMAP listeners do.
package protocol IMAPObserver: Sendable {
    func connectionOpened(isImplicitTLS: Bool)
    func replied(_ record: IMAPServerRecord)
    func authenticationEnded(_ result: AuthenticationResult)
    /// A message was sent, or some of it.
    func messageSent(octets: Int64)
    /// A message was put into a mailbox by APPEND.
    func messageAppended(octets: Int64)
    func messagesExpunged(_ count: Int)
}
