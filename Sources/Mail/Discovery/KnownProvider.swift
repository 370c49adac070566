// SPDX-License-Identifier: Apache-2.0

package import Storage

/// A provider whose servers we know, because so many have their mail there, and because they say it nowhere in a form for
/// programs: from https://developers.google.com/workspace/gmail/imap/imap-smtp and
/// https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040.
package enum KnownProvider: String, CaseIterable, Hashable, Sendable {
    case google
    case microsoft

    package struct Server: Hashable, Sendable {
        package let service: RemoteService
        package let host: String
        package let port: UInt16
        package let security: RemoteSecurity
    }

    package var servers: [Server] {
        switch self {
        case .google:
            [
                Server(service: .imap, host: "imap.gmail.com", port: 993, security: .implicit),
                Server(service: .pop3, host: "pop.gmail.com", port: 995, security: .implicit),
                Server(service: .smtp, host: "smtp.gmail.com", port: 465, security: .implicit),
            ]
        case .microsoft:
            [
                Server(service: .imap, host: "outlook.office365.com", port: 993, security: .implicit),
                Server(service: .pop3, host: "outlook.office365.com", port: 995, security: .implicit),
                Server(service: .smtp, host: "smtp.office365.com", port: 587, security: .starttls),
            ]
        }
    }

    var credentials: [RemoteCredential] {
        switch self {
        // With an app password; with the account's own no longer.
        case .google: [.oauth2, .password]
        case .microsoft: [.oauth2]
        }
    }

    /// Domains whose addresses are all the provider's.
    private var domains: Set<String> {
        switch self {
        case .google: ["gmail.com", "googlemail.com"]
        case .microsoft: ["outlook.com", "hotmail.com", "live.com", "msn.com"]
        }
    }

    /// What the names of hosts that take its customers' mail end with.
    private var exchangers: [String] {
        switch self {
        case .google: ["google.com", "googlemail.com"]
        case .microsoft: ["mail.protection.outlook.com", "olc.protection.outlook.com", "mx.microsoft"]
        }
    }

    init?(domain: String) {
        guard let found = Self.allCases.first(where: { $0.domains.contains(domain) }) else { return nil }
        self = found
    }

    init?(exchanger host: String) {
        let found = Self.allCases.first { provider in
            provider.exchangers.contains { host == $0 || host.hasSuffix(".\($0)") }
        }
        guard let found else { return nil }
        self = found
    }
}
