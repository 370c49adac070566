// SPDX-License-Identifier: Apache-2.0

import IMAP
import Testing

@testable import MailServers

@Suite struct EnvelopeAddressesTests {
    /// `name|route|mailbox|host` for each, `-` for NIL.
    private func told(_ value: String) -> [String] {
        EnvelopeAddresses.read(Array(value.utf8)).map { address in
            [address.name, address.route, address.mailbox, address.host].map { part in
                part.map { String(decoding: $0, as: UTF8.self) } ?? "-"
            }.joined(separator: "|")
        }
    }

    @Test(arguments: [
        ("user@domain", ["-|-|user|domain"]),
        ("Real Name <user@domain>", ["Real Name|-|user|domain"]),
        ("\"Name, \\\"Real\\\"\" <user@domain>", ["Name, \"Real\"|-|user|domain"]),
        ("=?utf-8?q?N=C3=A4me?= <user@domain>", ["=?utf-8?q?N=C3=A4me?=|-|user|domain"]),
        ("user@domain (Real Name)", ["Real Name|-|user|domain"]),
        ("<@a,@b:user@domain>", ["-|@a,@b|user|domain"]),
        ("\"quoted local\"@domain", ["-|-|quoted local|domain"]),
        ("\"a@b\" <c@d>, e@[IPv6:::1]", ["a@b|-|c|d", "-|-|e|[IPv6:::1]"]),
        (
            "group: g1@d1.org, G <g2@d2.org>;, x@y",
            ["-|-|group|-", "-|-|g1|d1.org", "G|-|g2|d2.org", "-|-|-|-", "-|-|x|y"]
        ),
        ("undisclosed recipients:;", ["-|-|undisclosed recipients|-", "-|-|-|-"]),
        ("nobody", ["-|-|nobody|"]),
        ("", []),
        (",, ,", []),
        ("(only a comment)", []),
        ("a@b <c@d> trailing, e@f", ["a@b|-|c|d", "-|-|e|f"]),
        ("unclosed <a@b", ["unclosed|-|a|b"]),
        ("\"unclosed", ["-|-|unclosed|"]),
        ("open: a@b", ["-|-|open|-", "-|-|a|b", "-|-|-|-"]),
    ]) func addressesAreToldAsTheyAreWritten(_ value: String, _ expected: [String]) {
        #expect(told(value) == expected)
    }

    @Test func noMoreThanAThousandAreTold() {
        #expect(told(Array(repeating: "a@b", count: 3000).joined(separator: ",")).count == 1000)
    }

    @Test func whatAHeaderLeavesOutIsWhatFromIs() {
        let header = RawHeader(
            Array("From: A <a@b>\r\nSender:\r\nSubject:  two\r\n lines \r\nTo: c@d\r\nTo: e@f\r\n\r\n".utf8)
        )
        let envelope = IMAPEnvelope(header)
        #expect(envelope.sender == envelope.from && envelope.replyTo == envelope.from)
        #expect(envelope.subject.map { String(decoding: $0, as: UTF8.self) } == "two lines")
        #expect(envelope.to.count == 2)
        #expect(envelope.cc.isEmpty && envelope.date == nil)
    }
}
