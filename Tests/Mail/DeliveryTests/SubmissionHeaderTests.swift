// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import Delivery

@Suite struct SubmissionHeaderTests {
    private let date = Timestamp(seconds: 1_775_035_800)

    private func read(_ text: String, chunk: Int) -> (header: SubmissionHeader, rest: String) {
        var header = SubmissionHeader()
        let octets = Array(text.replacing("\n", with: "\r\n").utf8)
        var index = 0
        while index < octets.count, !header.isComplete {
            var piece = ByteBuffer(Array(octets[index..<min(index + chunk, octets.count)]))
            _ = header.take(&piece)
            index += chunk
        }
        header.finish()
        return (header, "")
    }

    private func completed(_ text: String, chunk: Int) throws -> String {
        let sender = try #require(EmailAddress("ann@example.com"))
        let octets = Array("new@example.com".utf8)
        let id = MessageID(octets.span)
        var header = read(text, chunk: chunk).header
        let whole = header.completed(from: sender, date: date, messageID: try #require(id))
        return whole.span.repairedUTF8String().replacing("\r\n", with: "\n")
    }

    @Test(arguments: [1, 7, 1000])
    func bccIsReadAndTakenOutFoldedOrLast(_ chunk: Int) throws {
        let complete = "Date: d\nMessage-ID: <x@y>\nFrom: ann@example.com\n"
        let cases = [
            complete + "Bcc: a@b.test,\n c@d.test\nTo: e@f.test\n\nbody", complete + "To: e@f.test\nbCC : a@b.test\n\n",
            complete + "To: e@f.test\nBcc: a@b.test", "BCC: a@b.test\n" + complete + "To: e@f.test\n\n",
        ]
        for text in cases {
            let header = read(text, chunk: chunk).header
            #expect(header.recipients?.map(\.description).contains("a@b.test") == true)
            #expect(header.recipients?.map(\.description).contains("e@f.test") == true)
            let kept = try completed(text, chunk: chunk)
            #expect(!kept.lowercased().contains("bcc") && !kept.contains("b.test") && kept.contains("To: e@f.test"))
        }
    }

    @Test func whatAMessageMustHaveIsAdded() throws {
        #expect(
            try completed("Subject: s\n\nbody", chunk: 1000) == """
                Date: Wed, 01 Apr 2026 09:30:00 +0000
                From: ann@example.com
                Message-ID: <new@example.com>
                Subject: s

                body
                """
        )
        #expect(try completed("no header at all\n", chunk: 5).hasSuffix(">\n\nno header at all\n"))
    }

    @Test(arguments: ["From: a@b\nFrom: c@d\n\n", "From: nobody\n\n"])
    func anAuthorThatCannotBeReadIsNone(_ text: String) {
        #expect(read(text, chunk: 100).header.authors == nil)
    }

    @Test func senderIsReadAsFromIs() {
        #expect(read("From: a@b\n\n", chunk: 3).header.senders == [])
        #expect(read("SENDER: X <a@b>\n\n", chunk: 3).header.senders?.map(\.description) == ["a@b"])
        #expect(read("Sender: a@b\nSender: c@d\n\n", chunk: 3).header.senders == nil)
    }

    /// Each octet is looked at once, however small the pieces are: else this would take hours.
    @Test func aLongFieldMayComeOctetByOctet() throws {
        let field = "Subject: " + String(repeating: "x", count: 300_000)
        #expect(try completed(field + "\n\nb", chunk: 1).contains("\n\(field)\n"))
    }
}
