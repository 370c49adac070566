// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import API

@Suite struct GetMessageTests {
    @Test func jsonHasEverything() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let id = try #require(try server.append(Letters.rich, to: account)["id"])
            let message = try server.send("GET", "\(messages)/\(id)")
            #expect(message.status == 200)
            #expect(message["text"]?.trimmed == "Café at nine")
            #expect(message["html"]?.contains("<script>") == true)
            #expect(message.bool("textTruncated") == false && message.bool("quarantined") == false)
            #expect(message["attachments", "0", "filename"] == "../re port.pdf")
            #expect(message["attachments", "0", "safeFilename"]?.contains("/") == false)
            #expect(message.int("attachments", "0", "size") == 10)
            #expect(message["structure", "contentType"] == "multipart/mixed")
            let names = Set(message.json.object?.members.map { String(decoding: $0.name, as: UTF8.self) } ?? [])
            #expect(names == Set(MessageFields.names.map { "\($0)" }))
        }
    }

    @Test(arguments: [
        ("application/json", "application/json"), ("*/*", "application/json"), ("message/*", "message/rfc822"),
        ("text/plain", "text/plain; charset=utf-8"), ("text/html;q=0.5, text/plain;q=0.1", "text/html; charset=utf-8"),
    ])
    func formIsTheOneAskedFor(_ accept: String, _ type: String) async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.rich, to: account)
            let answer = try server.send("GET", "\(messages)/latest", fields: [("Accept", accept)])
            #expect(answer.status == 200)
            #expect(answer.field("content-type") == type)
            #expect(answer.field("vary") == "Accept")
            let tag = try #require(answer.field("etag"))
            let same = try server.send(
                "GET",
                "\(messages)/latest",
                fields: [("Accept", accept), ("If-None-Match", tag)]
            )
            #expect(same.status == 304 && same.field("vary") == "Accept")
            if type != "application/json" {
                #expect(answer.field("content-security-policy")?.contains("sandbox") == true)
            }
            let none = try server.send("GET", "\(messages)/latest", fields: [("Accept", "image/png")])
            #expect(none.status == 406 && none.field("vary") == "Accept")
        }
    }

    @Test func fieldsAreSparseAndStrict() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.rich, to: account)
            let some = try server.send("GET", "\(messages)/latest?fields=subject,flags,text,defects")
            let names = some.json.object?.members.map { String(decoding: $0.name, as: UTF8.self) }
            #expect(names == ["flags", "subject", "defects", "text"])
            for bad in ["", "subject,", "Subject", "subject,subject", "password"] {
                #expect(try server.send("GET", "\(messages)/latest?fields=\(bad)").status == 400, "\(bad)")
            }
        }
    }

    @Test func etagChangesWithTheFlags() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let made = try server.append(Letters.plain(1), to: account)
            let (id, tag) = (try #require(made["id"]), try #require(made.field("etag")))
            let same = try server.send("GET", "\(messages)/\(id)", fields: [("If-None-Match", tag)])
            #expect(same.status == 304 && same.body.isEmpty)
            #expect(try server.send("PATCH", "\(messages)/\(id)", json: #"{"flags":{"add":["seen"]}}"#).status == 200)
            #expect(try server.send("GET", "\(messages)/\(id)", fields: [("If-None-Match", tag)]).status == 200)
        }
    }

    /// What was changed together has one MODSEQ; the newest message may be another one meanwhile.
    @Test func etagTellsMessagesApart() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let older = try #require(try server.append(Letters.plain(1), to: account)["id"])
            let newer = try #require(try server.append(Letters.plain(2), to: account)["id"])
            let all = "\(messages)?folder=inbox"
            #expect(try server.send("PATCH", all, json: #"{"flags":{"add":["seen"]}}"#).int("changed") == 2)
            let shown = try server.send("GET", "\(messages)/latest")
            let tag = try #require(shown.field("etag"))
            #expect(shown["id"] == newer)
            #expect(try server.send("DELETE", "\(messages)/\(newer)?permanent=true").status == 204)
            let next = try server.send("GET", "\(messages)/latest", fields: [("If-None-Match", tag)])
            #expect(next.status == 200 && next["id"] == older)
            #expect(try server.send("DELETE", "\(messages)/latest", fields: [("If-Match", tag)]).status == 412)
        }
    }

    @Test func unknownAndForeignAre404() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let other = try server.account("bob@example.com")
            let id = try #require(try server.append(Letters.plain(1), to: other)["id"])
            for name in ["latest", "msg_aaaaaaaaaaaaaaaa", id, "x", "..", account] {
                for form in ["", "/raw", "/text", "/html", "/attachments/1"] {
                    #expect(try server.send("GET", "\(messages)/\(name)\(form)").status == 404, "\(name)\(form)")
                }
            }
        }
    }
}

extension String {
    fileprivate var trimmed: String { String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()) }
}

@Suite struct GetRawMessageTests {
    @Test func rangesAreServed() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let body = Letters.plain(1) + String(repeating: "0123456789", count: 30_000) + "\n"
            let id = try #require(try server.append(body, to: account)["id"])
            let whole = try server.send("GET", "\(messages)/\(id)/raw")
            let tag = try #require(whole.field("etag"))
            #expect(whole.field("accept-ranges") == "bytes" && whole.body.count > 300_000)
            func range(_ range: String, _ more: [(String, String)] = []) throws -> TestResponse {
                try server.send("GET", "\(messages)/\(id)/raw", fields: [("Range", "bytes=\(range)")] + more)
            }
            let part = try range("70000-270000")
            #expect(part.status == 206 && part.body == Array(whole.body[70_000...270_000]))
            #expect(part.field("content-range") == "bytes 70000-270000/\(whole.body.count)")
            #expect(try range("-5").body == Array(whole.body.suffix(5)))
            #expect(try range("0-0", [("If-Range", tag)]).status == 206)
            #expect(try range("0-0", [("If-Range", "\"x\"")]).status == 200)
            let none = try range("\(whole.body.count)-")
            #expect(none.status == 416 && none.field("content-range") == "bytes */\(whole.body.count)")
            let head = try server.send("HEAD", "\(messages)/\(id)/raw")
            #expect(head.status == 200 && head.field("content-length") == "\(whole.body.count)")
            // Ranges are for GET (RFC 9110 §14.2).
            let headOfPart = try server.send("HEAD", "\(messages)/\(id)/raw", fields: [("Range", "bytes=0-0")])
            #expect(headOfPart.status == 200 && headOfPart.field("content-length") == "\(whole.body.count)")
            #expect(try server.send("GET", "\(messages)/\(id)/raw", fields: [("If-None-Match", tag)]).status == 304)
        }
    }
}

@Suite struct GetMessageTextTests {
    @Test func isUTF8() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.rich, to: account)
            let text = try server.send("GET", "\(messages)/latest/text")
            #expect(text.field("content-type") == "text/plain; charset=utf-8")
            #expect(text.text.hasPrefix("Café at nine"))
            #expect(text.field("x-content-type-options") == "nosniff")
        }
    }
}

@Suite struct GetMessageHTMLTests {
    @Test func isSandboxedAndAbsentWhereThereIsNone() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.rich, to: account)
            let html = try server.send("GET", "\(messages)/latest/html")
            #expect(html.text.contains("<p>Café"))
            let policy = try #require(html.field("content-security-policy"))
            #expect(policy.contains("default-src 'none'") && policy.contains("sandbox"))
            try server.append(Letters.plain(1), to: account)
            #expect(try server.send("GET", "\(messages)/latest/html").status == 404)
        }
    }
}

@Suite struct GetAttachmentTests {
    @Test func isDecodedAndNeverRun() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            try server.append(Letters.rich, to: account)
            let part = try #require(try server.send("GET", "\(messages)/latest")["attachments", "0", "part"])
            let path = "\(messages)/latest/attachments/\(part)"
            let whole = try server.send("GET", path)
            #expect(whole.body == Array(0...9) && whole.field("content-type") == "application/pdf")
            let disposition = try #require(whole.field("content-disposition"))
            #expect(disposition.hasPrefix("attachment;") && !disposition.contains("/"))
            let inline = try server.send("GET", "\(path)?inline=true")
            #expect(inline.field("content-disposition")?.hasPrefix("attachment;") == true)
            let some = try server.send("GET", path, fields: [("Range", "bytes=2-4")])
            #expect(some.status == 206 && some.body == [2, 3, 4])
            #expect(try server.send("GET", "\(messages)/latest/attachments/9").status == 404)
            #expect(try server.send("GET", "\(path)?inline=yes").status == 400)
        }
    }

    /// Blanks at the end of a line are held back until it is known that something follows: then more comes at once than
    /// was asked for.
    @Test func nothingIsLostWhereADecoderHeldOctetsBack() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let content =
                String(repeating: "x", count: 65_036) + String(repeating: " ", count: 1000)
                + String(repeating: "y", count: 150_000)
            let letter =
                "From: a@b\nMIME-Version: 1.0\nContent-Type: application/x-y\nContent-Transfer-Encoding: quoted-printable\n"
                + "Content-Disposition: attachment; filename=f\n\n\(content)\n"
            try server.append(letter, to: account)
            let part = try #require(try server.send("GET", "\(messages)/latest")["attachments", "0", "part"])
            let path = "\(messages)/latest/attachments/\(part)"
            let whole = try server.send("GET", path)
            #expect(whole.body.starts(with: Array(content.utf8)) && whole.body.count <= content.utf8.count + 2)
            #expect(whole.field("content-length") == "\(whole.body.count)")
            let some = try server.send("GET", path, fields: [("Range", "bytes=60000-200000")])
            #expect(some.status == 206 && some.body == Array(whole.body[60_000...200_000]))
        }
    }
}
