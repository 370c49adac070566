// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Runtime
import Storage
import TestSupport
import Testing

@testable import Discovery

@Suite struct DiscoveryAgentTests {
    // MARK: Where servers stand

    @Test func aFileAtTheDomainIsSure() async throws {
        var place = Neighbourhood()
        place.pages["https://autoconfig.a.test/mail/config-v1.1.xml"] = .file(Neighbourhood.file("imap.b.test"))
        let found = try await place.find("ann@a.test")
        #expect(
            found.lines == [
                "imap imap.b.test:993 implicit ann autoconfig high",
                "smtp smtp.imap.b.test:465 implicit ann@a.test autoconfig high",
            ]
        )
        #expect(found.servers.map(\.credentials) == [[.password], [.oauth2]])
        #expect(found.sure(.imap)?.host == "imap.b.test")
        #expect(found.steps.contains { $0.source == .srv && $0.outcome == .nothing })
    }

    @Test func theAddressIsToldToNobodyInTheClear() async throws {
        var place = Neighbourhood()
        for scheme in ["https", "http"] {
            place.pages["\(scheme)://autoconfig.a.test/"] = .file("")
            place.pages["\(scheme)://a.test/"] = .file("")
        }
        let address = try #require(EmailAddress("ann+b@a.test"))
        let urls = try await place.run { agent, _, seen in
            _ = try await agent.servers(for: address)
            return seen.urls.withLock { $0 }
        }
        #expect(
            Set(urls) == [
                "https://autoconfig.a.test/mail/config-v1.1.xml?emailaddress=ann%2Bb%40a.test",
                "https://a.test/.well-known/autoconfig/mail/config-v1.1.xml",
                "http://autoconfig.a.test/mail/config-v1.1.xml",
                "http://a.test/.well-known/autoconfig/mail/config-v1.1.xml",
            ]
        )
    }

    @Test func recordsAreAsSureAsTheyStayInTheDomain() async throws {
        var place = Neighbourhood()
        place.srv(
            "_imaps._tcp.a.test",
            DNSResponder.srv(20, 0, 993, "z.a.test"),
            DNSResponder.srv(10, 0, 993, "y.a.test")
        )
        place.srv("_imap._tcp.a.test", DNSResponder.srv(0, 0, 143, "y.a.test"))
        place.srv("_pop3s._tcp.a.test", DNSResponder.srv(0, 0, 0, "."))
        place.srv("_submission._tcp.a.test", DNSResponder.srv(0, 0, 587, "smtp.b.test"))
        let found = try await place.find("ann@a.test")
        #expect(
            found.lines == [
                "imap y.a.test:993 implicit ann@a.test srv high", "imap z.a.test:993 implicit ann@a.test srv high",
                "imap y.a.test:143 starttls ann@a.test srv high",
                "smtp smtp.b.test:587 starttls ann@a.test srv medium",
            ]
        )
    }

    @Test func whatIsSaidInTheClearIsNotSure() async throws {
        var place = Neighbourhood()
        place.pages["http://a.test/.well-known/autoconfig/mail/config-v1.1.xml"] = .file(Neighbourhood.file("i.a.test"))
        let found = try await place.find("ann@a.test")
        #expect(found.lines.first == "imap i.a.test:993 implicit ann autoconfig low")
        #expect(found.sure(.imap) == nil)
    }

    @Test func serversInTheClearAreNotProposed() async throws {
        var place = Neighbourhood()
        place.pages["https://a.test/.well-known/autoconfig/mail/config-v1.1.xml"] = .file(
            Neighbourhood.file("i.a.test", port: 143, socket: "plain")
        )
        #expect(try await place.find("ann@a.test").lines.map { $0.prefix(4) } == ["smtp"])
    }

    @Test func whoTakesTheMailMayBeKnown() async throws {
        var place = Neighbourhood()
        place.mx("a.test", "aspmx.l.google.com")
        let found = try await place.find("ann@a.test")
        #expect(found.provider == .google)
        #expect(found.lines.first == "imap imap.gmail.com:993 implicit ann@a.test provider medium")
        #expect(try await Neighbourhood().find("ann@gmail.com").lines.first?.hasSuffix("provider high") == true)
    }

    @Test func whoTakesTheMailIsAskedInstead() async throws {
        var place = Neighbourhood()
        place.mx("a.test", "mx1.mail.host.test")
        place.pages["https://autoconfig.host.test/mail/config-v1.1.xml"] = .file(Neighbourhood.file("i.host.test"))
        place.mx("host.test", "mx.a.test")
        #expect(try await place.find("ann@a.test").lines.first == "imap i.host.test:993 implicit ann autoconfig low")
    }

    @Test func theDatabaseIsAskedOnlyIfItIsNamed() async throws {
        var place = Neighbourhood()
        place.pages["https://db.test/v1.1/a.test"] = .file(Neighbourhood.file("i.a.test"))
        #expect(try await place.find("ann@a.test").servers.isEmpty)
        place.configuration.database = "https://db.test:443/v1.1/"
        #expect(try await place.find("ann@a.test").lines.first == "imap i.a.test:993 implicit ann database medium")
    }

    // MARK: Others' malice

    @Test(
        arguments: [
            .flood(10_000_000), .redirect("http://169.254.169.254/latest/meta-data/"), .redirect("https://10.0.0.1/"),
            .redirect("http://autoconfig.a.test/mail/config-v1.1.xml"), .redirect("/mail/config-v1.1.xml"),
            .redirect("file:///etc/passwd"), .redirect("//x"), .redirect(""), .silence, .file(""),
            .file("<clientConfig>"),
            .file(
                """
                <!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
                \(Neighbourhood.file("&b;"))
                """
            ),
            .file(Neighbourhood.file("127.0.0.1")), .file(Neighbourhood.file("2130706433")),
            .file(Neighbourhood.file("i.test", port: 70_000)),
        ] as [Neighbourhood.Page]
    )
    func aFileThatIsNoneFindsNoMailbox(_ page: Neighbourhood.Page) async throws {
        var place = Neighbourhood()
        place.configuration.stepMilliseconds = 1000
        place.pages["https://autoconfig.a.test/mail/config-v1.1.xml"] = page
        // Were it followed into the clear, it would be found as sure.
        place.pages["http://autoconfig.a.test/mail/config-v1.1.xml"] = .silence
        let found = try await place.find("ann@a.test")
        #expect(found.sure(.imap) == nil, "\(found.lines)")
    }

    @Test func aRedirectionWithinTLSIsFollowedTwice() async throws {
        var place = Neighbourhood()
        let (a, b, c) = ("https://autoconfig.a.test/mail/config-v1.1.xml", "/b.xml", "/c.xml")
        place.pages[a] = .redirect(b)
        place.pages["https://autoconfig.a.test/b.xml"] = .file(Neighbourhood.file("i.a.test"))
        #expect(try await place.find("ann@a.test").sure(.imap)?.host == "i.a.test")
        place.pages["https://autoconfig.a.test/b.xml"] = .redirect(c)
        place.pages["https://autoconfig.a.test/c.xml"] = .redirect("/d.xml")
        place.pages["https://autoconfig.a.test/d.xml"] = .file(Neighbourhood.file("i.a.test"))
        #expect(try await place.find("ann@a.test").sure(.imap) == nil)
    }

    @Test func aPrivateNetworkIsNotAsked() async throws {
        var place = Neighbourhood()
        place.allowed = []
        place.pages["https://autoconfig.a.test/mail/config-v1.1.xml"] = .file(Neighbourhood.file("i.a.test"))
        let address = try #require(EmailAddress("ann@a.test"))
        let (found, urls) = try await place.run { agent, _, seen in
            (try await agent.servers(for: address), seen.urls.withLock { $0 })
        }
        #expect(found.servers.isEmpty)
        #expect(urls.isEmpty)
    }

    @Test func recordsThatPointAtEachOtherEnd() async throws {
        var place = Neighbourhood()
        place.srv(
            "_imaps._tcp.a.test",
            DNSResponder.srv(0, 0, 993, "_imaps._tcp.a.test"),
            [],
            [0, 0],
            [UInt8](repeating: 0xC0, count: 9)
        )
        place.mx("a.test", "a.test")
        let found = try await place.find("ann@a.test")
        #expect(found.servers.count <= 1)
    }

    // MARK: Keeping it

    @Test func whatIsKnownIsNotAskedAgain() async throws {
        var place = Neighbourhood()
        place.srv("_imaps._tcp.a.test", DNSResponder.srv(0, 0, 993, "i.a.test"))
        let address = try #require(EmailAddress("ann@a.test"))
        let (together, once) = try await place.run { agent, responder, _ in
            async let first = agent.servers(for: address)
            async let second = agent.servers(for: address)
            let same = try await first == second
            _ = try await agent.servers(for: address)
            return (same, responder.count("_imaps._tcp.a.test", type: 33))
        }
        #expect(together)
        #expect(once == 1)
    }

    @Test func onlySoManyAreLookedIntoAtOnce() async throws {
        var place = Neighbourhood()
        place.configuration.concurrency = 0
        await #expect(throws: DiscoveryAgent.Busy.self) { try await place.find("ann@a.test") }
    }
}
