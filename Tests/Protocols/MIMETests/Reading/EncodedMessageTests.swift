// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import MIME

/// Messages inside that are themselves encoded, against RFC 2046 §5.2.1.
@Suite struct EncodedMessageTests {
    private static func encoded(_ message: String) -> String {
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
            + String(decoding: Base64.encode(Array(message.utf8)), as: UTF8.self)
    }

    private static let letter = """
        Subject: inner
        Content-Type: multipart/mixed; boundary=b

        --b

        one
        --b
        Content-Type: image/png
        Content-Transfer-Encoding: base64

        AAEC
        --b--
        """

    /// A multipart with a text and, encoded twice, a letter.
    private static let message = Array(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\n\ntext\n--a\n\(encoded(encoded(letter)))\n--a--\n".utf8
    )

    @Test func theirPartsAreFoundWithTheirOctets() {
        let message = MIMEParser.parse(Self.message)
        #expect(message.parts.map(\.path) == ["0", "1", "2", "2.1", "2.1.0", "2.1.1", "2.1.2"])
        #expect(message.parts.map(\.parent) == [nil, 0, 0, 2, 3, 4, 4])
        #expect(message.parts.map(\.container) == [nil, nil, nil, 2, 3, 3, 3])
        #expect(message.parts[2].children == [3])
        #expect(message.parts[4].children == [5, 6])
        #expect(
            message.defects.map { "\($0.code.rawValue) \($0.part ?? "-")" } == [
                "message_encoded 2", "message_encoded 2.1",
            ]
        )
        #expect(message.body(of: message.parts[5], in: Self.message) == Array("one".utf8))
        #expect(message.body(of: message.parts[6], in: Self.message) == Array("AAEC".utf8))
        #expect(message.parts[6].decodedSize == 3)
        #expect(message.parts[2].decodedSize == Int64(Self.encoded(Self.letter).utf8.count))
        #expect(message.parts[3].decodedSize == Int64(Self.letter.utf8.count))
    }

    @Test func theMessageItselfStaysAnAttachment() {
        let message = MIMEParser.parse(Self.message)
        #expect(message.roles() == [.none, .text, .attachment, .none, .none, .none, .none])
    }

    @Test func theLayoutKnowsWhatIsAroundAPart() throws {
        let layout = MIMEParser.parse(Self.message).layout()
        let encoded = layout.encoded()
        let decoded = MIMELayout(encoded: encoded.span)
        let read = try #require(decoded)
        #expect(read == layout)
        let picture = try #require(read.part("2.1.2"))
        #expect(read.containers(of: picture).map(\.path) == ["2", "2.1"])
        #expect(read.containers(of: read.parts[1]).isEmpty)
        for index in encoded.indices {
            for other in [encoded[index] ^ 0xFF, encoded[index] &+ 1] {
                var octets = encoded
                octets[index] = other
                // What cannot be is not read, and what is read has an end.
                for part in MIMELayout(encoded: octets.span)?.parts ?? [] { _ = layout.containers(of: part) }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 7, 64]) func theSamePartsHoweverThePiecesAreCut(_ size: Int) {
        var parser = MIMEParser()
        for start in stride(from: 0, to: Self.message.count, by: size) {
            parser.consume(Self.message.span.extracting(start..<min(start + size, Self.message.count)))
        }
        let message = parser.finish()
        let whole = MIMEParser.parse(Self.message)
        #expect(message.layout() == whole.layout())
        #expect(message.defects == whole.defects)
    }

    @Test func quotedPrintableIsAnEncodingToo() {
        let text = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nA: b=0A=0Ax=3Dy"
        let octets = Array(text.utf8)
        let message = MIMEParser.parse(octets)
        #expect(message.parts.map(\.path) == ["1", "1.1"])
        #expect(message.body(of: message.parts[1], in: octets) == Array("x=y".utf8))
    }

    /// Beyond a limit the message is one part, as it came.
    @Test func howMuchIsDecodedIsBounded() {
        let octets = Array("\(Self.encoded(Self.letter))\n".utf8)
        var limits = MIMELimits()
        limits.encodedMessageOctets = Self.letter.utf8.count
        #expect(MIMEParser.parse(octets, limits: limits).parts.count == 4)
        limits.encodedMessageOctets -= 1
        let message = MIMEParser.parse(octets, limits: limits)
        #expect(message.parts.map(\.contentType.essence) == ["message/rfc822"])
        #expect(message.defects.map(\.code) == [.messageEncoded])
        #expect(message.parts[0].decodedSize == Int64(Self.letter.utf8.count))
    }

    /// The octets count for all encoded messages together, the parts and the depth for the message as a whole.
    @Test func theLimitsOfTheWholeMessageHold() {
        let many = (0..<3).map { _ in "--a\n\(Self.encoded(Self.letter))\n" }.joined()
        let octets = Array("Content-Type: multipart/mixed; boundary=a\n\n\(many)--a--".utf8)
        var limits = MIMELimits()
        limits.encodedMessageOctets = 2 * Self.letter.utf8.count
        #expect(MIMEParser.parse(octets, limits: limits).parts.count == 1 + 4 + 4 + 1)
        limits.parts = 6
        #expect(MIMEParser.parse(octets, limits: limits).parts.count <= 6)
        var deep = Self.letter
        for _ in 0..<8 { deep = Self.encoded(deep) }
        let nested = MIMEParser.parse(Array(deep.utf8))
        #expect(nested.parts.count == 1 + MIMELimits.standard.encodedMessageDepth)
        var shallow = MIMELimits()
        shallow.depth = 2
        let flat = MIMEParser.parse(Self.message, limits: shallow)
        #expect(flat.parts.map(\.path) == ["0", "1", "2", "2.1"])
        #expect(flat.defects.contains(MIMEDefect(.nestingTooDeep, part: "2.1")))
    }
}
