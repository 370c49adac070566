// SPDX-License-Identifier: Apache-2.0

import Autoconfig
import MailTypes
import PublicSuffixes
import Resolver
import Sockets
import Storage
import Transport
import WebClient
import Wire

/// One address's search, in stages.
///
/// First what the domain itself says over TLS and by DNS; then what is said less surely; then what is said by whoever takes the
/// domain's mail. A stage is entered only where the ones before found no mailbox.
struct DiscoverySearch: Sendable {
    private let address: EmailAddress
    /// The address's, as names are written.
    private let domain: String
    private let names: NameResolver
    private let files: AutoconfigFetcher
    private let configuration: DiscoveryConfiguration

    init(_ address: EmailAddress, names: NameResolver, web: WebClients, configuration: DiscoveryConfiguration) {
        self.address = address
        domain = "\(address.domain)"
        self.names = names
        self.configuration = configuration
        files = AutoconfigFetcher(address, web: web, configuration: configuration)
    }

    private typealias Finding = (servers: [DiscoveredServer], steps: [DiscoveryStep])

    func run() async -> Discovery {
        guard let loop = EventLoop.current else { preconditionFailure("servers are looked for on a loop") }
        if let provider = KnownProvider(domain: domain) {
            return Discovery(servers(of: provider, .high), [step(.provider, provider.rawValue, true)], provider)
        }
        let deadline = loop.time(afterMilliseconds: configuration.totalMilliseconds)
        func left() -> Int { min(configuration.stepMilliseconds, loop.milliseconds(until: deadline)) }
        let exchanger = Task(executorPreference: loop) { [names, domain] in
            try? await names.exchangers(of: domain, milliseconds: left()).first?.host
        }
        var found = await ask(domain, isOwn: true, milliseconds: left())
        if !Self.hasMailbox(found), left() > 0 {
            found = Self.merge(found, await askUnprotected(milliseconds: left()))
        }
        guard let host = await exchanger.value else { return Discovery(found.servers, found.steps, nil) }
        let provider = KnownProvider(exchanger: host)
        if !Self.hasMailbox(found), let provider {
            found.servers += servers(of: provider, .medium)
            found.steps.append(step(.provider, host, true))
        } else if !Self.hasMailbox(found), left() > 0, let other = PublicSuffixes.registrableDomain(of: host),
            other != domain
        {
            found = Self.merge(found, await ask(other, isOwn: false, milliseconds: left()))
        }
        return Discovery(found.servers, found.steps, provider)
    }

    private static func hasMailbox(_ found: Finding) -> Bool { found.servers.contains { $0.service != .smtp } }

    private static func merge(_ a: Finding, _ b: Finding) -> Finding { (a.servers + b.servers, a.steps + b.steps) }

    private func step(_ source: DiscoverySource, _ place: String, _ isFound: Bool) -> DiscoveryStep {
        DiscoveryStep(source: source, place: place, outcome: isFound ? .found : .nothing)
    }

    private func servers(of provider: KnownProvider, _ confidence: DiscoveryConfidence) -> [DiscoveredServer] {
        provider.servers.map { server in
            DiscoveredServer(
                service: server.service,
                host: server.host,
                port: server.port,
                security: server.security,
                username: "\(address)",
                credentials: provider.credentials,
                source: .provider,
                confidence: confidence
            )
        }
    }

    // MARK: The stages

    /// What a domain says over TLS and by DNS.
    private func ask(_ domain: String, isOwn: Bool, milliseconds: Int) async -> Finding {
        guard let loop = EventLoop.current else { return ([], []) }
        let confidence: DiscoveryConfidence = isOwn ? .high : .low
        let first = Task(executorPreference: loop) {
            await files.fetch(.subdomain(domain, isTLS: true), confidence, milliseconds)
        }
        let second = Task(executorPreference: loop) {
            await files.fetch(.wellKnown(domain, isTLS: true), confidence, milliseconds)
        }
        let third = Task(executorPreference: loop) { await askForServices(of: domain, isOwn: isOwn, milliseconds) }
        let database = Task(executorPreference: loop) { () -> Finding in
            guard !isOwn, !configuration.database.isEmpty else { return ([], []) }
            return await files.fetch(.database(configuration.database, domain), .low, milliseconds)
        }
        return [await first.value, await second.value, await third.value, await database.value].reduce(
            ([], []),
            Self.merge
        )
    }

    /// What is said of the domain in the clear, and by the operator's database.
    private func askUnprotected(milliseconds: Int) async -> Finding {
        guard let loop = EventLoop.current else { return ([], []) }
        let first = Task(executorPreference: loop) {
            await files.fetch(.subdomain(domain, isTLS: false), .low, milliseconds)
        }
        let second = Task(executorPreference: loop) {
            await files.fetch(.wellKnown(domain, isTLS: false), .low, milliseconds)
        }
        let third = Task(executorPreference: loop) { () -> Finding in
            guard !configuration.database.isEmpty else { return ([], []) }
            return await files.fetch(.database(configuration.database, domain), .medium, milliseconds)
        }
        return [await third.value, await first.value, await second.value].reduce(([], []), Self.merge)
    }

    // MARK: Records

    /// RFC 6186 §3.1, §3.2; RFC 8314 §5.1.
    private static let labels: [(label: String, service: RemoteService, security: RemoteSecurity)] = [
        ("_imaps", .imap, .implicit), ("_imap", .imap, .starttls), ("_pop3s", .pop3, .implicit),
        ("_pop3", .pop3, .starttls), ("_submissions", .smtp, .implicit), ("_submission", .smtp, .starttls),
    ]

    private func askForServices(of domain: String, isOwn: Bool, _ milliseconds: Int) async -> Finding {
        guard let loop = EventLoop.current else { return ([], []) }
        let questions = Self.labels.map { label in
            Task(executorPreference: loop) { [names] () async -> [ServiceRecord]? in
                try? await names.services(of: "\(label.label)._tcp.\(domain)", milliseconds: milliseconds)
            }
        }
        var servers: [DiscoveredServer] = []
        var hasFailed = false
        for (label, question) in zip(Self.labels, questions) {
            guard let records = await question.value else {
                hasFailed = true
                continue
            }
            servers += records.prefix(Self.maximumRecords).compactMap { record in
                guard let host = record.target, record.port > 0 else { return nil }
                return DiscoveredServer(
                    service: label.service,
                    host: host,
                    port: record.port,
                    security: label.security,
                    // RFC 6186 §4: the whole address first.
                    username: "\(address)",
                    credentials: [],
                    source: .srv,
                    confidence: !isOwn ? .low : Self.isWithin(host, domain) ? .high : .medium
                )
            }
        }
        let outcome: DiscoveryStep.Outcome = !servers.isEmpty ? .found : hasFailed ? .failed : .nothing
        return (servers, [DiscoveryStep(source: .srv, place: domain, outcome: outcome)])
    }

    /// Of one service.
    private static let maximumRecords = 4

    private static func isWithin(_ host: String, _ domain: String) -> Bool {
        host == domain || host.hasSuffix(".\(domain)")
    }
}
