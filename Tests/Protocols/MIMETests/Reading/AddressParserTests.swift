// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import MIME

@Suite struct AddressParserTests {
    private func parse(_ text: String) -> AddressParser { AddressParser.parse(Array(text.utf8)[...]) }

    /// `name|address|group`.
    private func shown(_ text: String) -> [String] {
        parse(text).addresses.map { "\($0.name ?? "-")|\($0.address)|\($0.group ?? "-")" }
    }

    @Test(arguments: [
        ("jdoe@one.test", ["-|jdoe@one.test|-"]),
        ("John Doe <jdoe@one.test>", ["John Doe|jdoe@one.test|-"]),
        ("\"Doe, John\" <j@x.test>, b@y.test", ["Doe, John|j@x.test|-", "-|b@y.test|-"]),
        (
            "A Group:Ed <c@a.test>,joe@w.test;, z@z.test",
            ["Ed|c@a.test|A Group", "-|joe@w.test|A Group", "-|z@z.test|-"]
        ),
        ("undisclosed-recipients:;", ["-||undisclosed-recipients"]),
        ("j@x.test (John (Jr) Doe)", ["John (Jr) Doe|j@x.test|-"]),
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", ["Pete|pete@silly.test|-"]),
        ("Mary . Smith <@node.test,@b.test:mary@x.test>", ["Mary . Smith|mary@x.test|-"]),
        ("john . doe @ example . test", ["-|john.doe@example.test|-"]),
        ("\"a b\"@x.test", ["-|\"a b\"@x.test|-"]),
        ("=?utf-8?q?J=C3=B6rg?= <j@x.test>", ["Jörg|j@x.test|-"]),
        ("=?utf-8?q?evil=40a.test=3E?= <j@x.test>", ["evil@a.test>|j@x.test|-"]),
        ("=?utf-8?q?a=40b.test?=", ["a@b.test||-"]),
        ("<=?utf-8?q?a?=@x.test>", ["-|=?utf-8?q?a?=@x.test|-"]),
        ("j@x.test <j@x.test>", ["j@x.test|j@x.test|-"]),
        ("John j@x.test", ["John|j@x.test|-"]),
        ("<j@x.test", ["-|j@x.test|-"]),
        ("\"open <j@x.test>", ["\"open|j@x.test|-"]),
        ("(open <j@x.test>", ["(open|j@x.test|-"]),
        ("a@[IPv6:::1], b@[127.0.0.1]", ["-|a@[IPv6:::1]|-", "-|b@[127.0.0.1]|-"]),
        ("root", ["-|root|-"]),
        ("a@x.test; b@y.test", ["-|a@x.test|-", "-|b@y.test|-"]),
        ("<>", []), ("", []), (",,;", []), ("()", []),
    ]) func reads(_ field: String, _ expected: [String]) { #expect(shown(field) == expected) }

    @Test func moreThanTheLimitIsSaidAndNotRead() {
        let many = parse(Array(repeating: "a@b.test", count: 1_500).joined(separator: ","))
        #expect(many.addresses.count == 1_000)
        #expect(many.sawTooMany)
    }

    @Test(
        .timeLimit(.minutes(20)),
        arguments: ["(", "\"", "<", "a:", "[", "\\", "(a", "\"a\\", "@", "a@[", "<(", "=?a?q?"]
    )
    func anythingRepeatedTakesLinearTime(_ piece: String) { _ = parse(String(repeating: piece, count: 200_000)) }

    private struct Vector: Decodable {
        let header: String
        let expected: Expected

        struct Expected: Decodable {
            let List: [Mailbox]?
            let Group: [Group]?
        }
        struct Group: Decodable {
            let name: String?
            let addresses: [Mailbox]
        }
        struct Mailbox: Decodable {
            let name: String?
            let address: String?
        }
    }

    /// 25 of 33 agree.
    ///
    /// Where they do not, comments beside a name are added to it there, routes and folds are kept in addresses, or
    /// blanks at the ends of a quoted name.
    /// At each colon it matters whether an at sign came before: looking back each time would take hours.
    @Test func aMillionColonsAreReadOnce() {
        let colons = String(repeating: ":", count: 1_000_000)
        #expect(parse("@" + colons).addresses.count <= 1)
        #expect(parse("\"@\"" + colons).addresses.count <= 1)
    }

    @Test(.enabled(if: TestData.root != nil)) func agreesWithAnotherReader() throws {
        let data = Data(try TestData.bytes("mime/mail-parser/header-fields/address.json"))
        let vectors = try JSONDecoder().decode([Vector].self, from: data)
        var agreeing = 0
        for vector in vectors {
            let found = parse(vector.header).addresses.filter { !$0.address.isEmpty || $0.name != nil }
            let wanted =
                vector.expected.List ?? vector.expected.Group?.flatMap(\.addresses) ?? []
            let agrees = found.map { [$0.name ?? "", $0.address] } == wanted.map { [$0.name ?? "", $0.address ?? ""] }
            if agrees { agreeing += 1 }
        }
        #expect(vectors.count == 33)
        #expect(agreeing >= 25, "\(agreeing) of \(vectors.count)")
    }

    private struct EMail: Decodable {
        let address: String
        let category: String
    }

    /// Controls are shown there as their pictures, U+2400 on.
    @Test(.enabled(if: TestData.root != nil)) func whatRFC5322AllowsIsOneMailbox() throws {
        let vectors = try JSONDecoder().decode(
            [EMail].self,
            from: Data(try TestData.bytes("address/isemail/isemail.json"))
        )
        var read = 0
        for vector in vectors where vector.category != "ISEMAIL_ERR" {
            let scalars = vector.address.unicodeScalars.map {
                (0x2400...0x2421).contains($0.value) ? Unicode.Scalar(UInt8($0.value - 0x2400)) : $0
            }
            let text = String(String.UnicodeScalarView(scalars))
            let addresses = parse(text).addresses
            #expect(addresses.count == 1, "\(text.debugDescription)")
            #expect(addresses.first?.address.contains("@") == true, "\(text.debugDescription) \(addresses)")
            read += 1
        }
        #expect(read == 47)
    }
}
