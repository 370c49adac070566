// SPDX-License-Identifier: Apache-2.0

package import Delivery
package import MailTypes
package import SMTP
package import SMTPSessions
package import Storage

/// What our SMTP listeners take, and for whom.
package struct SMTPReceiverConfiguration: Sendable {
    /// Our name in greetings and trace fields.
    package var hostName: Domain
    /// Domains that are ours even where no account has an address in them yet.
    package var domains: Set<Domain> = []
    /// Who gets mail for `postmaster`; nil is the oldest local account.
    package var postmaster: EmailAddress?
    /// Whether `user+tag@domain` reaches `user@domain`.
    package var deliversTagged = true
    /// Whose submissions to others are taken.
    package var routes = OutgoingRoutes(hasRelay: false)
    /// How long their delivery is tried.
    package var lifetimeMilliseconds = SubmissionAgent.defaultLifetimeMilliseconds
    package var lineEnds = SMTPLineEndPolicy.reject
    package var limits = SMTPServerConfiguration.Limits()
    package var patience = SMTPServerPatience()
    /// Connections at a time of one listener, and from one client.
    package var maximumConnections = 1000
    package var maximumPerClient = 50
    /// From so many connections on a listener is impatient (SMTP replies, deadlines and budgets).
    package var overloadConnections = 800

    package init(hostName: Domain) { self.hostName = hostName }
}

/// Whoever counts what the listeners do.
package protocol MailServerObserver: Sendable {
    func connectionOpened(_ service: SMTPServerConfiguration.Service)
    func replied(_ record: SMTPServerRecord, _ service: SMTPServerConfiguration.Service)
    func messageEnded(_ result: MessageResult, octets: Int64)
    func authenticationEnded(_ result: AuthenticationResult)
}

package enum MessageResult: String, CaseIterable, Sendable { case accepted, refused, deferred, aborted }

package enum AuthenticationResult: String, CaseIterable, Sendable { case accepted, refused, throttled, unavailable }
