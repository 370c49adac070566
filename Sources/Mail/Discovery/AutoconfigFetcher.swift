// SPDX-License-Identifier: Apache-2.0

import Autoconfig
import HTTP
import MailTypes
import Resolver
import Sockets
import Storage
import Transport
import WebClient
import Wire

/// Fetches autoconfig files for one address.
struct AutoconfigFetcher: Sendable {
    /// Where a file may be.
    enum Place: Sendable {
        /// `autoconfig.DOMAIN`, which is told the address where the connection keeps it private.
        case subdomain(String, isTLS: Bool)
        /// `DOMAIN/.well-known/autoconfig/`.
        case wellKnown(String, isTLS: Bool)
        /// At the operator's database, by domain.
        case database(String, String)
    }

    private let address: EmailAddress
    private let web: WebClients
    private let configuration: DiscoveryConfiguration
    private static let maximumRedirects = 2

    init(_ address: EmailAddress, web: WebClients, configuration: DiscoveryConfiguration) {
        self.address = address
        self.web = web
        self.configuration = configuration
    }

    func fetch(
        _ place: Place,
        _ confidence: DiscoveryConfidence,
        _ milliseconds: Int
    ) async -> (servers: [DiscoveredServer], steps: [DiscoveryStep]) {
        let (url, query) = target(place)
        let source: DiscoverySource = if case .database = place { .database } else { .autoconfig }
        func step(_ outcome: DiscoveryStep.Outcome) -> [DiscoveryStep] {
            [DiscoveryStep(source: source, place: url, outcome: outcome)]
        }
        do throws(WebClientError) {
            guard let body = try await get(url + query, milliseconds),
                let file = try? AutoconfigFile(body, for: address)
            else { return ([], step(.nothing)) }
            let servers = file.servers.compactMap { server($0, source, confidence) }
            return (servers, step(servers.isEmpty ? .nothing : .found))
        } catch {
            return ([], step(error == .nameNotFound ? .nothing : .failed))
        }
    }

    /// And what is asked for there, which is nobody else's business.
    private func target(_ place: Place) -> (url: String, query: String) {
        switch place {
        case .subdomain(let domain, let isTLS):
            var encoded: [UInt8] = []
            PercentEncoding.encode(address.octets.span, into: &encoded)
            let query = isTLS ? "?emailaddress=\(String(decoding: encoded, as: UTF8.self))" : ""
            return ("\(origin("autoconfig.\(domain)", isTLS))/mail/config-v1.1.xml", query)
        case .wellKnown(let domain, let isTLS):
            return ("\(origin(domain, isTLS))/.well-known/autoconfig/mail/config-v1.1.xml", "")
        case .database(let base, let domain):
            return ("\(base)\(domain)", "")
        }
    }

    private func origin(_ host: String, _ isTLS: Bool) -> String {
        let port = isTLS ? configuration.httpsPort : configuration.httpPort
        let usual: UInt16 = isTLS ? 443 : 80
        return "\(isTLS ? "https" : "http")://\(host)\(port == usual ? "" : ":\(port)")"
    }

    /// The file; nil where there is none.
    ///
    /// A redirection is followed to where we may connect to, never from TLS to the clear.
    private func get(_ first: String, _ milliseconds: Int) async throws(WebClientError) -> [UInt8]? {
        guard let loop = EventLoop.current else { return nil }
        let deadline = loop.time(afterMilliseconds: milliseconds)
        var url = first
        for _ in 0...Self.maximumRedirects {
            var request = WebRequest("GET", url)
            request.totalMilliseconds = loop.milliseconds(until: deadline)
            request.connectMilliseconds = request.totalMilliseconds
            request.maximumResponseOctets = AutoconfigFile.maximumOctets
            guard request.totalMilliseconds > 0 else { throw .timeout(.response) }
            let response = try await web.send(request)
            switch response.status {
            case 200: return response.isCut ? nil : response.body
            case 301, 302, 303, 307, 308:
                guard let next = Self.next(response.field("Location"), from: url) else { return nil }
                url = next
            default: return nil
            }
        }
        return nil
    }

    private static func next(_ location: [UInt8]?, from url: String) -> String? {
        guard let text = location?.span.utf8String() else { return nil }
        let isTLS = url.hasPrefix("https://")
        if text.hasPrefix("/"), !text.hasPrefix("//") {
            let rest = url.dropFirst(isTLS ? 8 : 7)
            return (isTLS ? "https://" : "http://") + rest.prefix { $0 != "/" && $0 != "?" } + text
        }
        return text.hasPrefix("https://") || (!isTLS && text.hasPrefix("http://")) ? text : nil
    }

    /// The server as one of ours; nil for what cannot be looked up, and for what would be spoken to in the clear.
    private func server(
        _ server: AutoconfigServer,
        _ source: DiscoverySource,
        _ confidence: DiscoveryConfidence
    ) -> DiscoveredServer? {
        guard NameResolver.isName(server.host) else { return nil }
        let service: RemoteService =
            switch server.service {
            case .imap: .imap
            case .pop3: .pop3
            case .smtp: .smtp
            }
        let security: RemoteSecurity
        switch server.security {
        case .implicit: security = .implicit
        case .starttls: security = .starttls
        case .none: return nil
        }
        return DiscoveredServer(
            service: service,
            host: server.host,
            port: server.port,
            security: security,
            username: server.username ?? "\(address)",
            credentials: server.authentications.map { $0 == .oauth2 ? .oauth2 : .password },
            source: source,
            confidence: confidence
        )
    }
}
