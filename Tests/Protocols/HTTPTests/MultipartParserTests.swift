// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import HTTP

@Suite struct MultipartParserTests {
    /// Each part as `name|filename|type|body`, or nil where the body is refused.
    static func parse(
        _ text: String,
        boundary: String = "XX",
        step: Int,
        limits: MultipartParser.Limits = MultipartParser.Limits()
    ) -> [String]? {
        var parser = MultipartParser(boundary: boundary.utf8, limits: limits)
        let octets = Array(text.utf8)
        var parts: [String] = []
        var body = ByteBuffer()
        var input = ByteBuffer()
        var given = 0
        do throws(HTTPProblem) {
            while true {
                switch try parser.next(&input, body: &body) {
                case .part(let part):
                    let type = part.contentType.map { String(decoding: $0, as: UTF8.self) } ?? "-"
                    parts.append("\(part.name)|\(part.filename ?? "-")|\(type)|")
                case .body: break
                case .partEnd:
                    parts[parts.count - 1] += String(decoding: body.array(), as: UTF8.self)
                    body.removeAll()
                case .end: break
                case .needsInput:
                    let isTaken = input.isEmpty
                    #expect(isTaken)
                    guard given < octets.count else {
                        try parser.finish()
                        return parts
                    }
                    let end = min(given + step, octets.count)
                    input.append(octets[given..<end])
                    given = end
                }
            }
        } catch {
            return nil
        }
    }

    static func part(_ body: String, _ disposition: String = "form-data; name=\"a\"", more: String = "") -> String {
        "Content-Disposition: \(disposition)\r\n\(more)\r\n\(body)"
    }

    @Test(
        arguments: [
            ("--XX\r\n\(part("b"))\r\n--XX--\r\n", ["a|-|-|b"]),
            ("--XX\r\n\(part(""))\r\n--XX--", ["a|-|-|"]),
            ("--XX\r\n\(part("--XX--", more: "X: y\r\n"))", ["a|-|-|"]),
            ("preamble\r\n--XX \t\r\n\(part("1"))\r\n--XX\r\n\(part("2"))\r\n--XX--epilogue", ["a|-|-|1", "a|-|-|2"]),
            ("--XX\r\n\(part("\r\n"))\r\n--XX--\r\n", ["a|-|-|\r\n"]),
            ("--XX\r\n\(part("\r\n--X\r\n-\r\r\n--Xx-"))\r\n--XX--\r\n", ["a|-|-|\r\n--X\r\n-\r\r\n--Xx-"]),
            ("--XX\r\n\(part("--X-"))\r\n--XX--\r\n", ["a|-|-|--X-"]),
            ("--XX\r\n\(part("a\r\r\n--X\r\r"))\r\n--XX--\r\n", ["a|-|-|a\r\r\n--X\r\r"]),
            (
                "--XX\r\n\(part("x", "form-data; name=\"f\"; filename=\"a.txt\"", more: "Content-Type: text/plain\r\n"))\r\n--XX--",
                ["f|a.txt|text/plain|x"]
            ),
            ("--XX\r\n\(part("", "form-data; name=\"a\\\"b\\\\c\"; filename=\"\""))\r\n--XX--", ["a\"b\\c||-|"]),
            ("--XX\r\n\(part("", "form-data; name=a; filename=\"q%22d.pdf\""))\r\n--XX--", ["a|q\"d.pdf|-|"]),
            ("--XX\r\n\(part("", "form-data; name=a; filename=\"C:\\dir\\f\""))\r\n--XX--", ["a|C:\\dir\\f|-|"]),
            ("--XX\r\n\(part("", "form-data; name=\"é\"; filename=\"naïve ☃.txt\""))\r\n--XX--", ["é|naïve ☃.txt|-|"]),
            ("--XX\r\n\(part("", "form-data; name=a; filename=x; filename*=utf-8''%E2%98%83"))\r\n--XX--", ["a|☃|-|"]),
            ("--XX\r\n\(part("", "FORM-DATA ; Name=\"a\" ;"))\r\n--XX--", ["a|-|-|"]),
            ("--XX--", []),
            // Refused.
            ("", nil), ("--XX\r\n\(part("b"))", nil), ("--XX\r\n\(part("b"))\r\n--XX", nil),
            ("--XX\r\n\(part("b"))\r\n--XX-", nil), ("--XXY\r\n\(part("b"))\r\n--XX--", nil),
            ("--XX\n\(part("b"))\r\n--XX--", nil), ("--XX\r\n\r\nb\r\n--XX--", nil),
            ("--XX\r\nX: y\r\n\r\nb\r\n--XX--", nil), ("--XX\r\n\(part("b", "attachment; name=a"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", "form-data"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", "form-data; name=\"a"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", "form-data; name=a; name=b"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", more: " folded\r\n"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", more: "X : y\r\n"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", more: "X: a\nY: b\r\n"))\r\n--XX--", nil),
            ("--XX\r\n\(part("b", more: "Content-Disposition: form-data; name=b\r\n"))\r\n--XX--", nil),
        ] as [(String, [String]?)]
    )
    func forms(_ text: String, _ expected: [String]?) {
        for step in [max(text.utf8.count, 1), 1, 5] {
            #expect(Self.parse(text, step: step) == expected, "in pieces of \(step)")
        }
    }

    @Test func limitsHold() {
        var limits = MultipartParser.Limits()
        limits.parts = 2
        limits.headerOctets = 64
        limits.discardedOctets = 10
        let one = "--XX\r\n\(Self.part("b"))\r\n"
        #expect(Self.parse("\(one)\(one)--XX--", step: 7, limits: limits)?.count == 2)
        #expect(Self.parse("\(one)\(one)\(one)--XX--", step: 7, limits: limits) == nil)
        #expect(
            Self.parse(
                "--XX\r\n\(Self.part("b", more: "X: 0123456789012345678901234\r\n"))\r\n--XX--",
                step: 7,
                limits: limits
            ) == nil
        )
        #expect(Self.parse("01234567890\r\n\(one)--XX--", step: 7, limits: limits) == nil)
        #expect(Self.parse("\(one)--XX--01234567890", step: 7, limits: limits) == nil)
    }

    @Test func bodiesOfEveryOctetPassUnchanged() {
        var state: UInt32 = 7
        var text = ""
        for _ in 0..<4000 {
            state = state &* 1_664_525 &+ 1_013_904_223
            text += ["\r", "\n", "-", "Y", "\r\n--X", "\r\n--", "a"][Int(state >> 16) % 7]
        }
        let isUnchanged = Self.parse("--XX\r\n\(Self.part(text))\r\n--XX--", step: 3) == ["a|-|-|\(text)"]
        #expect(isUnchanged)
    }
}
