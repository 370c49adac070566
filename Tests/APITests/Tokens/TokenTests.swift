// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import API

@Suite struct CreateTokenTests {
    @Test func theSecretIsShownOnce() async throws {
        try await withServer { server in
            let made = try server.send(
                "POST",
                "/v1/tokens",
                json:
                    #"{"name":"page","scopes":["read","send"],"origins":["https://a.example.com:8443"],"expiresAt":"2999-01-01T00:00:00Z"}"#
            )
            #expect(made.status == 201)
            let (id, secret) = (try #require(made["id"]), try #require(made["token"]))
            #expect(made.field("cache-control") == "no-store")
            #expect(made.strings("scopes") == ["read", "send"])
            #expect(made["expiresAt"] == "2999-01-01T00:00:00.000Z")
            let shown = try server.send("GET", "/v1/tokens/\(id)")
            #expect(shown.status == 200 && shown["token"] == nil && !shown.text.contains(secret))
            #expect(shown.value(at: ["accounts"]) == .null)
        }
    }

    @Test(arguments: [
        #"{"name":"","scopes":["read"]}"#, #"{"name":"x","scopes":[]}"#, #"{"name":"x","scopes":["root"]}"#,
        #"{"name":"x","scopes":["read","read"]}"#, #"{"name":"x","scopes":["read"],"origins":["https://a/"]}"#,
        #"{"name":"x","scopes":["read"],"origins":["https://a:0"]}"#,
        #"{"name":"x","scopes":["read"],"origins":["*"]}"#,
        #"{"name":"x","scopes":["read"],"expiresAt":"tomorrow"}"#,
        #"{"name":"x","scopes":["read"],"accounts":["ann"]}"#,
        #"{"name":"x","scopes":"read"}"#, #"{"name":"x"}"#,
    ])
    func isRefused(_ body: String) async throws {
        try await withServer { server in
            let answer = try server.send("POST", "/v1/tokens", json: body)
            #expect(answer.status == 422)
        }
    }

    @Test func nobodyGivesAwayMoreThanIsTheirs() async throws {
        try await withServer { server in
            let (ann, bob) = (try server.account(), try server.account("bob@example.com"))
            let made = try server.send(
                "POST",
                "/v1/tokens",
                json: #"{"name":"x","scopes":["admin"],"accounts":["\#(ann)"]}"#
            )
            let token = try #require(made["token"])
            func create(_ accounts: String) throws -> Int {
                try server.client.send(
                    "POST",
                    "/v1/tokens",
                    token: token,
                    fields: [("Content-Type", "application/json")],
                    body: Array(#"{"name":"y","scopes":["read"]\#(accounts)}"#.utf8)
                ).status
            }
            #expect(try create("") == 403)
            #expect(try create(#","accounts":["\#(bob)"]"#) == 403)
            #expect(try create(#","accounts":["\#(ann)"]"#) == 201)
            #expect(try server.client.send("GET", "/v1/tokens", token: token).count("items") == 2)
        }
    }
}

@Suite struct RevokeTokenTests {
    @Test func isRefusedAtOnce() async throws {
        try await withServer { server in
            let made = try server.send("POST", "/v1/tokens", json: #"{"name":"x","scopes":["read"]}"#)
            let (id, token) = (try #require(made["id"]), try #require(made["token"]))
            #expect(try server.client.send("GET", "/v1/accounts", token: token).status == 200)
            #expect(try server.send("DELETE", "/v1/tokens/\(id)").status == 204)
            #expect(try server.client.send("GET", "/v1/accounts", token: token).status == 401)
            #expect(try server.send("GET", "/v1/tokens/\(id)").status == 404)
            #expect(try server.send("DELETE", "/v1/tokens/\(id)").status == 404)
        }
    }
}

extension RevokeTokenTests {
    @Test func notByItself() async throws {
        try await withServer { server in
            let id = try #require(try server.send("GET", "/v1/tokens")["items", "0", "id"])
            let answer = try server.send("DELETE", "/v1/tokens/\(id)")
            #expect(answer.status == 409 && answer["code"] == "own_token")
        }
    }
}

@Suite struct ListTokensTests {
    @Test func pages() async throws {
        try await withServer { server in
            for name in ["a", "b", "c"] {
                _ = try server.send("POST", "/v1/tokens", json: #"{"name":"\#(name)","scopes":["read"]}"#)
            }
            let first = try server.send("GET", "/v1/tokens?limit=3")
            #expect(first["items", "0", "name"] == "admin" && first["items", "2", "name"] == "b")
            let rest = try server.send("GET", "/v1/tokens?limit=3&cursor=\(try #require(first["next"]))")
            #expect(rest.count("items") == 1 && rest["items", "0", "name"] == "c")
        }
    }
}
