// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import MIME

@Suite struct BodyDecoderTests {
    struct Sample: Sendable {
        let encoding: TransferEncoding
        let encoded: String
        let content: String
        var isMalformed = false
    }

    static let samples = [
        Sample(encoding: .base64, encoded: "SGVs\r\nbG8=\r\n", content: "Hello"),
        Sample(encoding: .base64, encoded: "SGVsbG8", content: "Hello", isMalformed: true),
        Sample(encoding: .base64, encoded: "SG!Vs bG*8=", content: "Hello", isMalformed: true),
        Sample(encoding: .base64, encoded: "SGk=\r\nSGk=\r\n", content: "HiHi"),
        Sample(encoding: .base64, encoded: "SGk= junk\r\n", content: "Hi", isMalformed: true),
        Sample(encoding: .base64, encoded: "", content: ""),
        Sample(encoding: .base64, encoded: "S", content: "", isMalformed: true),
        Sample(encoding: .quotedPrintable, encoded: "a=3Db=\r\nc  \r\nd", content: "a=bc\r\nd"),
        Sample(encoding: .quotedPrintable, encoded: "a=\nb\n", content: "ab\n"),
        Sample(encoding: .quotedPrintable, encoded: "a= \t\r\nb", content: "ab"),
        Sample(encoding: .quotedPrintable, encoded: "=e4=E4=", content: "\u{E4}\u{E4}"),
        Sample(encoding: .quotedPrintable, encoded: "50=% =4", content: "50=% =4", isMalformed: true),
        Sample(encoding: .quotedPrintable, encoded: "==41", content: "=A", isMalformed: true),
        Sample(encoding: .quotedPrintable, encoded: "end \t", content: "end"),
        Sample(encoding: .uuencode, encoded: "x\r\nbegin 644 f\r\n#0V%T\r\n`\r\nend\r\ny", content: "Cat"),
        Sample(encoding: .uuencode, encoded: "begin 644 f\n#0V", content: "C\u{40}\u{00}", isMalformed: true),
        Sample(encoding: .eightBit, encoded: "as = it is\r\n", content: "as = it is\r\n"),
    ]

    private func octets(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

    @Test(arguments: samples) func decodesWholeAndOctetByOctet(_ sample: Sample) {
        let encoded = octets(sample.encoded)
        var whole = BodyDecoder(sample.encoding)
        var output = ByteBuffer()
        whole.decode(encoded.span, into: &output)
        whole.finish(into: &output)
        let content = output.array()
        if sample.encoding != .uuencode || !sample.isMalformed { #expect(content == octets(sample.content)) }
        #expect(whole.sawMalformed == sample.isMalformed)
        var single = BodyDecoder(sample.encoding)
        var pieces = ByteBuffer()
        for octet in encoded {
            let piece = [octet]
            single.decode(piece.span, into: &pieces)
        }
        single.finish(into: &pieces)
        #expect(pieces.array() == content)
    }

    @Test(
        .enabled(if: TestData.root != nil),
        arguments: [("photo.b64", "photo.jpg", TransferEncoding.base64), ("photo.uu", "photo.jpg", .uuencode)]
    )
    func decodesWhatOthersEncoded(_ encoded: String, _ content: String, _ encoding: TransferEncoding) throws {
        let input = try TestData.bytes("mime/mimekit/encoders/\(encoded)")
        let expected = try TestData.bytes("mime/mimekit/encoders/\(content)")
        #expect(BodyDecoder.decode(input.span, encoding) == expected)
    }

    @Test(.enabled(if: TestData.root != nil)) func decodesQuotedPrintableOfOthers() throws {
        let input = try TestData.bytes("mime/mimekit/encoders/wikipedia.qp")
        let expected = try TestData.bytes("mime/mimekit/encoders/wikipedia.txt")
        let decoded = BodyDecoder.decode(input.span, .quotedPrintable)
        #expect(decoded.filter { $0 != ASCII.cr } == expected.filter { $0 != ASCII.cr })
    }

    @Test func aLineOfBlanksIsNotHeldForEver() {
        let blanks = [UInt8](repeating: ASCII.space, count: 100_000) + [ASCII.lf]
        #expect(BodyDecoder.decode(blanks.span, .quotedPrintable).count > 90_000)
    }
}
