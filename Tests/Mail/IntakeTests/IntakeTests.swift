// SPDX-License-Identifier: Apache-2.0

import Foundation
import JSON
import Logging
import MIME
import Runtime
import Storage
import Testing
import Wire

@testable import Intake

@Suite struct IntakeTests {
    /// A store of its own in a directory that goes with it.
    private final class Place {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("intake-\(UUID().uuidString)")
            .path
        let store: Store
        init() throws {
            store = try Store.open(
                StoreConfiguration(directory: directory),
                clock: .system,
                logger: Logger(label: "test")
            )
        }
        deinit {
            store.close()
            try? FileManager.default.removeItem(atPath: directory)
        }
    }

    private static let message = """
        From: =?utf-8?q?J=C3=B6rg?= <j@x.test>
        To: Friends: a@b.test, "C, D" <c@d.test>;
        Subject: Re: [list] Hello
        Message-ID: <1@x.test>
        In-Reply-To: <0@x.test>
        References: <r@x.test> <0@x.test>
        Date: Wed, 01 Apr 2026 09:30:00 +0200
        Content-Type: multipart/mixed; boundary=a

        --a
        Content-Type: text/plain; charset=iso-8859-1
        Content-Transfer-Encoding: quoted-printable

        Gr=FC=DFe   aus
        der Ferne
        --a
        Content-Type: application/octet-stream; name="x.bin"
        Content-Transfer-Encoding: base64

        AAECAwQFBgcICQ==
        --a--

        """

    private func json(_ members: [UInt8]) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data([0x7B] + members + [0x7D]))
        return try #require(object as? [String: Any])
    }

    private func reader(_ taken: TakenMessage, _ place: Place) throws -> MessageReader {
        let layout = taken.content.layout
        return MessageReader(layout: layout.span, body: try taken.body.reader(), pool: place.store.blocking)
    }

    @Test func whatTheStoreKeepsIsReadOutOfTheOctets() async throws {
        let place = try Place()
        let taken = try await Intake(store: place.store).take(Array(Self.message.utf8), door: .normalising)
        let content = taken.content
        #expect(content.messageID == Array("<1@x.test>".utf8))
        #expect(content.references.map { String(decoding: $0, as: UTF8.self) } == ["<r@x.test>", "<0@x.test>"])
        #expect(content.baseSubject == "Hello")
        #expect(content.hasAttachments)
        #expect(content.size == Int64(Self.message.utf8.count + Self.message.utf8.count { $0 == 0x0A }))
        let summary = try json(content.summary)
        #expect(summary["subject"] as? String == "Re: [list] Hello")
        #expect(summary["preview"] as? String == "Grüße aus der Ferne")
        #expect(summary["date"] as? String == "2026-04-01T07:30:00.000Z")
        #expect(summary["sender"] is NSNull)
        #expect((summary["from"] as? [[String: Any]])?.first?["name"] as? String == "Jörg")
        let to = try #require(summary["to"] as? [[String: Any]])
        #expect(to.map { $0["address"] as? String } == ["a@b.test", "c@d.test"])
        #expect(to.allSatisfy { $0["group"] as? String == "Friends" })
        let detail = try json(content.detail)
        let attachment = try #require((detail["attachments"] as? [[String: Any]])?.first)
        #expect(attachment["part"] as? String == "2")
        #expect(attachment["safeFilename"] as? String == "x.bin")
        #expect(attachment["size"] as? Int == 10)
        let structure = try #require(detail["structure"] as? [String: Any])
        #expect(structure["part"] as? String == "0")
        #expect((structure["parts"] as? [[String: Any]])?.map { $0["part"] as? String } == ["1", "2"])
        #expect((detail["defects"] as? [[String: Any]])?.first?["code"] as? String == "line_ends_normalised")
        #expect((detail["headers"] as? [Any])?.count == 8)
    }

    @Test func textsAndAttachmentsStreamOutOfTheStoredOctets() async throws {
        let place = try Place()
        let taken = try await Intake(store: place.store).take(Array(Self.message.utf8), door: .normalising)
        let reader = try reader(taken, place)
        let text = try await reader.text(limit: 100)
        #expect(text?.octets == Array("Grüße   aus\r\nder Ferne".utf8))
        #expect(text?.isTruncated == false)
        let cut = try await reader.text(limit: 3)
        #expect(cut?.octets == Array("Gr".utf8))
        #expect(cut?.isTruncated == true)
        #expect(try await reader.html(limit: 100) == nil)
        let part = try #require(reader.layout.attachments.first)
        for range in [0..<10, 3..<5, 9..<10, 10..<10] as [Range<Int64>] {
            var stream = reader.content(of: part, range: range)
            var content = ByteBuffer()
            while try await stream.read(into: &content) > 0 {}
            #expect(content.array() == range.map { UInt8($0) })
        }
    }

    @Test(arguments: [
        "Content-Type: text/html\n\n<h1>Hi</h1><p>One <a href=https://x.test/a>two</a>",
        "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n"
            + "<style>p {}</style><h1>Hi</h1><p>One <a href=\"https://x.test/a\">two</a></p>\n--b--\n",
    ]) func theTextOfAMessageWithoutOneIsWhatItsHTMLSays(_ message: String) async throws {
        let place = try Place()
        let taken = try await Intake(store: place.store).take(Array(message.utf8), door: .normalising)
        let reader = try reader(taken, place)
        let text = try await reader.text(limit: 100)
        #expect(text.map { String(decoding: $0.octets, as: UTF8.self) } == "Hi\n\nOne two <https://x.test/a>")
        #expect(text?.isTruncated == false)
        let cut = try await reader.text(limit: 7)
        #expect(cut.map { String(decoding: $0.octets, as: UTF8.self) } == "Hi\n\nOne")
        #expect(cut?.isTruncated == true)
    }

    @Test func partsOfAnEncodedMessageStreamOutOfIt() async throws {
        let place = try Place()
        let text = String(repeating: "0123456789", count: 20_000)
        let head = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        var message = "Subject: inner\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n\(text)"
        for _ in 0..<2 { message = head + String(decoding: Base64.encode(Array(message.utf8)), as: UTF8.self) }
        let taken = try await Intake(store: place.store).take(Array(message.utf8), door: .normalising)
        let reader = try reader(taken, place)
        let part = try #require(reader.layout.part("1.1.1"))
        #expect(part.decodedSize == Int64(text.utf8.count))
        for range in [0..<200_000, 3..<5, 99_999..<170_001, 200_000..<200_000] as [Range<Int64>] {
            var stream = reader.content(of: part, range: range)
            var content = ByteBuffer()
            while try await stream.read(into: &content) > 0 {}
            #expect(content.array() == Array(Array(text.utf8)[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
        var stream = reader.textStream(of: part)
        var content = ByteBuffer()
        while try await stream.read(into: &content) > 0 {}
        #expect(content.array() == Array(text.utf8))
        let structure = try #require(try json(taken.content.detail)["structure"] as? [String: Any])
        #expect(structure["size"] as? Int == Int(reader.layout.parts[0].decodedSize))
        #expect((structure["parts"] as? [[String: Any]])?.map { $0["part"] as? String } == ["1.1"])
    }

    @Test func largeMessagesAreReadFromTheirFile() async throws {
        let place = try Place()
        let intake = Intake(store: place.store)
        let incoming = intake.begin(.strict)
        let head = "Subject: large\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        try incoming.append(Array(head.utf8).span)
        let line = Array((String(repeating: "ü", count: 50) + "\r\n").utf8)
        for _ in 0..<20_000 { try incoming.append(line.span) }
        let taken = try await incoming.finish()
        #expect(taken.content.size == Int64(head.utf8.count + 20_000 * line.count))
        let reader = try reader(taken, place)
        let text = try await reader.text(limit: 1_000)
        #expect(text?.isTruncated == true)
        #expect(text?.octets.count == 1_000 || text?.octets.count == 999)
        let part = try #require(reader.layout.text.first)
        var stream = reader.content(of: part, range: 1_000_000..<1_000_102)
        var content = ByteBuffer()
        while try await stream.read(into: &content) > 0 {}
        let start = 1_000_000 % line.count
        #expect(content.array() == Array((line + line)[start..<start + 102]))
    }

    @Test func tooMuchIsRefusedBeforeItIsTaken() async throws {
        let place = try Place()
        let incoming = Intake(store: place.store).begin(.normalising, limit: 10)
        try incoming.append(Array("12345".utf8).span)
        #expect(throws: BodyTooLarge.self) { try incoming.append(Array("678\n\n\n".utf8).span) }
    }

    @Test func aMessageThatKilledTheProcessIsStoredUnread() async throws {
        let place = try Place()
        let octets = Array("Subject: x\r\n\r\ny".utf8)
        let spool = Spool(files: place.store.bodies, pool: place.store.blocking, limit: 1_000)
        try spool.append(octets)
        let body = try await spool.finish()
        _ = try place.store.quarantine.enter(body.hash)
        place.store.close()
        let again = try QuarantineSlots(directory: place.directory)
        #expect(again.isQuarantined(body.hash))
        let taken = Digestion.quarantined(body)
        #expect(taken.content.isQuarantined)
        let summary = try json(taken.content.summary)
        #expect(summary["subject"] is NSNull)
        let detail = try json(taken.content.detail)
        #expect(detail["structure"] is NSNull)
        #expect((detail["defects"] as? [[String: Any]])?.first?["code"] as? String == "quarantined")
    }

    @Test func wordsForTheSearchIndex() async throws {
        let place = try Place()
        let html =
            "Subject: =?utf-8?q?caf=C3=A9?=\nTo: a@b.test\nContent-Type: text/html\n\n<p>One</p><script>no</script><p>two</p>"
        let taken = try await Intake(store: place.store).take(Array(html.utf8), door: .normalising)
        let content = StoredContent(
            summary: taken.content.summary,
            detail: taken.content.detail,
            layout: taken.content.layout,
            isQuarantined: false,
            body: try taken.body.reader()
        )
        let text = try SearchText(quarantine: place.store.quarantine).text(of: content)
        #expect(text.subject == Array("café".utf8))
        #expect(text.to == Array("a@b.test".utf8))
        #expect(text.body == Array("One\n\ntwo".utf8))
        let summary = try json(taken.content.summary)
        #expect(summary["preview"] as? String == "One two")
    }

    @Test func aPreviewIsCutAtTwoHundredCharacters() {
        #expect(Preview.line(Array(String(repeating: "é ", count: 300).utf8)).unicodeScalars.count <= 200)
        #expect(Preview.line(Array("\r\n a\u{202E}\u{0}b \t c ".utf8)) == "a b c")
    }
}
