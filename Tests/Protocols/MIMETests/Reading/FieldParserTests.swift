// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import MIME

@Suite struct DateParserTests {
    private func read(_ text: String) -> String? { DateParser.parse(Array(text.utf8)[...])?.description }

    @Test(arguments: [
        ("Tue, 1 Jul 2003 10:52:37 +0200", "2003-07-01T08:52:37.000Z"),
        ("1 Jul 2003 10:52 GMT", "2003-07-01T10:52:00.000Z"),
        (
            "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
            "1969-02-14T03:02:00.000Z"
        ),
        ("21 Nov 97 09:55:06 EST", "1997-11-21T14:55:06.000Z"),
        ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", "1997-11-21T15:55:06.000Z"),
        ("Mon, 29 Feb 2016 23:59:60 Z", "2016-03-01T00:00:00.000Z"),
        ("Sat Jul  6 12:00:00 1996", "1996-07-06T12:00:00.000Z"),
        ("06-Jul-1996 12:00:00 +0000", "1996-07-06T12:00:00.000Z"),
        ("Sat, 6 Jul 1996 3:04:05 PM GMT", "1996-07-06T15:04:05.000Z"),
        ("2026-04-01T09:30:00+02:00", "2026-04-01T07:30:00.000Z"),
        ("Wed, 01 April 2026 09:30:00 GMT+2", "2026-04-01T07:30:00.000Z"),
        ("1 Jan 00 00:00:00 +0000", "2000-01-01T00:00:00.000Z"),
        ("1 Jan 104 00:00 UT", "2004-01-01T00:00:00.000Z"),
        ("Mon, 1 Jan 2024", "2024-01-01T00:00:00.000Z"), ("7 Apr 2026 10:00:t", "2026-04-07T10:00:00.000Z"),
    ]) func reads(_ field: String, _ expected: String) { #expect(read(field) == expected) }

    @Test(arguments: [
        "", "yesterday", "31 Feb 2024 00:00 +0000", "0 Jan 2024", "some numbers 0 1 2", "1 Jul", ":::", "+0200",
    ])
    func junkIsNoDate(_ field: String) { #expect(read(field) == nil) }

    private struct Vector: Decodable {
        let header: String
        let expected: Fields?
        struct Fields: Decodable {
            let year, month, day, hour, minute, second, tz_hour, tz_minute: Int
            let tz_before_gmt: Bool
        }
    }

    /// 21 of 24 agree.
    ///
    /// Months as numbers are not read here, and a date with junk behind it is.
    @Test(.enabled(if: TestData.root != nil)) func agreesWithAnotherReader() throws {
        let data = Data(try TestData.bytes("mime/mail-parser/header-fields/date.json"))
        let vectors = try JSONDecoder().decode([Vector].self, from: data)
        var agreeing = 0
        for vector in vectors {
            let wanted = vector.expected.flatMap { fields in
                let offset = fields.tz_hour * 60 + fields.tz_minute
                return Timestamp(
                    Timestamp.Civil(
                        year: fields.year,
                        month: fields.month,
                        day: fields.day,
                        hour: fields.hour,
                        minute: fields.minute,
                        second: fields.second
                    ),
                    offsetMinutes: fields.tz_before_gmt ? -offset : offset
                )
            }
            if DateParser.parse(Array(vector.header.utf8)[...]) == wanted { agreeing += 1 }
        }
        #expect(vectors.count == 24)
        #expect(agreeing >= 21, "\(agreeing) of \(vectors.count)")
    }
}

@Suite struct ParameterParserTests {
    private func parameters(_ text: String) -> [String] {
        ParameterParser(Array(text.utf8)[...]).parameters.map { "\($0.name)=\($0.value)" }
    }

    @Test(arguments: [
        ("text/plain; charset=us-ascii (Plain text)", ["charset=us-ascii"]),
        ("a/b; Name=\"a;b\\\"c\"; x = y ;", ["name=a;b\"c", "x=y"]),
        ("a/b; name=foo bar.pdf; z=1", ["name=foo bar.pdf", "z=1"]),
        ("a/b; name=\"open", ["name=open"]),
        ("a/b; name=\"=?utf-8?q?=C3=A9.txt?=\"", ["name=é.txt"]),
        ("a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun", ["title=This is ***fun"]),
        ("a/b; t*1*=%20b; t*0*=utf-8''%C3%A4; t*2=\" c\"", ["t=ä b c"]),
        ("a/b; url*0=\"ftp://\"; url*1=\"x.test\"", ["url=ftp://x.test"]),
        ("a/b; n*0*=utf-8''%F0%9F; n*1*=%98%80", ["n=😀"]),
        ("a/b; n=plain; n*=utf-8''better", ["n=better"]),
        ("a/b; n*=%ZZ", ["n=%ZZ"]),
        ("a/b; ; =x; flag; k=v", ["k=v"]),
        ("a/b; n=a; n=b", ["n=a"]),
    ]) func reads(_ field: String, _ expected: [String]) { #expect(parameters(field) == expected) }

    @Test func moreThanTheLimitIsSaidAndNotRead() {
        let many = ParameterParser(Array(("a/b" + (0..<300).map { "; p\($0)=1" }.joined()).utf8)[...])
        #expect(many.parameters.count == 100)
        #expect(many.sawTooMany)
    }

    @Test(.timeLimit(.minutes(20)), arguments: ["; a=\"", "(", "; a*0=x", ";", "\"", "=", "; a*0*=%"])
    func anythingRepeatedTakesLinearTime(_ piece: String) {
        _ = parameters("a/b" + String(repeating: piece, count: 100_000))
    }

    private struct Vector: Decodable {
        let header: String
        let expected: Fields?
        struct Fields: Decodable {
            let c_type: String
            let c_subtype: String?
            let attributes: [[String]]?
        }
    }

    /// 33 of 46 agree.
    ///
    /// Where they do not, a type without a subtype is no type here, the language of a parameter is a parameter there,
    /// blanks between encoded words are kept there, or something is read out of a missing semicolon.
    @Test(.enabled(if: TestData.root != nil)) func agreesWithAnotherReader() throws {
        let data = Data(try TestData.bytes("mime/mail-parser/header-fields/content_type.json"))
        let vectors = try JSONDecoder().decode([Vector].self, from: data)
        var agreeing = 0
        for vector in vectors {
            let parsed = ParameterParser(Array(vector.header.utf8)[...])
            let type = ContentType.parse(parsed)
            let found = parsed.parameters.map { [$0.name, $0.value] }
            let wanted = vector.expected?.attributes ?? []
            if type?.type == vector.expected?.c_type.lowercased(),
                type?.subtype == vector.expected?.c_subtype?.lowercased(),
                Set(found) == Set(wanted)
            {
                agreeing += 1
            }
        }
        #expect(vectors.count == 46)
        #expect(agreeing >= 33, "\(agreeing) of \(vectors.count)")
    }
}

@Suite struct MessageIDParserTests {
    @Test(arguments: [
        ("<1234@local.test>", ["<1234@local.test>"]),
        (" <a@b>\r\n\t<c@d> (comment) <e @ f>", ["<a@b>", "<c@d>", "<e@f>"]),
        ("a@b c@d", ["<a@b>", "<c@d>"]),
        ("<>", []), ("", []), ("junk", []), ("<<a@b>>", ["<a@b>"]),
    ]) func reads(_ field: String, _ expected: [String]) {
        #expect(MessageIDParser.parse(Array(field.utf8)[...]) == expected)
    }
}
