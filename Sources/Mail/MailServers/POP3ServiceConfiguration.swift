// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import POP3
package import POP3Sessions

/// What our POP3 listeners offer.
package struct POP3ServiceConfiguration: MailboxServiceConfiguration {
    /// Our name in the greeting.
    package var hostName: Domain
    package var limits = POP3ServerConfiguration.Limits()
    package var patience = POP3ServerPatience()
    /// Messages that a session shows at most: the youngest.
    package var maximumMessages = 250_000
    /// Connections at a time of one listener, and from one client.
    package var maximumConnections = 1000
    package var maximumPerClient = 50
    /// From so many connections on a listener is impatient.
    package var overloadConnections = 800

    package init(hostName: Domain) { self.hostName = hostName }
}

/// Whoever counts what the POP3 listeners do.
package protocol POP3Observer: Sendable {
    func connectionOpened(isImplicitTLS: Bool)
    func replied(_ record: POP3ServerRecord)
    func authenticationEnded(_ result: AuthenticationResult)
    /// A message was sent, or some of it.
    func messageSent(octets: Int64)
    func messagesDeleted(_ count: Int)
}
