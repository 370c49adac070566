// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import API

@Suite struct ListThreadsTests {
    @Test func theNewestIsFirst() async throws {
        try await withServer { server in
            let (account, _) = try server.mailbox()
            try server.append(Letters.plain(1), to: account, "?internalDate=2026-01-01T00:00:00Z")
            try server.append(Letters.plain(2), to: account, "?internalDate=2026-01-02T00:00:00Z")
            try server.append(
                Letters.plain(3, replyTo: 1),
                to: account,
                "?internalDate=2026-01-03T00:00:00Z&flags=seen"
            )
            let threads = "/v1/accounts/\(account)/threads"
            let first = try server.send("GET", "\(threads)?limit=1")
            #expect(first["items", "0", "subject"] == "Letter 3")
            #expect(first.int("items", "0", "messages") == 2 && first.int("items", "0", "unread") == 1)
            #expect(first["items", "0", "latest"] == "2026-01-03T00:00:00.000Z")
            let rest = try server.send("GET", "\(threads)?limit=1&cursor=\(try #require(first["next"]))")
            #expect(rest["items", "0", "subject"] == "Letter 2" && rest["next"] == nil)
            #expect(try server.send("GET", "\(threads)?folder=archive").count("items") == 0)
            #expect(try server.send("GET", "\(threads)?folder=nowhere").status == 404)
        }
    }
}

@Suite struct GetThreadTests {
    @Test func messagesAreOldestFirst() async throws {
        try await withServer { server in
            let (account, _) = try server.mailbox()
            let made = try server.append(Letters.plain(1), to: account)
            try server.append(Letters.plain(2, replyTo: 1), to: account)
            let threads = "/v1/accounts/\(account)/threads"
            let thread = try server.send("GET", "\(threads)/\(try #require(made["threadId"]))")
            #expect(
                thread["messages", "0", "subject"] == "Letter 1" && thread["messages", "1", "subject"] == "Letter 2"
            )
            #expect(try server.send("GET", "\(threads)/thr_aaaaaaaaaaaaaaaa").status == 404)
            #expect(try server.send("GET", "\(threads)/x").status == 404)
        }
    }
}
