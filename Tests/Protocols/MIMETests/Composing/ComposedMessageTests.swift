// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Testing
import Wire

@testable import MIME

@Suite struct ComposedMessageTests {
    private func draft() throws -> Draft {
        let messageID = try id("<1@example.test>")
        var draft = Draft(date: Timestamp(seconds: 1_775_035_800), messageID: messageID)
        draft.from = [Mailbox(name: "Ann", address: try address("ann@example.test"))]
        draft.to = [Mailbox(address: try address("bob@example.test"))]
        return draft
    }

    private func id(_ text: String) throws -> MessageID {
        let id = MessageID(Array(text.utf8).span)
        return try #require(id)
    }

    private func address(_ text: String) throws -> EmailAddress { try #require(EmailAddress(text)) }

    private func compose(_ draft: Draft, attachments: [[UInt8]] = []) throws -> String {
        let message = try ComposedMessage(draft, boundary: "B")
        return message.octets { attachments[$0] }.span.repairedUTF8String()
    }

    @Test func plainTextIsOnePartWithCRLFLineEnds() throws {
        var draft = try draft()
        draft.subject = "Hello"
        draft.text = "one\ntwo\r\nthree\rfour"
        #expect(
            try compose(draft) == """
                Date: Wed, 01 Apr 2026 09:30:00 +0000\r
                From: Ann <ann@example.test>\r
                To: bob@example.test\r
                Message-ID: <1@example.test>\r
                Subject: Hello\r
                MIME-Version: 1.0\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: 7bit\r
                \r
                one\r
                two\r
                three\r
                four\r

                """
        )
    }

    @Test func bccIsInTheEnvelopeAndNotInTheOctets() throws {
        var draft = try draft()
        draft.to = []
        draft.bcc = [Mailbox(address: try address("secret@example.test"))]
        let text = try compose(draft)
        #expect(!text.contains("secret"))
        #expect(text.contains("To: undisclosed-recipients:;\r\n"))
        #expect(draft.recipients.map(\.description) == ["secret@example.test"])
    }

    @Test func everythingTogetherNestsMixedAlternativeRelated() throws {
        var draft = try draft()
        draft.text = "t"
        draft.html = "<img src=cid:i@x>"
        draft.attachments = [
            .init(
                filename: "i.png",
                contentType: "image/png",
                contentID: MessageID(Array("i@x".utf8).span),
                isInline: true
            ),
            .init(filename: "Grüße aus Köln.pdf", contentType: "application/pdf"),
        ]
        let text = try compose(draft, attachments: [[1, 2, 3], Array(repeating: 65, count: 100)])
        let kinds = text.split(separator: "\r\n").filter { $0.hasPrefix("Content-Type:") }.map {
            $0.split(separator: ";")[0]
        }
        #expect(
            kinds == [
                "Content-Type: multipart/mixed", "Content-Type: multipart/alternative", "Content-Type: text/plain",
                "Content-Type: multipart/related", "Content-Type: text/html", "Content-Type: image/png",
                "Content-Type: application/pdf",
            ]
        )
        #expect(text.contains("filename*=utf-8''Gr%C3%BC%C3%9Fe%20aus%20K%C3%B6ln.pdf"))
        #expect(text.contains("Content-ID: <i@x>\r\n"))
        #expect(text.hasSuffix("\r\n--B-1--\r\n"))
    }

    @Test(arguments: ["a\r\nBcc: x@y", "a\nb", "a\rb", "a\u{0}b", "a\u{7F}b", "a\u{1B}[0m"])
    func controlCharactersAreRefusedEverywhere(_ value: String) throws {
        var inSubject = try draft()
        inSubject.subject = value
        #expect(throws: DraftError.controlCharacter(field: "Subject")) { try compose(inSubject) }
        var inName = try draft()
        inName.to = [Mailbox(name: value, address: try address("b@c.test"))]
        #expect(throws: DraftError.controlCharacter(field: "To")) { try compose(inName) }
        var inHeader = try draft()
        inHeader.headers = [("X-Note", value)]
        #expect(throws: DraftError.controlCharacter(field: "X-Note")) { try compose(inHeader) }
        var inFilename = try draft()
        inFilename.attachments = [.init(filename: value)]
        #expect(throws: DraftError.controlCharacter(field: "filename")) { try compose(inFilename, attachments: [[]]) }
    }

    @Test(arguments: ["From", "bcc", "Content-Type", "X Y", "X:Y", "", "Grüße", "Received", "X-A\r\nB"])
    func headerNamesThatWouldForgeAreRefused(_ name: String) throws {
        var draft = try draft()
        draft.headers = [(name, "v")]
        #expect(throws: DraftError.headerName(name)) { try compose(draft) }
    }

    @Test(arguments: ["text", "text/", "a/b; c=d", "multipart/mixed", "text/pl ain", "text/html\r\nX: y"])
    func contentTypesMustBeTwoTokens(_ type: String) throws {
        var draft = try draft()
        draft.attachments = [.init(contentType: type)]
        #expect(throws: DraftError.contentType(type)) { try compose(draft, attachments: [[]]) }
    }

    /// U+010A and U+760D end in the octets LF and CR when truncated: they stay characters (CVE-2025-7962).
    @Test func charactersThatTruncateToLineEndsStayCharacters() throws {
        var draft = try draft()
        draft.subject = "a\u{10A}b\u{760D}\u{2028}c"
        let head = try compose(draft).split(separator: "\r\n\r\n")[0]
        #expect(head.utf8.allSatisfy { $0 < 0x80 })
        #expect(head.contains("Subject: =?utf-8?"))
    }

    @Test func noLineIsLongerThanTheRecommendedLengthWhereItCanFold() throws {
        var draft = try draft()
        draft.subject = String(repeating: "Wörter und ", count: 60)
        draft.to = try (0..<40).map { Mailbox(name: "Person \($0)", address: try address("p\($0)@example.test")) }
        draft.text = String(repeating: "äöü ", count: 500)
        let text = try compose(draft)
        #expect(text.utf8.split(separator: ASCII.lf).allSatisfy { $0.count <= 79 })
    }

    @Test func aReplyReferencesItsParentAndAnswersReplyTo() throws {
        var original = ReferredMessage()
        let first = try id("first@x")
        let parent = try id("parent@x")
        original.messageID = parent
        original.references = [first]
        original.subject = "Hello"
        original.from = [Mailbox(address: try address("ann@example.test"))]
        original.replyTo = [Mailbox(address: try address("list@example.test"))]
        original.to = [
            Mailbox(address: try address("me@example.test")), Mailbox(address: try address("cy@example.test")),
        ]
        var draft = try draft()
        draft.to = []
        draft.reply(to: original, toAll: true, own: [try address("me@example.test")])
        #expect(draft.to.map(\.address.description) == ["list@example.test", "cy@example.test"])
        #expect(draft.subject == "Re: Hello")
        #expect(draft.inReplyTo == [parent])
        #expect(draft.references == [first, parent])
        original.subject = "RE: Hello"
        var again = try self.draft()
        again.reply(to: original, toAll: false, own: [])
        #expect(again.subject == "RE: Hello")
    }
}
