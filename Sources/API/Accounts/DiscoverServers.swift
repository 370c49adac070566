// SPDX-License-Identifier: Apache-2.0

import Accounts
import Discovery
import HTTP
import JSON
import MailTypes
import Storage

/// `GET /v1/discovery`: which servers an address's mail may be at.
enum DiscoverServers {
    static let operation = Operation("discoverServers", .get, "/v1/discovery", scope: .admin) { call in
        var query = call.query
        let text = query.text("address", minimum: 1, maximum: EmailAddress.maximumOctets)
        var address: EmailAddress?
        if let text {
            address = readable(text)
            if address == nil { query.fail("address", "invalid", "must be an address at a domain, in ASCII") }
        } else {
            query.fail("address", "missing", "is required")
        }
        try query.finish()
        guard let address else { return }
        let found = try await call.api.discover(address)
        try await call.respond { write(found, of: address, to: &$0) }
    }

    private static func readable(_ text: [UInt8]) -> EmailAddress? {
        guard let address = try? EmailAddress(text.span, allowingUTF8: false), address.domain.literal == nil else {
            return nil
        }
        return address
    }

    private static func write(_ found: Discovery, of address: EmailAddress, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("address")
        writer.string(address.octets)
        writer.key("provider")
        writer.string(found.provider?.rawValue)
        for service in RemoteService.allCases {
            switch service {
            case .imap: writer.key("imap")
            case .pop3: writer.key("pop3")
            case .smtp: writer.key("smtp")
            }
            writer.beginArray()
            for server in found.servers where server.service == service { write(server, to: &writer) }
            writer.endArray()
        }
        writer.key("steps")
        writer.beginArray()
        for step in found.steps {
            writer.beginObject()
            writer.key("source")
            writer.string(step.source.rawValue)
            writer.key("place")
            writer.string(step.place)
            writer.key("outcome")
            writer.string(step.outcome.rawValue)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    private static func write(_ server: DiscoveredServer, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("host")
        writer.string(server.host)
        writer.key("port")
        writer.number(Int(server.port))
        writer.key("tls")
        writer.string(server.security.rawValue)
        writer.key("username")
        writer.string(server.username)
        writer.key("authentication")
        writer.beginArray()
        for credential in server.credentials { writer.string(credential.rawValue) }
        writer.endArray()
        writer.key("source")
        writer.string(server.source.rawValue)
        writer.key("confidence")
        writer.string(server.confidence.rawValue)
        writer.endObject()
    }
}

extension API {
    /// What is found out about an address's servers; 503 where too many are being looked into.
    func discover(_ address: EmailAddress) async throws -> Discovery {
        do {
            return try await discovery.servers(for: address)
        } catch {
            throw APIProblem.unavailable("busy", "Too many addresses are being looked into.")
        }
    }
}
