// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import API

@Suite struct UpdateMessageTests {
    @Test func flagsAreAddedRemovedAndSet() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let path = "\(messages)/\(try #require(try server.append(Letters.plain(1), to: account)["id"]))"
            func patch(_ flags: String) throws -> [String]? {
                try server.send("PATCH", path, json: #"{"flags":\#(flags)}"#).strings("flags")
            }
            #expect(try patch(#"{"add":["seen","Work"]}"#) == ["seen", "Work"])
            #expect(try patch(#"{"add":["work","$Later"],"remove":["SEEN"]}"#) == ["$Later", "Work"])
            #expect(try patch(#"{"set":["flagged"]}"#) == ["flagged"])
            #expect(try patch(#"{"set":[]}"#) == [])
            for bad in [
                #"{}"#, #"{"set":[],"add":[]}"#, #"{"add":"seen"}"#, #"{"add":["a b"]}"#, #"{"add":["\\Seen"]}"#, "[]",
            ] {
                #expect(try server.send("PATCH", path, json: #"{"flags":\#(bad)}"#).status == 422, "\(bad)")
            }
        }
    }

    @Test func movingKeepsTheId() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let made = try server.append(Letters.plain(1), to: account)
            let id = try #require(made["id"])
            let moved = try server.send(
                "PATCH",
                "\(messages)/\(id)",
                json: #"{"folder":"archive","flags":{"add":["seen"]}}"#
            )
            #expect(moved.status == 200 && moved["id"] == id && moved["folderId"] != made["folderId"])
            #expect(moved["contentId"] == made["contentId"] && moved.strings("flags") == ["seen"])
            #expect(try server.send("GET", "\(messages)?folder=inbox").count("items") == 0)
            #expect(try server.send("GET", "\(messages)?folder=archive")["items", "0", "id"] == id)
            #expect(try server.send("PATCH", "\(messages)/\(id)", json: #"{"folder":"nowhere"}"#).status == 409)
            #expect(try server.send("PATCH", "\(messages)/\(id)", json: "{}").status == 422)
        }
    }

    @Test func happensOnlyInTheStateThatWasSeen() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let made = try server.append(Letters.plain(1), to: account)
            let (id, tag) = (try #require(made["id"]), try #require(made.field("etag")))
            func patch(_ flag: String) throws -> TestResponse {
                try server.send(
                    "PATCH",
                    "\(messages)/\(id)",
                    json: #"{"flags":{"add":["\#(flag)"]}}"#,
                    fields: [("If-Match", tag)]
                )
            }
            #expect(try patch("seen").status == 200)
            let second = try patch("flagged")
            #expect(second.status == 412 && second["code"] == "precondition_failed")
            #expect(try server.send("GET", "\(messages)/\(id)").strings("flags") == ["seen"])
            #expect(
                try server.send("DELETE", "\(messages)/\(id)", fields: [("If-Match", tag)]).status == 412
            )
        }
    }
}

@Suite struct DeleteMessageTests {
    @Test func goesToTheTrashAndFromThereForGood() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let id = try #require(try server.append(Letters.plain(1), to: account)["id"])
            #expect(try server.send("DELETE", "\(messages)/\(id)").status == 204)
            #expect(try server.send("GET", "\(messages)?folder=trash")["items", "0", "id"] == id)
            #expect(try server.send("DELETE", "\(messages)/\(id)").status == 204)
            #expect(try server.send("GET", "\(messages)/\(id)").status == 404)
            let other = try #require(try server.append(Letters.plain(2), to: account)["id"])
            #expect(try server.send("DELETE", "\(messages)/\(other)?permanent=true").status == 204)
            #expect(try server.send("GET", "\(messages)").count("items") == 0)
        }
    }
}

@Suite struct CopyMessageTests {
    @Test func copyHasItsOwnIdAndTheSameContent() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            let made = try server.append(Letters.plain(1), to: account, "?flags=seen")
            let id = try #require(made["id"])
            let copy = try server.send("POST", "\(messages)/\(id)/copy", json: #"{"folder":"archive"}"#)
            #expect(copy.status == 201 && copy["id"] != id)
            #expect(copy["contentId"] == made["contentId"] && copy["threadId"] == made["threadId"])
            #expect(copy.strings("flags") == ["seen"])
            #expect(copy.field("location") == "\(messages)/\(try #require(copy["id"]))")
            #expect(try server.send("POST", "\(messages)/\(id)/copy", json: "{}").status == 422)
            #expect(try server.send("POST", "\(messages)/latest/copy", json: #"{"folder":"nowhere"}"#).status == 409)
        }
    }
}

@Suite struct UpdateMessagesTests {
    @Test func changesWhatMatchesAndSaysHowMuch() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            for number in 0..<1203 {
                try server.append(Letters.plain(number), to: account, number % 3 == 0 ? "?flags=flagged" : "")
            }
            let dry = try server.send(
                "PATCH",
                "\(messages)?folder=inbox&flagged=true&dryRun=true",
                json: #"{"flags":{"add":["seen"]}}"#
            )
            #expect(dry.int("matched") == 401 && dry.int("changed") == 401 && dry.bool("dryRun") == true)
            #expect(try server.send("GET", "/v1/accounts/\(account)/folders/inbox").int("unread") == 1203)
            let done = try server.send(
                "PATCH",
                "\(messages)?folder=inbox&unread=true",
                json: #"{"flags":{"add":["seen"]}}"#
            )
            #expect(done.int("matched") == 1203 && done.int("changed") == 1203 && done.bool("remaining") == false)
            #expect(try server.send("GET", "/v1/accounts/\(account)/folders/inbox").int("unread") == 0)
            let again = try server.send("PATCH", "\(messages)?folder=inbox", json: #"{"flags":{"add":["seen"]}}"#)
            #expect(again.int("matched") == 1203 && again.int("changed") == 0)
            #expect(try server.send("PATCH", messages, json: #"{"flags":{"add":["seen"]}}"#).status == 400)
        }
    }
}

@Suite struct DeleteMessagesTests {
    @Test func movesToTheTrashOrDeletes() async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            for number in 0..<4 {
                try server.append(Letters.plain(number), to: account, number < 2 ? "?flags=seen" : "")
            }
            let dry = try server.send("DELETE", "\(messages)?folder=inbox&dryRun=true")
            #expect(dry.int("matched") == 4 && dry.int("changed") == 4)
            #expect(try server.send("DELETE", "\(messages)?folder=inbox&unread=false").int("changed") == 2)
            #expect(try server.send("GET", "\(messages)?folder=trash").count("items") == 2)
            #expect(try server.send("DELETE", "\(messages)?folder=all&permanent=true").int("changed") == 4)
            #expect(try server.send("GET", messages).count("items") == 0)
            #expect(try server.send("DELETE", messages).status == 400)
        }
    }

    /// Words that are none, or a query that is not well-formed, must not widen what is deleted or changed.
    @Test(arguments: ["from=%21%21%21", "subject=%20", "q=(", "q=form%3Abob", "q=%22Letter", "to=%C2%BF"])
    func whatIsNotUnderstoodChangesNothing(_ query: String) async throws {
        try await withServer { server in
            let (account, messages) = try server.mailbox()
            for number in 0..<3 { try server.append(Letters.plain(number), to: account) }
            let target = "\(messages)?folder=inbox&\(query)"
            for dryRun in ["&dryRun=true", ""] {
                let deleted = try server.send("DELETE", target + dryRun)
                let changed = try server.send("PATCH", target + dryRun, json: #"{"flags":{"add":["seen"]}}"#)
                for answer in [deleted, changed] {
                    #expect(answer.status == 200 && answer.int("matched") == 0 && answer.int("changed") == 0)
                    #expect(answer["notice"]?.isEmpty == false, "\(answer.text)")
                }
            }
            let folder = try server.send("GET", "/v1/accounts/\(account)/folders/inbox")
            #expect(folder.int("messages") == 3 && folder.int("unread") == 3)
        }
    }
}
