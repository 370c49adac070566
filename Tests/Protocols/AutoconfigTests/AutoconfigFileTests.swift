// SPDX-License-Identifier: Apache-2.0

import MailTypes
import TestSupport
import Testing

@testable import Autoconfig

@Suite struct AutoconfigFileTests {
    private func read(_ text: String, _ address: String = "ann.b@example.com") throws -> AutoconfigFile {
        try AutoconfigFile(Array(text.utf8), for: try #require(EmailAddress(address)))
    }

    private func file(_ servers: String) -> String {
        "<clientConfig version=\"1.1\"><emailProvider id=\"example.com\">\(servers)</emailProvider></clientConfig>"
    }

    private func imap(host: String = "imap.example.com", port: String = "993", socket: String = "SSL") -> String {
        """
        <incomingServer type="imap"><hostname>\(host)</hostname><port>\(port)</port><socketType>\(socket)</socketType>
        <username>u</username></incomingServer>
        """
    }

    @Test func serversComeInTheFilesOrder() throws {
        let found = try read(
            file(
                """
                <domain>example.com</domain><displayName>Example</displayName>
                <incomingServer type="imap">
                  <hostname> IMAP.%EMAILDOMAIN% </hostname><port> 993 </port><socketType>ssl</socketType>
                  <username>%EMAILADDRESS%</username>
                  <authentication>OAuth2</authentication><authentication>GSSAPI</authentication>
                  <authentication>password-cleartext</authentication><authentication>password-encrypted</authentication>
                </incomingServer>
                <incomingServer type="pop3"><hostname>pop.example.com</hostname><port>110</port>
                  <socketType>STARTTLS</socketType><username>%EMAILLOCALPART%</username></incomingServer>
                <outgoingServer type="smtp"><hostname>smtp.example.com</hostname><port>25</port>
                  <socketType>plain</socketType></outgoingServer>
                """
            )
        ).servers
        let expected: [AutoconfigServer] = [
            AutoconfigServer(
                service: .imap,
                host: "imap.example.com",
                port: 993,
                security: .implicit,
                username: "ann.b@example.com",
                authentications: [.oauth2, .password]
            ),
            AutoconfigServer(
                service: .pop3,
                host: "pop.example.com",
                port: 110,
                security: .starttls,
                username: "ann.b",
                authentications: []
            ),
            AutoconfigServer(
                service: .smtp,
                host: "smtp.example.com",
                port: 25,
                security: .none,
                username: nil,
                authentications: []
            ),
        ]
        #expect(found == expected)
    }

    /// An address is not a template.
    @Test func placeholdersAreFilledOnce() throws {
        let text = file(imap().replacing("<username>u", with: "<username>%EMAILLOCALPART%+%EMAILDOMAIN%%"))
        #expect(try read(text, "%EMAILDOMAIN%@example.com").servers.first?.username == "%EMAILDOMAIN%+example.com%")
    }

    @Test(arguments: [
        "", "nothing", "<html></html>", "<clientConfig/>", "<clientConfig><emailProviders/></clientConfig>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><clientConfig><emailProvider/></clientConfig>",
    ])
    func whatIsNoneIsRefused(_ text: String) { #expect(throws: AutoconfigFile.Problem.self) { try read(text) } }

    @Test func whatCannotBeAServerIsLeftOut() throws {
        let bad = [
            imap(host: ""), imap(host: "a b"), imap(host: "a/../b"), imap(host: "[::1]"), imap(host: "é.example"),
            imap(host: String(repeating: "a", count: 254)), imap(port: "0"), imap(port: "65536"), imap(port: "+993"),
            imap(port: "-1"), imap(port: ""), imap(port: "99999999999999999999"), imap(socket: "TLSish"),
            imap().replacing("\"imap\"", with: "\"exchange\""), imap().replacing("\"imap\"", with: "\"smtp\""),
            imap().replacing("type=\"imap\"", with: ""), "<incomingServer/>",
        ]
        for one in bad { #expect(try read(file(one)).servers.isEmpty, "\(one)") }
        #expect(try read(file(bad.joined() + imap())).servers.count == 1)
        let control = imap().replacing("<username>u", with: "<username>a&#10;b")
        #expect(try read(file(control)).servers.first?.username == nil)
    }

    @Test func aFileNamesManyServersInVain() throws {
        let found = try read(file(String(repeating: imap(), count: 100)))
        #expect(found.servers.count == AutoconfigFile.maximumServers)
    }
}
