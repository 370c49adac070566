// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import API

@Suite struct CreateFolderTests {
    @Test func standsBelowItsParent() async throws {
        try await withServer { server in
            let base = "/v1/accounts/\(try server.account())/folders"
            let top = try server.send("POST", base, json: #"{"name":"Work"}"#)
            #expect(top.status == 201 && top["path"] == "Work" && top.value(at: ["parentId"]) == .null)
            let id = try #require(top["id"])
            #expect(top.field("location") == "\(base)/\(id)")
            let below = try server.send("POST", base, json: #"{"name":"2026 – É","parent":"\#(id)"}"#)
            #expect(below["path"] == "Work/2026 – É" && below["name"] == "2026 – É" && below["parentId"] == id)
            #expect(try server.send("POST", base, json: #"{"name":"Work"}"#).status == 409)
            #expect(try server.send("POST", base, json: #"{"name":"inbox"}"#).status == 409)
            #expect(try server.send("POST", base, json: #"{"name":"x","parent":"fld_aaaaaaaaaaaaaaaa"}"#).status == 409)
            #expect(try server.send("GET", base).count("items") == 8)
        }
    }

    @Test(arguments: [
        #"{"name":""}"#, #"{"name":"a/b"}"#, #"{"name":"a\u0000"}"#, #"{"name":"\u0085"}"#, #"{"name":" a"}"#,
    ])
    func namesAreStrict(_ body: String) async throws {
        try await withServer { server in
            let answer = try server.send("POST", "/v1/accounts/\(try server.account())/folders", json: body)
            #expect(answer.status == 422)
            #expect(answer["errors", "0", "pointer"] == "/name")
        }
    }
}

@Suite struct GetFolderTests {
    @Test func isNamedByRoleOrIdAndAnswers304() async throws {
        try await withServer { server in
            let base = "/v1/accounts/\(try server.account())/folders"
            let inbox = try server.send("GET", "\(base)/inbox")
            #expect(inbox["role"] == "inbox" && inbox.int("messages") == 0 && inbox.int("unread") == 0)
            let (id, tag) = (try #require(inbox["id"]), try #require(inbox.field("etag")))
            #expect(try server.send("GET", "\(base)/\(id)")["id"] == id)
            #expect(try server.send("GET", "\(base)/inbox", fields: [("If-None-Match", tag)]).status == 304)
            #expect(try server.send("GET", "\(base)/outbox").status == 404)
            #expect(try server.send("GET", "\(base)/INBOX").status == 404)
        }
    }
}

@Suite struct UpdateFolderTests {
    @Test func movesWithWhatIsBelow() async throws {
        try await withServer { server in
            let base = "/v1/accounts/\(try server.account())/folders"
            let a = try #require(try server.send("POST", base, json: #"{"name":"a"}"#)["id"])
            let b = try #require(try server.send("POST", base, json: #"{"name":"b","parent":"\#(a)"}"#)["id"])
            let c = try #require(try server.send("POST", base, json: #"{"name":"c"}"#)["id"])
            let moved = try server.send("PATCH", "\(base)/\(a)", json: #"{"name":"z","parent":"\#(c)"}"#)
            #expect(moved.status == 200 && moved["path"] == "c/z")
            #expect(try server.send("GET", "\(base)/\(b)")["path"] == "c/z/b")
            #expect(try server.send("PATCH", "\(base)/\(a)", json: #"{"parent":null}"#)["path"] == "z")
            #expect(try server.send("PATCH", "\(base)/\(a)", json: #"{"parent":"\#(b)"}"#).status == 422)
            #expect(try server.send("PATCH", "\(base)/inbox", json: #"{"name":"y"}"#).status == 409)
            #expect(try server.send("PATCH", "\(base)/\(a)", json: "{}").status == 422)
        }
    }

    @Test func happensOnlyInTheStateThatWasSeen() async throws {
        try await withServer { server in
            let base = "/v1/accounts/\(try server.account())/folders"
            let made = try server.send("POST", base, json: #"{"name":"a"}"#)
            let (id, tag) = (try #require(made["id"]), try #require(made.field("etag")))
            func rename(_ name: String) throws -> Int {
                try server.send(
                    "PATCH",
                    "\(base)/\(id)",
                    json: #"{"name":"\#(name)"}"#,
                    fields: [("If-Match", tag)]
                ).status
            }
            #expect(try rename("b") == 200)
            #expect(try rename("c") == 412)
        }
    }
}

@Suite struct DeleteFolderTests {
    @Test func onlyLeavesWithoutARole() async throws {
        try await withServer { server in
            let base = "/v1/accounts/\(try server.account())/folders"
            let a = try #require(try server.send("POST", base, json: #"{"name":"a"}"#)["id"])
            let b = try #require(try server.send("POST", base, json: #"{"name":"b","parent":"\#(a)"}"#)["id"])
            #expect(try server.send("DELETE", "\(base)/\(a)").status == 409)
            #expect(try server.send("DELETE", "\(base)/inbox").status == 409)
            #expect(try server.send("DELETE", "\(base)/\(b)").status == 204)
            #expect(try server.send("DELETE", "\(base)/\(a)").status == 204)
            #expect(try server.send("DELETE", "\(base)/\(a)").status == 404)
        }
    }
}
