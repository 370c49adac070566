// SPDX-License-Identifier: Apache-2.0

import Foundation
import MailTypes
import TestSupport
import Testing
import Wire

@testable import SMTP

@Suite struct SmugglingTests {
    /// Endings that some server took for the end of a message.
    static let falseEndings = [
        "\\n.\\n", "\\n.\\r", "\\r.\\n", "\\r.\\r", "\\n.\\r\\n", "\\r.\\r\\n", "\\r\\n\\0.\\r\\n", "\\r\\n.\\r\\r\\n",
        "\\r\\r\\n.\\r\\r\\n", "\\r\\n.\\n", "\\r\\n.\\r", "\\r\\n.\\0\\r\\n", "\\r\\n\\r.\\r\\n", "\\r\\n.\\n\\r\\n",
        "\\n\\n.\\n\\n", "\\r\\n.\\r\\0\\n", "\\n\\r.\\n\\r", "\\r\\n\\n.\\r\\n", "\\0.\\r\\n\\n.\\r\\n",
    ]

    /// What stands behind a false ending is never a command: one reply, a refusal, after the proper end.
    @Test(arguments: falseEndings, [SMTPLineEndPolicy.reject, .normalize])
    func falseEndingEndsNothing(_ ending: String, _ policy: SMTPLineEndPolicy) throws {
        let smuggled = "MAIL FROM:<evil@example.org>\\r\\nRCPT TO:<bob@example.org>\\r\\nDATA\\r\\nevil"
        let text = Dialogue.unescaped("a" + ending + smuggled + "\\r\\n.\\r\\n")
        for size in [1, 2, 3, text.count] {
            var server = try inText(policy)
            for start in stride(from: 0, to: text.count, by: size) {
                server.receive(Array(text[start..<min(start + size, text.count)]))
            }
            let replies = server.takeOutput()
            #expect(replies.utf8.count(where: { $0 == 10 }) == 1, "\(replies)")
            let isMended = policy == .normalize && !ending.contains("\\0")
            #expect(replies.hasPrefix(isMended ? "250 " : "550 5.6."))
            #expect(server.messages.count == (isMended ? 1 : 0))
            server.receive(Array("NOOP\r\n".utf8))
            #expect(server.takeOutput() == "250 2.0.0 Ok\r\n")
        }
    }

    /// Every sequence of five octets from those that matter, against a plain reading of the whole text.
    @Test func everyShortSequence() throws {
        let alphabet: [UInt8] = [13, 10, 46, 97]
        for number in 0..<1024 {
            let middle = (0..<5).map { alphabet[number >> (2 * $0) & 3] }
            let text = middle + Array("\r\n.\r\n".utf8)
            var decoder = SMTPTextDecoder(.dots, policy: .reject, maximumLineOctets: 1000)
            var content = ByteBuffer()
            let (consumed, isEnd) = decoder.decode(text.span, into: &content)
            let expected = Self.plainReading(text)
            #expect(isEnd && consumed == expected.end, "\(text)")
            #expect((decoder.defect == nil) == expected.isClean, "\(text)")
            if expected.isClean { #expect(content.array() == expected.content, "\(text)") }
        }
    }

    /// The end is the first CR LF `.` CR LF, the start of the text counting as a CR LF; all CR and LF come in pairs.
    private static func plainReading(_ text: [UInt8]) -> (end: Int, isClean: Bool, content: [UInt8]) {
        let wire = [13, 10] + text
        let end = (0...(wire.count - 5)).first { Array(wire[$0..<($0 + 5)]) == [13, 10, 46, 13, 10] } ?? 0
        let body = Array(wire[2..<(end + 2)])
        let lines = String(decoding: body.map { $0 == 13 ? 0x52 : $0 == 10 ? 0x4E : $0 }, as: UTF8.self)
            .components(separatedBy: "RN")
        let isClean = lines.allSatisfy { !$0.contains("R") && !$0.contains("N") }
        let content = lines.map { $0.hasPrefix(".") ? String($0.dropFirst()) : $0 }.joined(separator: "\r\n")
        return (end + 3, isClean, Array(content.utf8))
    }

    private func inText(_ policy: SMTPLineEndPolicy) throws -> ServerUnderTest {
        let name = try #require(Domain("mx.example.org"))
        var server = ServerUnderTest(
            SMTPServerConfiguration(service: .exchange, hostName: name, offersStartTLS: true, lineEnds: policy),
            isTLS: false
        )
        server.run()
        for line in ["EHLO c", "MAIL FROM:<x@y>", "RCPT TO:<ann@example.org>", "DATA"] {
            server.receive(Array("\(line)\r\n".utf8))
        }
        _ = server.takeOutput()
        return server
    }
}
