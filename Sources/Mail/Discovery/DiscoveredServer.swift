// SPDX-License-Identifier: Apache-2.0

package import Storage

/// Where a proposal comes from.
package enum DiscoverySource: String, CaseIterable, Hashable, Sendable {
    /// A provider that we know.
    case provider
    /// A file at the domain (Mozilla's autoconfig).
    case autoconfig
    /// Records of the domain's services (RFC 6186, RFC 8314 §5.1).
    case srv
    /// The database of such files that the operator named.
    case database
}

/// How sure a proposal is the domain's own.
package enum DiscoveryConfidence: String, CaseIterable, Comparable, Hashable, Sendable {
    /// Said over connections that anybody on the way may change, or by whoever takes the domain's mail.
    case low
    /// Said by DNS, of servers in other domains; or by the database.
    case medium
    /// Said over TLS by the domain itself, by DNS of servers in the domain itself, or known to us.
    case high

    private var rank: Int {
        switch self {
        case .low: 0
        case .medium: 1
        case .high: 2
        }
    }

    package static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

/// A server that may be an address's.
package struct DiscoveredServer: Hashable, Sendable {
    package let service: RemoteService
    package let host: String
    package let port: UInt16
    package let security: RemoteSecurity
    package let username: String
    /// What it takes, in its order of preference; empty where that is not known.
    package let credentials: [RemoteCredential]
    package let source: DiscoverySource
    package let confidence: DiscoveryConfidence

    /// The same server by the same means.
    func isSame(as other: Self) -> Bool {
        service == other.service && host == other.host && port == other.port && security == other.security
    }
}

/// One place that was asked.
package struct DiscoveryStep: Hashable, Sendable {
    package enum Outcome: String, Hashable, Sendable {
        case found
        /// There is nothing, or nothing of use.
        case nothing
        /// It could not be asked, or answered as it should not.
        case failed
    }

    package let source: DiscoverySource
    /// A domain, or a URL without what was asked there.
    package let place: String
    package let outcome: Outcome
}

/// What was found for an address.
package struct Discovery: Hashable, Sendable {
    /// Surest first, then with TLS from the start first; each once.
    package let servers: [DiscoveredServer]
    package let steps: [DiscoveryStep]
    /// Whose servers they are, where we know.
    package let provider: KnownProvider?

    init(_ servers: [DiscoveredServer], _ steps: [DiscoveryStep], _ provider: KnownProvider?) {
        var kept: [DiscoveredServer] = []
        for server in servers.enumerated().sorted(by: { Self.isBefore($0, $1) }).map(\.element)
        where !kept.contains(where: server.isSame) { kept.append(server) }
        self.servers = kept
        self.steps = steps
        self.provider = provider
    }

    private static func isBefore(
        _ a: (offset: Int, element: DiscoveredServer),
        _ b: (offset: Int, element: DiscoveredServer)
    ) -> Bool {
        if a.element.confidence != b.element.confidence { return a.element.confidence > b.element.confidence }
        let (first, second) = (a.element.security == .implicit, b.element.security == .implicit)
        return first == second ? a.offset < b.offset : first
    }

    /// The best server for a service that is sure enough to be shown credentials without anybody's look at it.
    package func sure(_ service: RemoteService) -> DiscoveredServer? {
        servers.first { $0.service == service && $0.confidence >= .medium }
    }
}
