// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Wire
import XMLDocuments

/// A server that an autoconfig file names.
package struct AutoconfigServer: Hashable, Sendable {
    package enum Service: String, Hashable, Sendable {
        case imap, pop3, smtp
    }

    package enum Security: Hashable, Sendable {
        /// `SSL`: TLS from the first octet.
        case implicit
        case starttls
        /// `plain`: in the clear.
        case none
    }

    package enum Authentication: Hashable, Sendable {
        /// In whatever way a password is shown or proven.
        case password
        case oauth2
    }

    package let service: Service
    /// ASCII, lower case; a name, as far as its octets say.
    package let host: String
    package let port: UInt16
    package let security: Security
    /// For the address that was asked about; nil where the file has none, or one that is not a line of text.
    package let username: String?
    /// Those that we know, each once, in the file's order.
    package let authentications: [Authentication]
}

/// What a provider says of its servers, in the form that Thunderbird reads
/// (https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat): version 1.1.
///
/// ```
/// <clientConfig version="1.1"><emailProvider id="example.com">
///   <incomingServer type="imap">
///     <hostname>imap.example.com</hostname> <port>993</port> <socketType>SSL</socketType>
///     <username>%EMAILADDRESS%</username> <authentication>password-cleartext</authentication>
///   </incomingServer>
///   <outgoingServer type="smtp"> … </outgoingServer>
/// </emailProvider></clientConfig>
/// ```
package struct AutoconfigFile: Hashable, Sendable {
    /// Octets of a file that is read.
    package static let maximumOctets = 64 << 10
    /// Servers that are taken from one file.
    package static let maximumServers = 20

    package enum Problem: Error, Hashable, Sendable {
        /// Not XML as we read it: too large, too deep, with a document type, or malformed.
        case notXML
        /// XML of another kind.
        case notAutoconfig
    }

    /// In the file's order, which is the provider's preference; what cannot be a server is left out.
    package let servers: [AutoconfigServer]

    package init(_ octets: [UInt8], for address: EmailAddress) throws(Problem) {
        var limits = XMLDocument.Limits()
        limits.octets = Self.maximumOctets
        let document: XMLDocument
        do throws(XMLDocument.Problem) {
            document = try XMLDocument(octets, limits: limits)
        } catch {
            throw .notXML
        }
        let root = document.elements[0].name
        guard root.span.equals("clientConfig"),
            let provider = document.children(of: 0, named: "emailProvider").first
        else { throw .notAutoconfig }
        let places = Placeholders(address)
        let all =
            document.children(of: provider, named: "incomingServer")
            + document.children(of: provider, named: "outgoingServer")
        servers = Array(all.lazy.compactMap { Self.server($0, document, places) }.prefix(Self.maximumServers))
    }

    private static func server(_ index: Int, _ document: XMLDocument, _ places: Placeholders) -> AutoconfigServer? {
        let element = document.elements[index]
        guard let type = element.attributes[Array("type".utf8)], let service = service(type, element.name),
            let host = document.text(of: index, "hostname").flatMap({ Self.host(places.filled($0)) }),
            let digits = document.text(of: index, "port"),
            let port = StrictInteger.decimal(digits.span, maximum: 65_535).flatMap({ UInt16(exactly: $0) }), port > 0,
            let security = security(document.text(of: index, "socketType") ?? [])
        else { return nil }
        var authentications: [AutoconfigServer.Authentication] = []
        for one in document.children(of: index, named: "authentication") {
            guard let known = authentication(document.elements[one].text), !authentications.contains(known) else {
                continue
            }
            authentications.append(known)
        }
        return AutoconfigServer(
            service: service,
            host: host,
            port: port,
            security: security,
            username: document.text(of: index, "username").flatMap { line(places.filled($0)) },
            authentications: authentications
        )
    }

    private static func service(_ type: [UInt8], _ element: [UInt8]) -> AutoconfigServer.Service? {
        let isIncoming = element.span.equals("incomingServer")
        if type.span.equals("imap"), isIncoming { return .imap }
        if type.span.equals("pop3"), isIncoming { return .pop3 }
        return type.span.equals("smtp") && !isIncoming ? .smtp : nil
    }

    private static func security(_ word: [UInt8]) -> AutoconfigServer.Security? {
        if ASCII.equalsIgnoringCase(word, "SSL") { return .implicit }
        if ASCII.equalsIgnoringCase(word, "STARTTLS") { return .starttls }
        return ASCII.equalsIgnoringCase(word, "plain") ? AutoconfigServer.Security.none : nil
    }

    private static func authentication(_ text: [UInt8]) -> AutoconfigServer.Authentication? {
        let word = text.filter { !ASCII.isWhitespace($0) }
        if ASCII.equalsIgnoringCase(word, "OAuth2") { return .oauth2 }
        let passwords: [StaticString] = ["password-cleartext", "password-encrypted", "plain", "secure"]
        return passwords.contains { ASCII.equalsIgnoringCase(word, $0) } ? .password : nil
    }

    private static func host(_ octets: [UInt8]) -> String? {
        guard (1...253).contains(octets.count),
            octets.allSatisfy({ ASCII.isAlphanumeric($0) || $0 == ASCII.hyphen || $0 == ASCII.dot })
        else { return nil }
        return ASCII.lowercased(octets).span.utf8String()
    }

    /// Text as a user name may be.
    private static func line(_ octets: [UInt8]) -> String? {
        guard (1...320).contains(octets.count), !octets.contains(where: ASCII.isControl) else { return nil }
        return octets.span.utf8String()
    }
}

/// What stands for parts of the address in a file.
private struct Placeholders {
    private let values: [(name: [UInt8], value: [UInt8])]

    init(_ address: EmailAddress) {
        values = [
            (Array("%EMAILADDRESS%".utf8), address.octets),
            (Array("%EMAILLOCALPART%".utf8), address.localPart),
            (Array("%EMAILDOMAIN%".utf8), address.domain.octets),
        ]
    }

    /// The text with each placeholder replaced once, from its beginning to its end: what is put in is not looked at again.
    func filled(_ text: [UInt8]) -> [UInt8] {
        var filled: [UInt8] = []
        var rest = text[...]
        while let first = rest.first {
            if first == ASCII.percent, let place = values.first(where: { rest.starts(with: $0.name) }) {
                filled += place.value
                rest = rest.dropFirst(place.name.count)
            } else {
                filled.append(first)
                rest = rest.dropFirst()
            }
        }
        return filled
    }
}
