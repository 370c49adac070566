// SPDX-License-Identifier: Apache-2.0

import Accounts
import Foundation
import JSON
import MailTypes
import Storage
import Testing
import Wire

@testable import API

@Suite struct ListEventsTests {
    // MARK: Pages

    @Test func aPageSaysWhereTheNextBegins() async throws {
        try await withServer { server in
            let ann = try server.account()
            let first = try server.events(ann, "?limit=3")
            #expect(first.status == 200 && first.numbers == [1, 2, 3] && first.int("next") == 3)
            #expect(first["items", "0", "type"] == "account.created" && first["items", "0", "accountId"] == ann)
            #expect(first.field("cache-control") == "no-store")
            let second = try server.events("ann@example.com", "?limit=3&after=3")
            #expect(second.numbers == [4, 5, 6] && second["items", "0", "type"] == "folder.created")
            let end = try server.events(ann, "?after=newest")
            #expect(end.count("items") == 0 && end.int("next") == 7)
            #expect(try server.events(ann, "?after=7").text == #"{"items":[],"next":7}"#)
        }
    }

    @Test func aMessagesWayIsTold() async throws {
        try await withServer { server in
            let ann = try server.account()
            let start = try #require(try server.events(ann, "?after=newest").int("next"))
            let base = "/v1/accounts/\(ann)/messages"
            let made = try server.send(
                "POST",
                "\(base)?folder=inbox&flags=urgent",
                fields: [("Content-Type", "message/rfc822")],
                body: Array("Subject: x\r\n\r\nx\r\n".utf8)
            )
            let id = try #require(made["id"])
            _ = try server.send("PATCH", "\(base)/\(id)", json: #"{"flags":{"add":["seen"]}}"#)
            let moved = try server.send("PATCH", "\(base)/\(id)", json: #"{"folder":"archive"}"#)
            _ = try server.send("DELETE", "\(base)/\(id)?permanent=true")
            let page = try server.events(ann, "?after=\(start)")
            #expect(page.types == ["message.added", "message.flags_changed", "message.moved", "message.deleted"])
            for member in ["id", "folderId", "threadId", "contentId", "internalDate", "savedAt"] {
                #expect(page["items", "0", "data", member] == made[member])
            }
            #expect(page.int("items", "0", "data", "uid") == 1)
            #expect(page.strings("items", "0", "data", "flags") == ["urgent"])
            #expect(page.strings("items", "1", "data", "flags") == ["seen", "urgent"])
            #expect(page["items", "2", "data", "fromFolderId"] == made["folderId"])
            #expect(page["items", "2", "data", "folderId"] == moved["folderId"])
            #expect(page.int("items", "2", "data", "modseq") == moved.int("modseq"))
            #expect(page["items", "3", "data", "folderId"] == moved["folderId"])
        }
    }

    @Test func aFilterLetsTheCursorGoOn() async throws {
        try await withServer { server in
            let ann = try server.account()
            try server.makeFolder("a", in: ann)
            let folders = try server.events(ann, "?type=folder.*,account.deleted&limit=1000")
            #expect(Set(folders.types) == ["folder.created"] && folders.numbers == Array(2...8))
            let none = try server.events(ann, "?type=message.received")
            #expect(none.count("items") == 0 && none.int("next") == 8)
        }
    }

    @Test(arguments: [
        ("?after=-1", "after"), ("?after=x", "after"), ("?after=9007199254740992", "after"), ("?after=", "after"),
        ("?wait=61", "wait"), ("?wait=1.5", "wait"), ("?limit=0", "limit"), ("?limit=1001", "limit"),
        ("?type=message.exploded", "type"), ("?type=*", "type"), ("?type=.*", "type"), ("?type=", "type"),
        ("?type=message.received,", "type"), ("?since=1", "since"), ("?after=1&after=2", "after"),
    ])
    func aParameterThatCannotBeSo(_ query: String, _ name: String) async throws {
        try await withServer { server in
            let answer = try server.events(try server.account(), query)
            #expect(answer.status == 400 && answer["errors", "0", "parameter"] == name)
        }
    }

    @Test func whatIsNotOffered() async throws {
        try await withServer { server in
            let ann = try server.account()
            let answer = try server.send("GET", "/v1/accounts/\(ann)/events", fields: [("Accept", "text/html")])
            #expect(answer.status == 406)
            let stream = try server.send(
                "GET",
                "/v1/accounts/\(ann)/events",
                fields: [("Accept", "text/event-stream"), ("Last-Event-ID", "x")]
            )
            #expect(stream.status == 400 && stream["errors", "0", "parameter"] == "Last-Event-ID")
        }
    }

    @Test func aForeignAccountIsNone() async throws {
        try await withServer { server in
            let (ann, bob) = (try server.account(), try server.account("bob@example.com"))
            let id = try #require(AccountID(ann))
            let token = try await server.token(TokenDraft(name: "ann's", scopes: .read, accounts: [id]))
            #expect(try server.events(ann, token: token).status == 200)
            #expect(try server.events(bob, token: token).status == 404)
            let sender = try await server.token(TokenDraft(name: "sender", scopes: .send))
            #expect(try server.events(ann, token: sender).status == 403)
        }
    }

    // MARK: Cursors that are not there

    @Test func aCursorAheadIsRefusedAndTheEndTold() async throws {
        try await withServer { server in
            let answer = try server.events(try server.account(), "?after=8")
            #expect(answer.status == 409 && answer["code"] == "cursor_ahead")
            #expect(answer.int("oldest") == 1 && answer.int("newest") == 7)
        }
    }

    @Test(arguments: ["application/json", "text/event-stream"])
    func anExpiredCursorIsRefusedAndTheWayOnTold(_ type: String) async throws {
        try await withServer { server in
            let ann = try server.account()
            try await server.expireEvents(of: "ann@example.com")
            func ask(_ after: String) throws -> TestResponse {
                try server.send("GET", "/v1/accounts/\(ann)/events?after=\(after)", fields: [("Accept", type)])
            }
            for cursor in [0, 7, 106] {
                let answer = try ask("\(cursor)")
                #expect(answer.status == 410 && answer["code"] == "cursor_expired")
                #expect(answer.int("oldest") == 108 && answer.int("newest") == 207)
            }
            #expect(try server.events(ann, "?after=107&limit=1000").numbers == Array(108...207))
            #expect(try server.events(ann, "?limit=1").numbers == [108])
        }
    }

    // MARK: Waiting

    @Test func anAnswerWaitsForTheFirstEvent() async throws {
        try await withServer { server in
            let ann = try server.account()
            async let waiting = onThread { try server.events(ann, "?after=7&wait=60") }
            try await server.untilWaiting(1)
            try server.makeFolder("a", in: ann)
            let answer = try await waiting
            #expect(answer.types == ["folder.created"] && answer.int("next") == 8)
            try await server.untilWaiting(0)
        }
    }

    @Test func whatTheFilterKeepsBackDoesNotEndTheWait() async throws {
        try await withServer { server in
            let ann = try server.account()
            async let waiting = onThread { try server.events(ann, "?after=7&wait=60&type=folder.deleted") }
            try await server.untilWaiting(1)
            try server.makeFolder("a", in: ann)
            let folder = try server.send("POST", "/v1/accounts/\(ann)/folders", json: #"{"name":"b"}"#)
            _ = try server.send("DELETE", "/v1/accounts/\(ann)/folders/\(try #require(folder["id"]))")
            let answer = try await waiting
            #expect(answer.numbers == [10] && answer.int("next") == 10)
        }
    }

    @Test func theWaitEndsEmpty() async throws {
        try await withServer { server in
            let answer = try server.events(try server.account(), "?after=newest&wait=1")
            #expect(answer.status == 200 && answer.text == #"{"items":[],"next":7}"#)
        }
    }

    @Test func headDoesNotWait() async throws {
        try await withServer { server in
            let ann = try server.account()
            for type in ["application/json", "text/event-stream"] {
                let answer = try server.send(
                    "HEAD",
                    "/v1/accounts/\(ann)/events?after=newest&wait=60",
                    fields: [("Accept", type)]
                )
                #expect(answer.status == 200 && answer.field("content-type") == type)
            }
        }
    }

    @Test func aRevokedTokenWaitsNoLonger() async throws {
        try await withServer { server in
            let ann = try server.account()
            let token = try await server.token(TokenDraft(name: "x", scopes: .read))
            async let waiting = onThread { try server.events(ann, "?after=7&wait=60", token: token) }
            try await server.untilWaiting(1)
            try await server.revoke("x")
            #expect(try await waiting.status == 401)
        }
    }

    @Test func theServersStopAnswers() async throws {
        try await withServer { server in
            let ann = try server.account()
            async let waiting = onThread { try server.events(ann, "?after=7&wait=60") }
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=newest")
            try await server.untilWaiting(2)
            #expect(await server.drain())
            #expect(try await waiting.text == #"{"items":[],"next":7}"#)
            #expect(stream.rest().hasSuffix("\n: the server is stopping\nid: 7\n\n\n0\n\n"))
        }
    }

    // MARK: Streams

    @Test func aStreamBeginsWithWhatIsThereAndGoesOn() async throws {
        try await withServer { server in
            let ann = try server.account()
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=6")
            let head = stream.read(to: "\n\n")
            #expect(head.hasPrefix("HTTP/1.1 200 ") && head.contains("Content-Type: text/event-stream\n"))
            #expect(stream.read(to: "\n\n").hasSuffix("retry: 2000\nid: 6\n\n"))
            #expect(stream.read(to: "data: ") == "id: 7\nevent: folder.created\ndata: ")
            let item = try server.events(ann, "?after=6").text.dropFirst(10).dropLast(11)
            #expect(stream.read(to: "\n\n") == item + "\n\n")
            for (number, name) in ["a", "b", "c"].enumerated() {
                try server.makeFolder(name, in: ann)
                #expect(stream.read(to: "\n\n").contains("id: \(8 + number)\nevent: folder.created\ndata: {"))
            }
        }
    }

    @Test func lastEventIDCountsMoreThanAfter() async throws {
        try await withServer { server in
            let ann = try server.account()
            let stream = try TestStream(
                server,
                "/v1/accounts/\(ann)/events?after=0",
                fields: [("Last-Event-ID", "6")]
            )
            #expect(stream.read(to: "event: ").hasSuffix("retry: 2000\nid: 6\n\nid: 7\nevent: "))
        }
    }

    @Test func manyEventsComeInPieces() async throws {
        try await withServer { server in
            let ann = try server.account()
            let key = try #require(try await server.store.read { try $0.accounts.find("ann@example.com") }).key
            try await server.store.write { transaction in
                for _ in 0..<2500 { _ = try transaction.events.append(.folderRenamed, to: key) { _ in } }
            }
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=7")
            let text = stream.read(to: "id: 2507\n")
            let ids = text.components(separatedBy: "\n").filter { $0.hasPrefix("id: ") }
            #expect(ids == (7...2507).map { "id: \($0)" })
        }
    }

    @Test func aQuietStreamSaysThatItIsThereAndHowFarItIs() async throws {
        try await withServer({ $0.eventKeepAliveMilliseconds = 20 }) { server in
            let ann = try server.account()
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=7&type=message.*")
            #expect(stream.read(to: ": keep-alive\n\n").contains("id: 7\n\n"))
            try server.makeFolder("a", in: ann)
            #expect(stream.read(to: ": keep-alive\nid: 8\n\n").contains("keep-alive"))
            #expect(!stream.isAtEnd)
        }
    }

    @Test func aStreamEndsWithItsToken() async throws {
        try await withServer { server in
            let ann = try server.account()
            let token = try await server.token(TokenDraft(name: "x", scopes: .read))
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=7", token: token)
            let other = try TestStream(server, "/v1/accounts/\(ann)/events?after=7")
            try await server.untilWaiting(2)
            try await server.revoke("x")
            #expect(stream.rest().hasSuffix("\n: the token has ended\nid: 7\n\n\n0\n\n"))
            try server.makeFolder("a", in: ann)
            #expect(other.read(to: "\nevent: ").hasSuffix("id: 8\nevent: "))
        }
    }

    @Test func aStreamEndsWhenItsTokenExpires() async throws {
        try await withServer { server in
            let ann = try server.account()
            let token = try await server.token(
                TokenDraft(
                    name: "x",
                    scopes: .read,
                    expiresAt: Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000) + 3000)
                )
            )
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=7", token: token)
            let text = stream.rest()
            // On a slow machine it has expired before it came.
            let isLate = text.hasPrefix("HTTP/1.1 401 ")
            #expect(isLate || text.hasSuffix("\n: the token has ended\nid: 7\n\n\n0\n\n"))
        }
    }

    @Test func aStreamEndsWithItsAccount() async throws {
        try await withServer { server in
            let ann = try server.account()
            let stream = try TestStream(server, "/v1/accounts/\(ann)/events?after=7")
            let filtered = try TestStream(server, "/v1/accounts/\(ann)/events?after=7&type=message.*")
            try await server.untilWaiting(2)
            #expect(try server.send("DELETE", "/v1/accounts/\(ann)").status == 204)
            let text = stream.rest()
            #expect(text.contains("id: 8\nevent: account.deleted\ndata: "))
            #expect(text.hasSuffix(": the account is deleted\nid: 8\n\n\n0\n\n"))
            #expect(filtered.rest().hasSuffix(": the account is deleted\nid: 8\n\n\n0\n\n"))
            #expect(try server.events(ann).status == 404)
        }
    }

    @Test func aTokenHasSoManyStreams() async throws {
        try await withServer({ $0.eventStreamsPerToken = 2 }) { server in
            let ann = try server.account()
            let target = "/v1/accounts/\(ann)/events?after=7"
            var streams = [try TestStream(server, target), try TestStream(server, target)]
            try await server.untilWaiting(2)
            let refused = try server.send("GET", target, fields: [("Accept", "text/event-stream")])
            #expect(refused.status == 429 && refused["code"] == "too_many_streams")
            #expect(refused.field("retry-after") == "5")
            #expect(try server.events(ann, "?after=7&wait=60").status == 429)
            #expect(try server.events(ann, "?after=7").status == 200)
            let other = try await server.token(TokenDraft(name: "y", scopes: .read))
            #expect(try server.events(ann, "?after=7&wait=1", token: other).status == 200)
            streams.removeAll()
            try await server.untilWaiting(0)
            #expect(try server.events(ann, "?after=7&wait=1").status == 200)
        }
    }

    @Test func aBoundOriginReadsAStream() async throws {
        try await withServer { server in
            let ann = try server.account()
            let origin = "https://app.example.com"
            let token = try await server.token(TokenDraft(name: "page", scopes: .read, origins: [origin]))
            let target = "/v1/accounts/\(ann)/events?after=7"
            let stream = try TestStream(server, target, token: token, fields: [("Origin", origin)])
            #expect(stream.read(to: "\n\n").contains("Access-Control-Allow-Origin: \(origin)\n"))
            let foreign = try server.client.send(
                "GET",
                target,
                token: token,
                fields: [("Origin", "https://evil.example.com"), ("Accept", "text/event-stream")]
            )
            #expect(foreign.status == 403 && foreign.field("access-control-allow-origin") == nil)
        }
    }
}

extension TestServer {
    /// Returns when so many streams and requests wait.
    func untilWaiting(_ count: Int) async throws {
        while api.eventWaiters.counts.waiting != count { try await Task.sleep(nanoseconds: 2_000_000) }
    }

    /// Has 200 more things happen in the account, of which the last 100 are kept.
    func expireEvents(of address: String) async throws {
        let account = try #require(try await store.read { try $0.accounts.find(address) })
        try await store.write { transaction in
            for _ in 0..<200 { _ = try transaction.events.append(.accountUpdated, to: account.key) { _ in } }
        }
        _ = try await store.sweep()
    }

    /// Revokes the token of that name as an administrator does.
    func revoke(_ name: String) async throws {
        let grant = try #require(try await tokens.list().first { $0.name == name })
        #expect(try send("DELETE", "/v1/tokens/\(grant.id)").status == 204)
    }
}
