// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import API

@Suite struct AppendMessageTests {
    @Test func storesWithCRLFFlagsAndDate() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let made = try server.append(
                Letters.rich,
                to: account,
                "?folder=archive&flags=seen,Project&internalDate=2026-04-01T07:00:00Z"
            )
            let id = try #require(made["id"])
            #expect(made.field("location") == "\(messages)/\(id)")
            #expect(made.strings("flags") == ["seen", "Project"])
            #expect(made["internalDate"] == "2026-04-01T07:00:00.000Z")
            #expect(made["subject"] == "Café" && made["messageId"] == "<rich@example.org>")
            #expect(made["from", "0", "address"] == "bob@example.org" && made.bool("hasAttachments") == true)
            let raw = try server.send("GET", "\(messages)/\(id)/raw")
            #expect(raw.text == Letters.rich.replacing("\n", with: "\r\n"))
            #expect(raw.field("content-type") == "message/rfc822")
            #expect(made.int("size") == Int64(raw.body.count))
            let folder = try server.send("GET", "/v1/accounts/\(account)/folders/archive")
            #expect(folder.int("messages") == 1 && folder.int("unread") == 0 && folder["id"] == made["folderId"])
        }
    }

    @Test func isRefused() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            func post(_ query: String, _ type: String = "message/rfc822", _ body: String = "A: b\n\nc\n") throws -> Int
            {
                try server.send("POST", messages + query, fields: [("Content-Type", type)], body: Array(body.utf8))
                    .status
            }
            #expect(try post("", "text/plain") == 415)
            #expect(try post("", "message/rfc822", "") == 422)
            #expect(try post("?folder=nowhere") == 404)
            #expect(try post("?flags=a%20b") == 400)
            #expect(try post("?flags=seen,") == 400)
            #expect(try post("?internalDate=2026-04-01") == 400)
            #expect(try post("?folder=inbox&folder=inbox") == 400)
            #expect(try server.send("GET", "/v1/accounts/\(account)/folders/inbox").int("messages") == 0)
        }
    }
}
