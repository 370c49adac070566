// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import MIME

/// Messages are written here with `|` at the line ends that are to be CRLF.
@Suite struct MIMEParserTests {
    static func octets(_ text: String) -> [UInt8] {
        Array(text.replacing("|\n", with: "\r\n").utf8)
    }

    private func parse(_ text: String) -> MIMEMessage { MIMEParser.parse(Self.octets(text)) }

    /// `path type body`.
    private func leaves(_ text: String) -> [String] {
        let octets = Self.octets(text)
        let message = MIMEParser.parse(octets)
        return message.parts.filter(\.isLeaf).map { part in
            let body = message.body(of: part, in: octets)
            return "\(part.path) \(part.contentType.essence) \(String(decoding: body, as: UTF8.self))"
        }
    }

    private func codes(_ text: String) -> [String] {
        parse(text).defects.map { "\($0.code.rawValue) \($0.part ?? "-")" }
    }

    static let nested = """
        Subject: outer|
        Content-Type: multipart/mixed; boundary=a|
        |
        preamble|
        --a|
        |
        one|
        --a  |
        Content-Type: multipart/alternative; boundary="b b"|
        |
        --b b|
        |
        two|
        |
        --b b|
        Content-Type: text/html|
        |
        three|
        --b b--|
        --a|
        Content-Type: message/rfc822|
        |
        Subject: inner|
        Content-Type: multipart/mixed; boundary=c|
        |
        --c|
        Content-Type: image/png|
        Content-Transfer-Encoding: base64|
        Content-Disposition: attachment; filename="../../p.png"|
        Content-ID: <x@y>|
        |
        AAEC|
        --c--|
        --a--|
        epilogue|
        --a|

        """

    @Test func partsHaveIMAPsNumbersAndTheirOctets() {
        #expect(
            leaves(Self.nested) == [
                "1 text/plain one", "2.1 text/plain two\r\n", "2.2 text/html three", "3.1 image/png AAEC",
            ]
        )
        let message = parse(Self.nested)
        #expect(message.parts.map(\.path) == ["0", "1", "2", "2.1", "2.2", "3", "3.0", "3.1"])
        #expect(message.parts.map(\.parent) == [nil, 0, 0, 2, 2, 0, 5, 6])
        #expect(message.defects == [])
        #expect(message.envelope.subject == "outer")
        let picture = message.part("3.1")
        #expect(picture?.decodedSize == 3)
        #expect(picture?.filename == "../../p.png")
        #expect(picture?.safeFilename == "p.png")
        #expect(picture?.contentID == "x@y")
        #expect(message.part("2.1")?.lines == 2)
        #expect(message.part("1")?.lines == 1)
        #expect(message.part("3")?.lines == 11)
    }

    @Test func rolesAreTextHTMLAndAttachments() {
        let message = parse(Self.nested)
        #expect(message.roles() == [.none, .text, .none, .text, .html, .attachment, .none, .none])
        #expect(message.hasAttachments)
    }

    @Test(arguments: [
        ("text\n\nwithout header", ["1 text/plain text\n\nwithout header"], ["header_separator_missing 1"]),
        ("A: b\nbroken line\nC: d\n\nx", ["1 text/plain x"], ["header_line_malformed 1"]),
        ("From me@x Thu\nA: b\n\nx", ["1 text/plain x"], ["mbox_from_line -"]),
        ("\nbody", ["1 text/plain body"], []),
        ("A: b", ["1 text/plain "], []),
        ("", ["1 text/plain "], []),
        ("junk\nFrom: a@b\n\nx", ["1 text/plain x"], ["header_line_malformed 1"]),
        ("junk\nX-Y: z\n\nx", ["1 text/plain junk\nX-Y: z\n\nx"], ["header_separator_missing 1"]),
        ("junk\nX-Y: z", ["1 text/plain junk\nX-Y: z"], ["header_separator_missing 1"]),
        ("Content-Type: multipart/mixed\n\nx", ["1 text/plain x"], ["boundary_missing 1"]),
        ("Content-Type: multipart/mixed; boundary=a\n\nx\n", ["1 multipart/mixed x\n"], ["boundary_not_found 0"]),
        ("Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx", ["1 text/plain x"], ["close_delimiter_missing 0"]),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nX: y\n--a\n\nz\n--a--",
            ["1 text/plain ", "2 text/plain z"], []
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n-- a\n a\n --a\n--A\n--a--",
            ["1 text/plain x\n-- a\n a\n --a\n--A"], []
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a one\n\nx\n--ab\n\ny\n--a-\n\nz\n--a--end",
            ["1 text/plain x", "2 text/plain y", "3 text/plain z"], ["boundary_trailing_text 0"]
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n--a\n\nx\n--a--", ["1 text/plain x"],
            ["header_separator_missing 0"]
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n--b\n\n--a\n\nx\n--a--", ["1 text/plain x"],
            ["header_line_malformed 0"]
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\nHello,\nNote: x\n\ny\n--a--",
            ["1 text/html Hello,\nNote: x\n\ny"], ["header_separator_missing 1"]
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nHello\n--a--", ["1 text/plain Hello"],
            ["header_separator_missing 1"]
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\njunk\nTo: x\nContent-Type: text/html\n\ny\n--a--",
            ["1 text/html y"], ["header_line_malformed 1"]
        ),
        (
            "Content-Type: multipart/digest; boundary=a\n\n--a\nContent-Type: message/rfc822\nhello\n--a--",
            ["1.1 text/plain hello"], ["header_separator_missing 1", "header_separator_missing 1.1"]
        ),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n--a\nContent-Type: image/png\n--a--",
            ["1 multipart/mixed --a\n--a\nContent-Type: image/png\n--a--"], ["boundary_not_found 0"]
        ),
        ("Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: s\n\nx\n--a--", ["1.1 text/plain x"], []),
        ("Content-Type: multipart/mixed; boundary=a--\n\n--a--\n\nx\n--a----", ["1 text/plain x"], []),
        (
            "Content-Type: junk\nContent-Transfer-Encoding: rot13\n\nx", ["1 text/plain x"],
            ["content_type_malformed 1", "transfer_encoding_unknown 1"]
        ),
        ("Content-Type: text/html\nContent-Type: text/plain\n\nx", ["1 text/html x"], ["content_type_duplicate 1"]),
        ("Content-Type: text/plain; charset=x-none\n\nx", ["1 text/plain x"], ["charset_unknown 1"]),
        (
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogYg==",
            ["1.1 text/plain "], ["message_encoded 1"]
        ),
        ("Content-Transfer-Encoding: base64\n\n!!!!", ["1 text/plain !!!!"], ["base64_malformed 1"]),
        (
            "A: b\n\nhi\nbegin 644 f.txt\n#0V%T\nend\n", ["1 text/plain hi\nbegin 644 f.txt\n#0V%T\nend\n"],
            ["uuencoded_block 1"]
        ),
        ("A: b\n\nbegin with a word\n", ["1 text/plain begin with a word\n"], []),
        (
            "Date: x\nFrom: @\nMessage-ID: x\nSubject: a\nSubject: b\n\n", ["1 text/plain "],
            ["address_malformed -", "header_duplicate -", "date_malformed -", "message_id_malformed -"]
        ),
    ]) func oddMessagesAreReadInOneWayAndNamed(_ text: String, _ expected: [String], _ defects: [String]) {
        #expect(leaves(text) == expected)
        #expect(Set(codes(text)) == Set(defects))
    }

    /// The multipart inside ends without its close delimiter; its delimiters come nevertheless.
    @Test(arguments: ["b", "a", "ab-"])
    func aStrayBoundaryDelimitsPartsOfTheMultipartThatEndedItsOwn(_ inner: String) {
        let text =
            "Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: multipart/mixed; boundary=\(inner)\n\n"
            + "--\(inner)\n\n1\n--ab\n\n2\n--\(inner)\n\n3\n--\(inner)--\nx\n--ab--\n--\(inner)\nepilogue"
        #expect(leaves(text) == ["1.1 text/plain 1", "2 text/plain 2", "3 text/plain 3"])
        #expect(codes(text) == ["close_delimiter_missing 1", "boundary_stray 0"])
    }

    @Test func aLongLineInAHeaderBeginsTheBody() {
        let line = String(repeating: "0123456789abcdef", count: 30_000)
        let text =
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: base64\n\(line)\n\(line)\n--a--"
        #expect(leaves(text) == ["1 text/plain \(line)\n\(line)"])
        #expect(parse(text).part("1")?.decodedSize == Int64(line.utf8.count / 4 * 3 * 2))
        #expect(leaves(line) == ["1 text/plain \(line)"])
        #expect(parse(line).part("1")?.decodedSize == Int64(line.utf8.count))
    }

    @Test func whatIsNotBase64StaysAsItCame() {
        let message = parse("Content-Transfer-Encoding: base64\n\nDear all,\nno.\n")
        #expect(message.parts[0].transferEncoding == .eightBit)
        #expect(message.parts[0].decodedSize == 14)
        #expect(message.defects.map(\.code) == [.base64Malformed])
        #expect(parse("Content-Transfer-Encoding: base64\n\nSGk=\nlist footer\n").parts[0].transferEncoding == .base64)
    }

    @Test func uuencodedPartsAreDecodedOnRequest() {
        let text = "Content-Type: image/png\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 f\n#0V%T\n`\nend\n"
        #expect(parse(text).parts[0].transferEncoding == .sevenBit)
        #expect(codes(text) == ["transfer_encoding_unknown 1"])
        var limits = MIMELimits.standard
        limits.decodesUUEncode = true
        let message = MIMEParser.parse(Self.octets(text), limits: limits)
        #expect(message.parts[0].transferEncoding == .uuencode)
        #expect(message.parts[0].decodedSize == 3)
        #expect(message.defects.isEmpty)
    }

    @Test func anInnerBoundaryThatIsTheOuterOneBelongsToTheInner() {
        let text = """
            Content-Type: multipart/mixed; boundary=a

            --a
            Content-Type: multipart/mixed; boundary=a

            --a

            x
            --a--
            --a

            y
            --a--
            """
        #expect(leaves(text) == ["1.1 text/plain x", "2 text/plain y"])
        #expect(codes(text) == ["boundary_repeated 1"])
    }

    /// The outer boundary begins as the inner one does, or the other way round; `x` and `y` are found either way.
    @Test(arguments: [("a", "ab"), ("ab", "a"), ("a", "a--b"), ("a-", "a"), ("a", "a-")])
    func ofBoundariesThatBeginAlikeTheLongestCounts(_ outer: String, _ inner: String) {
        let text = """
            Content-Type: multipart/mixed; boundary=\(outer)

            --\(outer)
            Content-Type: multipart/mixed; boundary=\(inner)

            --\(inner)

            x
            --\(inner)--
            --\(inner)
            epilogue
            --\(outer)

            y
            --\(outer)--
            """
        #expect(leaves(text) == ["1.1 text/plain x", "2 text/plain y"])
        #expect(codes(text) == [])
    }

    @Test func theHeaderOfAMultipartMayEndAtItsOwnDelimiter() {
        let text = """
            Content-Type: multipart/mixed; boundary=a

            --a
            Content-Type: multipart/mixed; boundary=ab
            MIME-Version: 1.0
            --ab
            Content-Type: text/html

            x
            --ab--
            --a--
            """
        #expect(leaves(text) == ["1.1 text/html x"])
        #expect(codes(text) == ["header_separator_missing 1"])
    }

    @Test(arguments: [10, 2_200, 100_000]) func aDelimiterMayBeFollowedByALongText(_ count: Int) {
        let rest = String(repeating: "r", count: count)
        let text = "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\r\n--a\(rest)\r\n\ny\n--a--"
        #expect(leaves(text) == ["1 text/plain x", "2 text/plain y"])
        #expect(codes(text) == ["boundary_trailing_text 0"])
    }

    @Test func anOuterDelimiterEndsWhatIsInside() {
        let text = """
            Content-Type: multipart/mixed; boundary=a

            --a
            Content-Type: multipart/mixed; boundary=b

            --b

            x
            --a

            y
            --a--
            """
        #expect(leaves(text) == ["1.1 text/plain x", "2 text/plain y"])
        #expect(codes(text) == ["close_delimiter_missing 1"])
    }

    @Test(arguments: [
        nested, nested.replacing("|", with: ""), "A: b\r\n\r\nx\ry\r\n\rz\r",
        "Content-Type: multipart/mixed; boundary=a\n\n--a\r\n\r\nx\r\n\r\r\n--a--\r",
        "Content-Type: multipart/mixed; boundary=a\n--a\r\n\r\nx\r\n--ab\(String(repeating: "c", count: 3_000))\r\r\ny\r\n--a-- z\r\n",
    ])
    func theSamePartsHoweverThePiecesAreCut(_ text: String) {
        let octets = Self.octets(text)
        let whole = describe(MIMEParser.parse(octets))
        for size in [1, 2, 3, 7, 64] {
            var parser = MIMEParser()
            var start = 0
            while start < octets.count {
                let end = min(start + size, octets.count)
                parser.consume(octets.span.extracting(start..<end))
                start = end
            }
            #expect(describe(parser.finish()) == whole, "\(size)")
        }
    }

    private func describe(_ message: MIMEMessage) -> String {
        "\(message.layout().encoded()) \(message.defects) \(message.envelope) \(message.parts.map(\.lines)) \(message.header.count)"
    }

    @Test func nestingPartsAndHeadersAreBounded() {
        var deep = ""
        for level in 0..<300 { deep += "Content-Type: multipart/mixed; boundary=b\(level).\n\n--b\(level).\n" }
        let nesting = parse(deep)
        #expect(nesting.parts.count <= 102)
        #expect(nesting.defects.contains { $0.code == .nestingTooDeep })
        let messages = parse(String(repeating: "Content-Type: message/rfc822\n\n", count: 300))
        #expect(messages.parts.count <= 102)
        let wide = parse(
            "Content-Type: multipart/mixed; boundary=a\n\n" + String(repeating: "--a\n\nx\n", count: 3_000) + "--a--"
        )
        #expect(wide.parts.count == 1_000)
        #expect(wide.defects.contains { $0.code == .partsTooMany })
        let long = parse("Subject: " + String(repeating: "x", count: 3 << 20) + "\nTo: a@b\n\nbody")
        #expect(long.header.octetCount <= 1 << 20)
        #expect(long.parts[0].bodyRange.count == 4)
        let many = parse(String(repeating: "a:\n", count: 100_000) + "\nbody")
        #expect(many.header.count == 10_000)
        #expect(many.defects.contains { $0.code == .headerTooLarge })
        let boundary = String(repeating: "x", count: 3_000)
        #expect(
            parse("Content-Type: multipart/mixed; boundary=\(boundary)\n\n--\(boundary)\n\n").defects.map(\.code) == [
                .boundaryTooLong
            ]
        )
    }

    /// Boundaries of which each is the beginning of the next, and lines that look like all of them.
    @Test(.timeLimit(.minutes(20))) func manyBoundariesAndManyLinesDoNotMultiply() {
        var text = ""
        var boundary = ""
        for _ in 0..<99 {
            boundary += String(repeating: "-", count: 20)
            text += "Content-Type: multipart/mixed; boundary=\"\(boundary)x\"\n\n--\(boundary)x\n"
        }
        text += "\n" + String(repeating: "--\(boundary)\n", count: 2_000)
        _ = parse(text)
        var nested = ""
        for level in 1...99 {
            let boundary = String(repeating: "b", count: 20 * level)
            nested += "Content-Type: multipart/mixed; boundary=\"\(boundary)\"\n\n--\(boundary)\n"
        }
        let line = "--" + String(repeating: "b", count: 19) + String(repeating: "c", count: 1_900) + "\n"
        let message = parse(nested + "\n" + String(repeating: line, count: 500))
        #expect(message.parts.last?.bodyRange.count == 500 * line.utf8.count)
    }

    @Test func randomOctetsAndMutationsNeverStopIt() {
        var generator = SystemRandomNumberGenerator()
        let seed = Self.octets(Self.nested)
        for _ in 0..<300 {
            var octets = seed
            for _ in 0..<8 {
                octets[Int.random(in: 0..<octets.count, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            let start = Int.random(in: 0..<octets.count, using: &generator)
            octets.removeSubrange(start..<min(octets.count, start + Int.random(in: 0..<20, using: &generator)))
            let message = MIMEParser.parse(octets)
            for part in message.parts {
                #expect(part.headerRange.upperBound <= part.bodyRange.lowerBound)
                let around = part.container.map { message.parts[$0].decodedSize } ?? Int64(octets.count)
                #expect(part.bodyRange.upperBound <= around)
                if let parent = part.parent, part.container == message.parts[parent].container {
                    #expect(part.bodyRange.upperBound <= message.parts[parent].bodyRange.upperBound)
                }
            }
        }
    }
}

extension MIMEParserTests {
    /// Names as long as `Content-Type` are no reason to look through all the fields again.
    @Test func manyFieldsAreReadOnce() {
        let field = Array("X-Field-Name: x\r\n".utf8)
        #expect(field.firstIndex(of: ASCII.colon) == 12)
        let fields = Array(repeatElement(field, count: 9_999).joined())
        let message = MIMEParser.parse(fields + Array("content-TYPE: text/html\r\n\r\nb".utf8))
        #expect(message.parts.map(\.contentType.essence) == ["text/html"])
    }
}

@Suite struct MIMELayoutTests {
    @Test func whatWasWrittenIsReadBack() {
        let layout = MIMEParser.parse(MIMEParserTests.octets(MIMEParserTests.nested)).layout()
        let encoded = layout.encoded()
        #expect(MIMELayout(encoded: encoded.span) == layout)
        #expect(encoded.count < 60 * layout.parts.count)
    }

    @Test func nothingElseIsTakenForALayout() {
        let encoded = MIMEParser.parse(MIMEParserTests.octets(MIMEParserTests.nested)).layout().encoded()
        for count in 0..<encoded.count {
            let cut = Array(encoded.prefix(count))
            #expect(MIMELayout(encoded: cut.span) == nil)
        }
        let longer = encoded + [0]
        #expect(MIMELayout(encoded: longer.span) == nil)
        for index in encoded.indices {
            var other = encoded
            other[index] ^= 0xFF
            _ = MIMELayout(encoded: other.span)
        }
    }
}

@Suite struct SafeFilenameTests {
    @Test(arguments: [
        ("report.pdf", "report.pdf"), ("../../etc/passwd", "passwd"), ("C:\\a\\b.txt", "b.txt"),
        ("a\u{202E}cod.exe", "acod.exe"),
        ("a\u{0}b\r\nc.txt", "abc.txt"), ("CON", "_CON"), ("con.txt", "_con.txt"), ("com1.log", "_com1.log"),
        ("LPT¹", "_LPT¹"),
        ("console.txt", "console.txt"), (" . name . ", "name"), ("a:b*c?.txt", "a_b_c_.txt"), ("日本.txt", "日本.txt"),
        ("....", "part-2.png"), ("a/", "part-2.png"), ("", "part-2.png"), ("\u{FEFF}x\u{AD}", "x"),
    ]) func isFitForAFileSystem(_ name: String, _ expected: String) {
        #expect(SafeFilename.make(from: name, contentType: ContentType("image", "png"), part: "2") == expected)
    }

    @Test func longNamesKeepTheirExtension() {
        let name = SafeFilename.clean(String(repeating: "日", count: 500) + ".pdf")
        #expect(name.utf8.count <= 255)
        #expect(name.hasSuffix("日.pdf"))
        #expect(SafeFilename.clean(String(repeating: "a", count: 300)).utf8.count == 255)
    }
}
