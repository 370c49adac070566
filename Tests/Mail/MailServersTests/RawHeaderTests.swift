// SPDX-License-Identifier: Apache-2.0

import IMAP
import Testing
import Wire

@testable import MailServers

@Suite struct RawHeaderTests {
    private let header = RawHeader(
        Array("Subject: a\r\n b\r\nX-One : 1\r\nno field\r\nSubject: c\r\nLast: d\r\n\r\n".utf8)
    )

    private func text(_ octets: [UInt8]?) -> String? { octets.map { String(decoding: $0, as: UTF8.self) } }

    @Test func fieldsAreFoundInAnyCase() {
        #expect(text(header.first("SUBJECT")) == "a b")
        #expect(text(header.first("x-one")) == "1")
        #expect(text(header.list("subject")) == "a b,c")
        #expect(header.first("To") == nil)
    }

    @Test(arguments: [
        (["subject"], false, "Subject: a\r\n b\r\nSubject: c\r\n\r\n"),
        (["subject", "LAST"], true, "X-One : 1\r\n\r\n"),
        ([], false, "\r\n"),
        (["to"], false, "\r\n"),
    ]) func fieldsAreSelected(_ names: [String], _ isNot: Bool, _ expected: String) {
        #expect(text(header.selected(names.map { Array($0.utf8) }, isNot: isNot)) == expected)
    }

    @Test func oddHeadersAreRead() {
        #expect(RawHeader([]).fields.isEmpty)
        #expect(RawHeader(Array(":\r\n : x\r\n\r\n".utf8)).fields.isEmpty)
        #expect(text(RawHeader(Array("A: b".utf8)).first("a")) == "b")
        #expect(text(RawHeader(Array("A: b".utf8)).selected([Array("a".utf8)], isNot: false)) == "A: b\r\n\r\n")
    }

    @Test func parametersAreToldAsTheyAreWritten() {
        let value = RawParameters(
            Array("Multipart/Mixed (c); boundary=\"a;\\\"b\" ; filename*0*=utf-8''x%20; empty=; flag; x=y (z)".utf8)
        )
        #expect(value.mediaType.map { [text($0.type), text($0.subtype)] } == ["Multipart", "Mixed"])
        let told = value.parameters.map { "\(text($0.name) ?? "-")=\(text($0.value) ?? "-")" }
        #expect(told == ["boundary=a;\"b", "filename*0*=utf-8''x%20", "empty=", "x=y"])
        #expect(RawParameters(Array("text".utf8)).mediaType == nil)
    }

    @Test(arguments: [
        ("Sat, 24 Mar 2007 23:00:00 +0200", "2007-03-24"), ("24 Mar 07 00:00 -0500", "2007-03-24"),
        ("Thu,  1 Jan 1970 23:59:59 -1200", "1970-01-01"), ("nothing", nil), ("", nil),
        ("Sun, 25-Mar-2007 01:00:00 GMT", "2007-03-25"),
    ]) func theDayOfADateIsThatWhichIsWritten(_ value: String, _ expected: String?) {
        let day = SentDay.read(Array(value.utf8)).map { "\(Timestamp(milliseconds: $0))" }
        #expect(day.map { String($0.prefix(10)) } == expected)
    }

    /// Whatever octets stand in a header, reading them ends and tells no more than they are.
    @Test func anyOctetsAreRead() {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func next(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        let pieces = [
            "From: ", "To:", "\r\n", "\n", " ", "\t", "\"", "\\", "<", ">", "@", ":", ";", ",", "(", ")", "[", "]",
            "=", "a", "B", "Content-Type: ", "text/plain", "*0*", "\u{FC}", "\0", "\r",
        ].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            let octets = (0..<next(40)).flatMap { _ in pieces[Int(next(UInt64(pieces.count)))] }
            let header = RawHeader(octets)
            #expect(header.fields.allSatisfy { $0.whole.upperBound <= octets.count && !$0.name.isEmpty })
            _ = IMAPEnvelope(header)
            #expect(EnvelopeAddresses.read(octets).count <= octets.count + 2)
            #expect(RawParameters(octets).parameters.count <= 100)
            _ = SentDay.read(octets)
        }
    }
}
