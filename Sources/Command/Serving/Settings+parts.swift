// SPDX-License-Identifier: Apache-2.0

internal import API
internal import Accounts
internal import Backends
internal import Configuration
internal import Delivery
internal import Discovery
internal import Egress
internal import Files
internal import HTTP
internal import HTTPServer
internal import MIME
internal import MailServers
internal import MailTypes
internal import IMAP
internal import IMAPSessions
internal import POP3
internal import POP3Sessions
internal import Resolver
internal import Runtime
internal import SMTP
internal import SMTPSessions
internal import Storage
internal import Sync
internal import Transport
internal import WebClient
internal import Webhooks

/// What the parts are told, from what the operator set.
extension Settings {
    /// The name we go by.
    var ownName: String { hostname.isEmpty ? ProcessSetup.hostName() : hostname }

    /// The same as a domain, for trace fields and Message-IDs.
    func ownDomain() throws -> Domain { try Self.domain(ownName, "hostname") }

    /// The domains that are ours besides those of the accounts.
    func configuredDomains() throws -> Set<Domain> {
        Set(try localDomains.map { try Self.domain($0, "localDomains") })
    }

    private static func domain(_ name: String, _ key: String) throws -> Domain {
        guard let domain = Domain(name) else { throw Server.Failure(description: "\(key): \(name) is no domain name") }
        return domain
    }

    var storeConfiguration: StoreConfiguration {
        var configuration = StoreConfiguration(directory: data)
        configuration.readerThreads = threads.readers
        configuration.maximumMessageOctets = Int64(limits.messageOctets)
        configuration.minimumFreeOctets = Int64(limits.freeOctets)
        configuration.eventMilliseconds = Int64(events.days) * 86_400_000
        configuration.eventsPerAccount = Int64(events.perAccount)
        if testing.enabled { configuration.groupCapacity = testing.groupCapacity }
        return configuration
    }

    /// A message in base64 within JSON or a form is larger than itself.
    private var bodyOctets: UInt64 { UInt64(limits.messageOctets) / 2 * 3 + (1 << 20) }

    var httpConfiguration: HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.requestLimits.headOctets = http.headerOctets
        configuration.requestLimits.fields = http.headerFields
        configuration.maximumBodyOctets = bodyOctets
        configuration.headerMilliseconds = http.headerSeconds * 1000
        configuration.idleMilliseconds = http.idleSeconds * 1000
        configuration.minimumBodyOctetsPerSecond = http.minimumBodyRate
        configuration.writeStallMilliseconds = http.writeStallSeconds * 1000
        configuration.allowedHosts = allowedHosts
        configuration.allowedOrigins = http.corsOrigins
        return configuration
    }

    /// Names a `Host` field may have; empty is any.
    ///
    /// A page that made its own name point at 127.0.0.1 has another.
    private var allowedHosts: [String] {
        if http.allowedHosts.contains("*") { return [] }
        return ["localhost", "127.0.0.1", "[::1]", ownName] + listenerHosts + publicHost + http.allowedHosts
    }

    /// Where browsers come to connect mailboxes.
    private var publicHost: [String] {
        guard let start = oauth.publicUrl.firstRange(of: "://")?.upperBound else { return [] }
        let authority = oauth.publicUrl[start...]
        guard let colon = authority.lastIndex(of: ":"), authority[colon...].dropFirst().allSatisfy(\.isNumber) else {
            return [String(authority)]
        }
        return [String(authority[..<colon])]
    }

    /// The addresses we listen on, as `Host` has them.
    private var listenerHosts: [String] {
        [listeners.http, listeners.https].compactMap { address in
            address.lastIndex(of: ":").map { String(address[..<$0]) }
        }
    }

    /// What each token may use; nil is no limit.
    var requestBudget: RequestBudget? {
        RequestBudget(requestsPerSecond: limits.requestsPerSecond, burst: limits.requestBurst)
    }

    var resolverConfiguration: ResolverConfiguration {
        var configuration = ResolverConfiguration()
        configuration.servers = resolver.servers
        configuration.timeoutMilliseconds = resolver.timeoutMilliseconds
        configuration.tries = resolver.tries
        configuration.cacheSeconds = resolver.cacheSeconds
        return configuration
    }

    /// Where connections of ours may go.
    var egressPolicy: EgressPolicy {
        var policy = EgressPolicy()
        policy.allowed = egress.allow.compactMap { IPNetwork($0.utf8) }
        policy.denied = egress.deny.compactMap { IPNetwork($0.utf8) }
        policy.ports[.web] = egress.webPorts.compactMap { EgressPolicy.ports($0.utf8) }
        policy.ports[.mail] = egress.mailPorts.compactMap { EgressPolicy.ports($0.utf8) }
        return policy
    }

    func webClientConfiguration() throws -> WebClientConfiguration {
        var configuration = WebClientConfiguration()
        configuration.authoritiesPath = egress.caFile
        guard egress.caFile.isEmpty || Files.exists(egress.caFile) else {
            throw Server.Failure(description: "egress.caFile: there is no file \(egress.caFile)")
        }
        return configuration
    }

    var smtpLimits: SMTPServerConfiguration.Limits {
        var limits = SMTPServerConfiguration.Limits()
        limits.messageOctets = UInt64(self.limits.messageOctets)
        limits.recipients = smtp.recipients
        limits.hops = smtp.hops
        limits.errors = smtp.errors
        return limits
    }

    var smtpPatience: SMTPServerPatience {
        var patience = SMTPServerPatience()
        patience.idleMilliseconds = smtp.idleSeconds * 1000
        return patience
    }

    /// From so many sessions on a listener is impatient.
    var smtpOverload: Int { max(1, smtp.sessions * 4 / 5) }

    func pop3Configuration() throws -> POP3ServiceConfiguration {
        var configuration = POP3ServiceConfiguration(hostName: try ownDomain())
        configuration.limits.errors = pop3.errors
        configuration.patience.idleMilliseconds = pop3.idleSeconds * 1000
        configuration.maximumMessages = pop3.messages
        configuration.maximumConnections = pop3.sessions
        configuration.maximumPerClient = pop3.connectionsPerAddress
        configuration.overloadConnections = max(1, pop3.sessions * 4 / 5)
        return configuration
    }

    func imapConfiguration() throws -> IMAPServiceConfiguration {
        var configuration = IMAPServiceConfiguration(hostName: try ownDomain())
        configuration.limits.errors = imap.errors
        configuration.patience.idleMilliseconds = imap.idleSeconds * 1000
        configuration.maximumConnections = imap.sessions
        configuration.maximumPerClient = imap.connectionsPerAddress
        configuration.maximumPerAccount = imap.sessionsPerAccount
        configuration.overloadConnections = max(1, imap.sessions * 4 / 5)
        return configuration
    }

    var remoteLimits: RemoteLimits {
        var limits = RemoteLimits()
        limits.pollMilliseconds = remote.pollSeconds * 1000
        limits.maildropPollMilliseconds = remote.pop3PollSeconds * 1000
        limits.cacheOctets = Int64(remote.cacheOctets)
        limits.staleMilliseconds = remote.staleSeconds * 1000
        return limits
    }

    var remoteHostLimits: HostLedger.Limits {
        var limits = HostLedger.Limits()
        limits.connectionsPerHost = remote.connectionsPerHost
        limits.dials = remote.dials
        return limits
    }

    var discoveryConfiguration: DiscoveryConfiguration {
        var configuration = DiscoveryConfiguration()
        configuration.database = discovery.database
        return configuration
    }

    var webhookLimits: WebhookLimits {
        var limits = WebhookLimits()
        limits.schedule = RetrySchedule(seconds: webhooks.retrySeconds)
        limits.probeMilliseconds = Int64(webhooks.probeSeconds) * 1000
        limits.concurrency = webhooks.concurrency
        limits.totalConcurrency = webhooks.totalConcurrency
        limits.endpoints = webhooks.endpoints
        limits.clockRate = testing.enabled ? testing.clockRate : 1
        return limits
    }

    func apiConfiguration(isDraining: @escaping @Sendable () -> Bool, doors: OpenDoors) -> APIConfiguration {
        var configuration = APIConfiguration()
        configuration.readinessChecks = doors.readinessChecks
        configuration.isTrusted = { [weak doors] peer in doors?.isTrusted(peer) ?? false }
        configuration.maximumMessageOctets = Int64(limits.messageOctets)
        configuration.passwordRounds = UInt32(passwords.rounds)
        configuration.isDraining = isDraining
        configuration.publicURL = oauth.publicUrl
        configuration.returnURLs = Set(oauth.returnUrls)
        configuration.eventStreamsPerToken = events.streamsPerToken
        configuration.eventKeepAliveMilliseconds = events.keepAliveSeconds * 1000
        configuration.metricsAccess =
            switch metrics.access {
            case .admin: .administrators
            case .loopback: .loopback
            case .anyone: .anyone
            }
        return configuration
    }

    /// How much of a message is looked into.
    var mimeLimits: MIMELimits {
        var limits = MIMELimits.standard
        limits.decodesUUEncode = mime.uudecode
        return limits
    }

    /// The clock of everything that is stored or scheduled.
    ///
    /// Deadlines of connections keep to real time.
    var clock: Clock { testing.enabled ? .system.accelerated(by: testing.clockRate) : .system }
}

extension Clock {
    /// A clock that reads the same as this one now, and from then on runs so many times as fast.
    func accelerated(by rate: Int) -> Clock {
        guard rate > 1 else { return self }
        let (wall, steady) = (now(), monotonic())
        let (readWall, readSteady) = (now, monotonic)
        return Clock(
            now: { wall + (readWall() - wall) * Int64(rate) },
            monotonic: { steady &+ (readSteady() &- steady) &* UInt64(rate) }
        )
    }
}
