// SPDX-License-Identifier: Apache-2.0

import Accounts
import Crypto
import JSON
import MailTypes
import Storage
import Testing
import Webhooks
import Wire

@testable import API

extension TestServer {
    /// A new webhook, its answer.
    fileprivate func webhook(_ more: String = "", token: String? = nil) throws -> TestResponse {
        try client.send(
            "POST",
            "/v1/webhooks",
            token: token ?? admin,
            fields: [("Content-Type", "application/json")],
            body: Array(#"{"url":"https://example.org/hook"\#(more)}"#.utf8)
        )
    }

    fileprivate func happen(_ count: Int, in account: String, _ prefix: String = "f") throws {
        for number in 0..<count {
            _ = try send("POST", "/v1/accounts/\(account)/folders", json: #"{"name":"\#(prefix)\#(number)"}"#)
        }
    }
}

/// Looks again and again until it is so; false after a long time.
private func eventually(_ isTrue: () async throws -> Bool) async rethrows -> Bool {
    for _ in 0..<3000 {
        if try await isTrue() { return true }
        try? await Task.sleep(nanoseconds: 10_000_000)
    }
    return try await isTrue()
}

/// What is encoded in base64 behind so many characters.
private func decoded(_ text: String, after prefix: Int) -> [UInt8]? {
    Base64.decode(Array(text.utf8.dropFirst(prefix)).span)
}

/// Whether a request is signed as Standard Webhooks 1.0 says, by this secret.
private func isSigned(_ request: WebhookRequest, _ secret: String) throws -> Bool {
    let key = try #require(decoded(secret, after: 6))
    let (id, time) = (try #require(request.value("webhook-id")), try #require(request.value("webhook-timestamp")))
    let code = HMACSHA256.code(of: Array("\(id).\(time).".utf8) + request.body, key: key)
    let expected = "v1," + String(decoding: Base64.encode(code), as: UTF8.self)
    return (request.value("webhook-signature") ?? "").split(separator: " ").contains { $0 == expected }
}

@Suite struct CreateWebhookTests {
    @Test func theSecretIsShownOnceAndSigns() async throws {
        try await withServer { server in
            let account = try server.account()
            let made = try server.webhook(#","name":"mine","headers":{"X-Key":"k1"},"types":["folder.*"]"#)
            #expect(made.status == 201)
            let (id, secret) = (try #require(made["id"]), try #require(made["secret"]))
            #expect(made.field("cache-control") == "no-store" && made.field("location") == "/v1/webhooks/\(id)")
            #expect(secret.hasPrefix("whsec_"))
            let shown = try server.send("GET", "/v1/webhooks/\(id)")
            #expect(shown.status == 200 && !shown.text.contains(secret) && !shown.text.contains("k1"))
            #expect(shown.strings("headerNames") == ["X-Key"])
            try server.happen(1, in: account)
            #expect(await eventually { server.receiver.requests.count == 1 })
            let request = try #require(server.receiver.requests.first)
            #expect(try isSigned(request, secret))
            #expect(request.value("X-Key") == "k1")
            #expect(request.json.object?["type"] == .string(Array("folder.created".utf8)))
            let data = request.json.object?["data"]?.object
            #expect(data?["path"] == .string(Array("f0".utf8)) && data?["folderId"] != nil)
            #expect(
                request.json.object?["id"]?.string.map { String(decoding: $0, as: UTF8.self) }
                    == request.value("webhook-id")
            )
        }
    }

    @Test func ed25519HasAPublicKeyAndNoSecret() async throws {
        try await withServer { server in
            let account = try server.account()
            let made = try server.webhook(#","signatures":["v1a"]"#)
            #expect(made.status == 201 && made.value(at: ["secret"]) == .null)
            let text = try #require(made.strings("publicKeys")?.first)
            let key = try #require(decoded(text, after: 5))
            try server.happen(1, in: account)
            #expect(await eventually { !server.receiver.requests.isEmpty })
            let request = try #require(server.receiver.requests.first)
            let signature = try #require(request.value("webhook-signature"))
            #expect(signature.hasPrefix("v1a,"))
            let octets = try #require(decoded(signature, after: 4))
            let (id, time) = (request.value("webhook-id") ?? "", request.value("webhook-timestamp") ?? "")
            #expect(Ed25519.isValid(octets, of: Array("\(id).\(time).".utf8) + request.body, publicKey: key))
        }
    }

    @Test(arguments: [
        #"{}"#, #"{"url":"ftp://example.org"}"#, #"{"url":"https://ann:x@example.org"}"#,
        #"{"url":"http://127.0.0.1/"}"#, #"{"url":"https://example.org/\r\nX: y"}"#, #"{"url":7}"#,
        #"{"url":"https://example.org","types":["message.nothing"]}"#,
        #"{"url":"https://example.org","types":["message.*","message.*"]}"#,
        #"{"url":"https://example.org","q":"nothing:here"}"#, #"{"url":"https://example.org","q":""}"#,
        #"{"url":"https://example.org","payload":"all"}"#, #"{"url":"https://example.org","signatures":[]}"#,
        #"{"url":"https://example.org","signatures":["v2"]}"#, #"{"url":"https://example.org","state":"disabled"}"#,
        #"{"url":"https://example.org","headers":{"Host":"x"}}"#,
        #"{"url":"https://example.org","headers":{"webhook-id":"x"}}"#,
        #"{"url":"https://example.org","headers":{"A":"x\r\nB: y"}}"#,
        #"{"url":"https://example.org","headers":{"A\n":"x"}}"#,
        #"{"url":"https://example.org","headers":{"a":"x","A":"y"}}"#,
        #"{"url":"https://example.org","accounts":["ann"]}"#, #"{"url":"https://example.org","folders":["inbox"]}"#,
        #"{"url":"https://example.org","secret":"whsec_x"}"#,
    ])
    func isRefused(_ body: String) async throws {
        try await withServer { server in
            let answer = try server.send("POST", "/v1/webhooks", json: body)
            #expect(answer.status == 422, "\(answer.text)")
            #expect(try server.send("GET", "/v1/webhooks").count("items") == 0)
        }
    }

    @Test func whoReadsNoMailGetsNoneSent() async throws {
        try await withServer { server in
            let token = try await server.token(TokenDraft(name: "x", scopes: .admin))
            #expect(try server.webhook(token: token).status == 403)
        }
    }

    @Test func aBoundTokensWebhookGetsItsAccountsAlone() async throws {
        try await withServer { server in
            let (ann, bob) = (try server.account(), try server.account("bob@example.com"))
            let id = try #require(AccountID(ann))
            let bound = try await server.token(TokenDraft(name: "x", scopes: [.admin, .read], accounts: [id]))
            let made = try server.webhook(token: bound)
            #expect(made.status == 201)
            #expect(try server.webhook(#","accounts":["\#(bob)"]"#, token: bound).status == 404)
            try server.happen(2, in: bob)
            try server.happen(1, in: ann, "mine")
            #expect(await eventually { !server.receiver.requests.isEmpty })
            #expect(server.receiver.requests.allSatisfy { String(decoding: $0.body, as: UTF8.self).contains(ann) })
            let other = try #require(AccountID(bob))
            let stranger = try await server.token(TokenDraft(name: "y", scopes: [.admin, .read], accounts: [other]))
            let path = "/v1/webhooks/\(try #require(made["id"]))"
            for (method, target) in [
                ("GET", path), ("DELETE", path), ("POST", path + "/test"), ("GET", path + "/deliveries"),
            ] {
                #expect(try server.client.send(method, target, token: stranger).status == 404)
            }
            #expect(try server.client.send("GET", "/v1/webhooks", token: stranger).count("items") == 0)
            #expect(try server.client.send("GET", path, token: bound).status == 200)
        }
    }

    @Test func thereAreOnlySoMany() async throws {
        try await withServer { server in
            for _ in 0..<5 { #expect(try server.webhook().status == 201) }
            let answer = try server.webhook()
            #expect(answer.status == 409 && answer["code"] == "too_many_webhooks")
        }
    }
}

@Suite struct ListWebhooksTests {
    @Test func pagesGoOnWhereTheyEnded() async throws {
        try await withServer { server in
            let ids = try (0..<3).map { _ in try #require(try server.webhook()["id"]) }
            let first = try server.send("GET", "/v1/webhooks?limit=2")
            #expect(first["items", "0", "id"] == ids[0] && first.count("items") == 2)
            let next = try #require(first["next"])
            let second = try server.send("GET", "/v1/webhooks?limit=2&cursor=\(next)")
            #expect(second["items", "0", "id"] == ids[2] && second.value(at: ["next"]) == .null)
        }
    }
}

@Suite struct GetWebhookTests {
    @Test func anUnknownOneIsNotFound() async throws {
        try await withServer { server in
            for id in ["whk_aaaaaaaaaaaaaaaa", "x"] {
                let answer = try server.send("GET", "/v1/webhooks/\(id)")
                #expect(answer.status == 404)
            }
        }
    }

    @Test func itsTagSaysWhetherItChanged() async throws {
        try await withServer { server in
            let made = try server.webhook()
            let (id, tag) = (try #require(made["id"]), try #require(made.field("etag")))
            let path = "/v1/webhooks/\(id)"
            #expect(try server.send("GET", path, fields: [("If-None-Match", tag)]).status == 304)
            #expect(try server.send("PATCH", path, json: #"{"name":"x"}"#).status == 200)
            #expect(try server.send("GET", path, fields: [("If-None-Match", tag)]).status == 200)
            #expect(try server.send("PATCH", path, json: #"{"name":"y"}"#, fields: [("If-Match", tag)]).status == 412)
        }
    }
}

@Suite struct UpdateWebhookTests {
    @Test func whatIsNotMentionedStays() async throws {
        try await withServer { server in
            let id = try #require(try server.webhook(#","name":"a","q":"noodle","headers":{"X-A":"1"}"#)["id"])
            let path = "/v1/webhooks/\(id)"
            let changed = try server.send("PATCH", path, json: #"{"payload":"full"}"#)
            #expect(changed["name"] == "a" && changed["q"] == "noodle" && changed["payload"] == "full")
            #expect(changed.strings("headerNames") == ["X-A"])
            let cleared = try server.send("PATCH", path, json: #"{"q":null,"headers":{}}"#)
            #expect(cleared.value(at: ["q"]) == .null && cleared.strings("headerNames") == [])
        }
    }

    @Test func whatHappensDuringAPauseComesAfterIt() async throws {
        try await withServer { server in
            let account = try server.account()
            let id = try #require(try server.webhook(#","state":"paused""#)["id"])
            try server.happen(3, in: account)
            #expect(try server.send("GET", "/v1/webhooks/\(id)")["state"] == "paused")
            #expect(server.receiver.requests.isEmpty)
            #expect(try server.send("PATCH", "/v1/webhooks/\(id)", json: #"{"state":"active"}"#)["state"] == "active")
            #expect(await eventually { server.receiver.requests.count == 3 })
        }
    }

    @Test func aNewKindOfSignatureGetsItsKey() async throws {
        try await withServer { server in
            let id = try #require(try server.webhook()["id"])
            let changed = try server.send("PATCH", "/v1/webhooks/\(id)", json: #"{"signatures":["v1","v1a"]}"#)
            #expect(changed.count("publicKeys") == 1 && changed.value(at: ["secret"]) == .null)
            #expect(changed.field("cache-control") == "no-store")
            #expect(try server.send("GET", "/v1/webhooks/\(id)").count("publicKeys") == 1)
        }
    }

    @Test func oneThatWasDisabledStartsAgain() async throws {
        try await withServer { server in
            let account = try server.account()
            let id = try #require(try server.webhook(#","types":["folder.created"]"#)["id"])
            server.receiver.answer(410)
            try server.happen(1, in: account)
            #expect(
                try await eventually { try server.send("GET", "/v1/webhooks/\(id)")["state"] == "disabled" }
            )
            server.receiver.answer(200)
            let back = try server.send("PATCH", "/v1/webhooks/\(id)", json: #"{"state":"active"}"#)
            #expect(back["state"] == "active" && back.value(at: ["reason"]) == .null)
            #expect(
                try await eventually {
                    try server.send("GET", "/v1/webhooks/\(id)/deliveries?state=delivered").count("items") == 1
                }
            )
        }
    }
}

@Suite struct DeleteWebhookTests {
    @Test func itIsGone() async throws {
        try await withServer { server in
            let id = try #require(try server.webhook()["id"])
            #expect(try server.send("DELETE", "/v1/webhooks/\(id)").status == 204)
            #expect(try server.send("GET", "/v1/webhooks/\(id)").status == 404)
            #expect(try server.send("DELETE", "/v1/webhooks/\(id)").status == 404)
        }
    }
}

@Suite struct TestWebhookTests {
    @Test func theAnswerSaysHowItWent() async throws {
        try await withServer { server in
            let made = try server.webhook(#","state":"paused""#)
            let path = "/v1/webhooks/\(try #require(made["id"]))/test"
            let good = try server.send("POST", path)
            #expect(good.status == 200 && good.bool("delivered") == true && good.int("status") == 200)
            #expect(good["answer"] == "seen")
            let request = try #require(server.receiver.requests.first)
            #expect(try isSigned(request, try #require(made["secret"])))
            #expect(request.json.object?["type"] == .string(Array("webhook.test".utf8)))
            server.receiver.answer(301)
            let bad = try server.send("POST", path)
            #expect(bad.status == 200 && bad.bool("delivered") == false && bad.int("status") == 301)
            #expect(bad["error"]?.contains("not followed") == true)
        }
    }
}

@Suite struct ListWebhookDeliveriesTests {
    @Test func failuresShowTheirAnswer() async throws {
        try await withServer { server in
            let account = try server.account()
            let id = try #require(try server.webhook(#","types":["folder.created"]"#)["id"])
            server.receiver.answer(500)
            try server.happen(3, in: account)
            let path = "/v1/webhooks/\(id)/deliveries"
            #expect(try await eventually { try server.send("GET", path + "?state=failed").count("items") == 3 })
            let page = try server.send("GET", path + "?limit=2")
            #expect(page["items", "0", "lastAttempt", "answer"] == "seen")
            #expect(page.int("items", "0", "lastAttempt", "status") == 500 && page.int("items", "0", "attempts") == 3)
            let next = try #require(page["next"])
            #expect(try server.send("GET", path + "?limit=2&cursor=\(next)").count("items") == 1)
            #expect(try server.send("GET", path + "?state=lost").status == 400)
        }
    }
}

@Suite struct ReplayWebhookTests {
    @Test func failedOnesAndRangesComeAgainWithTheirIDs() async throws {
        try await withServer { server in
            let account = try server.account()
            let id = try #require(try server.webhook(#","types":["folder.created"]"#)["id"])
            let path = "/v1/webhooks/\(id)"
            server.receiver.answer(500)
            let first =
                try #require(try server.send("GET", "/v1/accounts/\(account)/events?after=newest").int("next")) + 1
            try server.happen(2, in: account)
            #expect(
                try await eventually {
                    try server.send("GET", path + "/deliveries?state=failed").count("items") == 2
                }
            )
            let before = Set(server.receiver.requests.compactMap { $0.value("webhook-id") })
            server.receiver.answer(200)
            let replayed = try server.send("POST", path + "/replay", json: #"{"failed":true}"#)
            #expect(replayed.status == 202 && replayed.int("scheduled") == 2)
            func delivered() throws -> Int? {
                try server.send("GET", path + "/deliveries?state=delivered").count("items")
            }
            #expect(try await eventually { try delivered() == 2 })
            #expect(Set(server.receiver.requests.compactMap { $0.value("webhook-id") }) == before)
            let count = server.receiver.requests.count
            let range = try server.send(
                "POST",
                path + "/replay",
                json: #"{"accountId":"\#(account)","fromSeq":\#(first),"toSeq":100}"#
            )
            #expect(range.int("scheduled") == 2)
            #expect(await eventually { server.receiver.requests.count >= count + 2 })
            // What is still under way is not sent once more for a second wish.
            #expect(
                try await eventually {
                    try server.send("GET", path + "/deliveries?state=pending").count("items") == 0
                }
            )
            // The folders that the account began with came before the webhook, and are in the range.
            let all = try server.send("POST", path + "/replay", json: #"{"since":"2000-01-01T00:00:00Z"}"#)
            let folders = FolderRole.allCases.count
            #expect(all.int("scheduled") == Int64(2 + folders))
            #expect(await eventually { server.receiver.requests.count >= count + 4 + folders })
        }
    }

    @Test(arguments: [
        "{}", #"{"failed":false}"#, #"{"fromSeq":1}"#, #"{"accountId":"acc_aaaaaaaaaaaaaaaa"}"#,
        #"{"accountId":"acc_aaaaaaaaaaaaaaaa","fromSeq":2,"toSeq":1}"#, #"{"since":"yesterday"}"#,
        #"{"failed":true,"fromSeq":1}"#, #"{"before":"2000-01-01T00:00:00Z"}"#,
        #"{"accountId":"x","fromSeq":1,"toSeq":2}"#,
    ])
    func isRefused(_ body: String) async throws {
        try await withServer { server in
            let id = try #require(try server.webhook()["id"])
            let answer = try server.send("POST", "/v1/webhooks/\(id)/replay", json: body)
            #expect(answer.status == 422, "\(answer.text)")
        }
    }
}

@Suite struct RotateWebhookTests {
    @Test func forAWhileBothSecretsSign() async throws {
        try await withServer { server in
            let made = try server.webhook()
            let path = "/v1/webhooks/\(try #require(made["id"]))"
            let rotated = try server.send("POST", path + "/rotate", json: #"{"overlapSeconds":3600}"#)
            let (old, new) = (try #require(made["secret"]), try #require(rotated["secret"]))
            #expect(rotated.status == 200 && old != new && rotated.field("cache-control") == "no-store")
            _ = try server.send("POST", path + "/test")
            var request = try #require(server.receiver.requests.last)
            #expect(try isSigned(request, old) && isSigned(request, new))
            let again = try server.send("POST", path + "/rotate", json: #"{"overlapSeconds":0}"#)
            _ = try server.send("POST", path + "/test")
            request = try #require(server.receiver.requests.last)
            #expect(try isSigned(request, try #require(again["secret"])))
            #expect(try !isSigned(request, new))
            #expect(try server.send("POST", path + "/rotate", json: #"{"overlapSeconds":-1}"#).status == 422)
        }
    }
}

@Suite struct WebhookBodiesTests {
    @Test func aMessageComesAsMuchAsWasAskedFor() async throws {
        try await withServer { server in
            let account = try server.account()
            let ids = try #require(try server.webhook(#","types":["message.*"]"#)["id"])
            let full = try #require(
                try server.webhook(#","types":["message.*"],"payload":"full","headers":{"X-Full":"1"}"#)["id"]
            )
            #expect(ids != full)
            let sent = try server.send(
                "POST",
                "/v1/accounts/\(account)/messages?folder=inbox",
                fields: [("Content-Type", "message/rfc822")],
                body: Array("From: a@example.com\r\nSubject: Noodles\r\n\r\nAt noon?\r\n".utf8)
            )
            #expect(sent.status == 201, "\(sent.text)")
            #expect(await eventually { server.receiver.requests.count == 2 })
            let request = try #require(server.receiver.requests.first { $0.value("X-Full") != nil })
            let data = try #require(request.json.object?["data"]?.object)
            #expect(data["message"]?.object?["subject"] == .string(Array("Noodles".utf8)))
            #expect(data["text"]?.string.map { String(decoding: $0, as: UTF8.self) }?.contains("At noon?") == true)
            #expect(data["textTruncated"] == .bool(false))
            let plain = try #require(server.receiver.requests.first { $0.value("X-Full") == nil })
            #expect(plain.json.object?["data"]?.object?["message"] == nil)
            #expect(plain.value("webhook-id") == request.value("webhook-id"))
        }
    }
}
