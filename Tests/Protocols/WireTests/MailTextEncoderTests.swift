// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Wire

@Suite struct MailTextEncoderTests {
    @Test(arguments: [
        ("", ".\r\n"), ("a", "a\r\n.\r\n"), ("a\r\n", "a\r\n.\r\n"), (".\r\n", "..\r\n.\r\n"),
        ("a.\r\n.b", "a.\r\n..b\r\n.\r\n"),
        // No bare line end leaves, and what followed one begins a line.
        ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"), ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"), ("a\r", "a\r\n.\r\n"),
        ("\r\r\n", "\r\n\r\n.\r\n"), ("a\n\r\n.\r\n", "a\r\n\r\n..\r\n.\r\n"), ("\n.\n", "\r\n..\r\n.\r\n"),
    ]) func textIsStuffedAndItsLinesEnded(_ text: String, _ expected: String) {
        for step in [1, 2, 100] {
            var encoder = MailTextEncoder(.dots)
            var output = ByteBuffer()
            let octets = Array(text.utf8)
            for start in stride(from: 0, to: octets.count, by: step) {
                encoder.encode(Array(octets[start..<min(start + step, octets.count)]).span, into: &output)
            }
            encoder.finish(into: &output)
            #expect(output.array() == Array(expected.utf8))
        }
    }

    @Test func chunksHaveNoStuffing() {
        var encoder = MailTextEncoder(.chunks)
        var output = ByteBuffer()
        encoder.encode(Array(".\n.".utf8).span, into: &output)
        encoder.finish(into: &output)
        #expect(output.array() == Array(".\r\n.\r\n".utf8))
    }

    @Test(arguments: [1, 2, 100]) func NULIsReplacedWhereItCannotBeCarried(_ step: Int) {
        var encoder = MailTextEncoder(.dots, nul: 0x80)
        var output = ByteBuffer()
        let octets: [UInt8] = [0, 13, 10, 46, 0, 0, 97, 0]
        for start in stride(from: 0, to: octets.count, by: step) {
            encoder.encode(Array(octets[start..<min(start + step, octets.count)]).span, into: &output)
        }
        encoder.finish(into: &output)
        #expect(output.array() == [0x80, 13, 10, 46, 46, 0x80, 0x80, 97, 0x80, 13, 10, 46, 13, 10])
    }
}
