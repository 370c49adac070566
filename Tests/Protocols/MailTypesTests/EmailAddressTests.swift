// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import MailTypes

@Suite struct EmailAddressTests {
    private func parse(_ text: String, allowingUTF8: Bool = true) -> Result<EmailAddress, AddressSyntaxError> {
        do throws(AddressSyntaxError) {
            return .success(try EmailAddress(Array(text.utf8).span, allowingUTF8: allowingUTF8))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: [
        ("a@b", "a@b"), ("Ann.Lee@Example.ORG", "Ann.Lee@example.org"), ("a+b@x-y.z1", "a+b@x-y.z1"),
        ("\"a b\"@x", "\"a b\"@x"), ("\"ab\"@x", "ab@x"), ("\"\\a\\\"\"@x", "\"a\\\"\"@x"), ("\"\"@x", "\"\"@x"),
        ("\"a.b\"@x", "a.b@x"), ("\"a@b\"@x", "\"a@b\"@x"), ("a@[127.0.0.1]", "a@[127.0.0.1]"),
        ("a@[ipv6:2001:DB8:0:0:0:0:0:1]", "a@[IPv6:2001:db8::1]"), ("a@[IPv6:::]", "a@[IPv6:::]"),
        ("a@[IPv6:::ffff:192.0.2.1]", "a@[IPv6:::ffff:c000:201]"), ("жанна@пример.рф", "жанна@пример.рф"),
        ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x"),
    ])
    func canonicalText(_ text: String, _ canonical: String) throws {
        let address = try parse(text).get()
        #expect(address.description == canonical)
        #expect(try parse(canonical).get() == address)
    }

    @Test(
        arguments: [
            ("", .badLocalPart), ("a", .missingAt), ("@x", .badLocalPart), ("a@", .badDomain), (".a@x", .badLocalPart),
            ("a.@x", .badLocalPart), ("a..b@x", .badLocalPart), ("a b@x", .badLocalPart), ("a@b@c", .badDomain),
            ("a@b.", .badDomain), ("a@.b", .badDomain), ("a@-b", .badDomain), ("a@b-", .badDomain),
            ("a@b_c", .badDomain),
            ("a@b c", .badDomain), ("\"a@x", .badLocalPart), ("\"a\"b@x", .badLocalPart),
            ("\"a\r\n\"@x", .badLocalPart),
            ("a\u{0}@x", .badLocalPart), ("a@x\r\n", .badDomain), ("a@[1.2.3]", .badDomain),
            ("a@[1.2.3.256]", .badDomain),
            ("a@[01.2.3.4]", .badDomain), ("a@[IPv6:1::2::3]", .badDomain), ("a@[IPv6:1:2:3:4:5:6:7::]", .badDomain),
            ("a@[IPv6:1:2:3:4:5:6:7:8:9]", .badDomain), ("a@[IPv6:]", .badDomain), ("a@[IPv6:1:]", .badDomain),
            ("a@[x:y]", .badDomain), ("a@[1.2.3.4", .badDomain), ("<a@b>", .badLocalPart), ("a@\u{85}x", .badUTF8),
            ("a@x\u{3002}y", .badUTF8), ("a\u{202E}b@x", .badUTF8),
            (String(repeating: "a", count: 65) + "@x", .localPartTooLong),
            ("a@" + String(repeating: "b", count: 64), .domainTooLong),
        ] as [(String, AddressSyntaxError)]
    )
    func refused(_ text: String, _ error: AddressSyntaxError) {
        #expect(parse(text) == .failure(error))
    }

    @Test func lengthLimits() throws {
        let label = String(repeating: "b", count: 63)
        let longest =
            String(repeating: "a", count: 64) + "@"
            + [label, label, String(repeating: "c", count: 61)].joined(separator: ".")
        #expect(longest.utf8.count == 254)
        #expect(try parse(longest).get().octets.count == 254)
        #expect(parse(longest + "c") == .failure(.addressTooLong))
    }

    @Test func octetsAbove7FNeedTheExtension() {
        #expect(parse("ö@x", allowingUTF8: false) == .failure(.notASCII))
        #expect(parse("o@ö", allowingUTF8: false) == .failure(.notASCII))
        #expect((try? EmailAddress([0xC3, 0x40, 0x78].span)) == nil)
        #expect((try? EmailAddress([0xC0, 0xAF, 0x40, 0x78].span)) == nil)
    }

    @Test func composedAndDecomposedAreDifferent() {
        #expect(EmailAddress("caf\u{E9}@x") != EmailAddress("cafe\u{301}@x"))
        #expect(EmailAddress("\u{212A}@x")?.folded == Array("\u{212A}@x".utf8))
    }

    @Test func tagIsLeftOut() {
        #expect(EmailAddress("ann+x+y@b")?.withoutTag == EmailAddress("ann@b"))
        #expect(EmailAddress("ann@b")?.withoutTag == nil)
        #expect(EmailAddress("+x@b")?.withoutTag == nil)
    }

    @Test(arguments: [
        ("ANN@B.test", true), ("ann+x@b.test", true), ("Ann+X+y@b.test", true), ("bob@b.test", false),
        ("ann@c.test", false), ("ann+x@c.test", false), ("\"ann\"@b.test", true), ("+ann@b.test", false),
    ])
    func ownsItselfAndItsTags(_ other: String, _ owns: Bool) throws {
        let ann = try #require(EmailAddress("ann@b.test"))
        #expect(ann.owns(try #require(EmailAddress(other))) == owns)
    }

    private struct Vector: Decodable {
        let address: String
        let category: String
        let diagnosis: String
    }

    /// Fit for the envelope unmodified are three of the data's categories; its control pictures stand for controls.
    @Test(.enabled(if: TestData.root != nil)) func isemailVectors() throws {
        let vectors = try JSONDecoder().decode(
            [Vector].self,
            from: Data(TestData.bytes("address/isemail/isemail.json"))
        )
        #expect(vectors.count > 80)
        for vector in vectors {
            let text = String(
                String.UnicodeScalarView(
                    vector.address.unicodeScalars.map {
                        (0x2400...0x241F).contains($0.value) ? Unicode.Scalar(UInt8($0.value - 0x2400)) : $0
                    }
                )
            )
            let fit = ["ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"].contains(vector.category)
            #expect((EmailAddress(text) != nil) == fit, "\(vector.address) \(vector.diagnosis)")
        }
    }
}
