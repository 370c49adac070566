// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import MailTypes
import Testing
import Wire

@testable import API

@Suite struct RequestBudgetHeaderTests {
    @Test func theBudgetIsToldAndKept() async throws {
        try await withServer { server in
            let free = try server.send("GET", "/v1/tokens")
            #expect(free.field("ratelimit") == nil && free.field("ratelimit-policy") == nil)
            server.tokens.setBudget(RequestBudget(requestsPerSecond: 1, burst: 3))
            for left in [2, 1, 0] {
                let answer = try server.send("GET", "/v1/tokens")
                #expect(answer.status == 200)
                #expect(answer.field("ratelimit-policy") == #""requests";q=3;w=3"#)
                #expect(answer.field("ratelimit")?.hasPrefix("\"requests\";r=\(left);t=") == true)
            }
            let refused = try server.send("GET", "/v1/tokens")
            #expect(refused.status == 429 && refused["code"] == "rate_limited")
            #expect(refused.field("retry-after") == "1")
            #expect(refused.field("ratelimit") == #""requests";r=0;t=1"#)
            // What an operation refuses is a request too; what needs no token is none of it.
            let other = try await server.token(TokenDraft(name: "other", scopes: [.read]))
            let forbidden = try server.client.send("GET", "/v1/tokens", token: other)
            #expect(forbidden.status == 403 && forbidden.field("ratelimit")?.hasPrefix("\"requests\";r=2;") == true)
            #expect(try server.client.send("GET", "/healthz", token: nil).field("ratelimit") == nil)
        }
    }

    @Test func theLastUseIsShown() async throws {
        try await withServer { server in
            let text = try await server.token(TokenDraft(name: "reader", scopes: [.read]))
            func lastUsed() throws -> String? { try server.send("GET", "/v1/tokens")["items", "1", "lastUsedAt"] }
            #expect(try lastUsed() == nil)
            _ = try server.client.send("GET", "/v1/tokens", token: text)
            try await server.tokens.keepUses()
            #expect(try lastUsed() != nil)
        }
    }
}

@Suite struct AuthenticationTests {
    @Test func withoutAGoodTokenNothingIsSaid() async throws {
        try await withServer { server in
            let account = try server.account()
            for token in [nil, "", "x", "pst_" + String(repeating: "a", count: 52)] {
                for target in ["/v1/accounts", "/v1/accounts/\(account)", "/v1/accounts/nobody", "/v1/tokens"] {
                    let answer = try server.client.send("GET", target, token: token)
                    #expect(answer.status == 401, "\(target)")
                    #expect(answer.field("www-authenticate")?.hasPrefix("Bearer") == true)
                    #expect(answer.field("content-type") == "application/problem+json")
                    #expect(answer["requestId"] == answer.field("x-request-id"))
                }
            }
        }
    }

    @Test func schemeIsTakenInAnyCaseAndOthersAreNot() async throws {
        try await withServer { server in
            for (value, status) in [
                ("bearer \(server.admin)", 200), ("BEARER  \(server.admin)", 200), ("Bearer\(server.admin)", 401),
                ("Basic \(server.admin)", 401), ("Bearer \(server.admin)x", 401),
            ] {
                let answer = try server.client.send(
                    "GET",
                    "/v1/accounts",
                    token: nil,
                    fields: [("Authorization", value)]
                )
                #expect(answer.status == status, "\(value.prefix(8))")
            }
        }
    }

    @Test func eachOperationAsksForItsScope() async throws {
        try await withServer { server in
            var tokens: [UInt8: String] = [:]
            for scope in TokenScopes.words {
                tokens[scope.scope.rawValue] = try await server.token(TokenDraft(name: "one", scopes: scope.scope))
            }
            for operation in API.operations {
                guard let scope = operation.scope else { continue }
                let target = "\(operation.path)".replacing("{", with: "").replacing("}", with: "")
                for known in TokenScopes.words where known.scope != scope {
                    let answer = try server.client.send(
                        "\(operation.method.name)",
                        target,
                        token: tokens[known.scope.rawValue]
                    )
                    #expect(answer.status == 403, "\(operation.id) with \(known.word)")
                    #expect(answer["code"] == "insufficient_scope")
                }
                // What sends mail on to others wants the right to read it too.
                let token = try await server.token(TokenDraft(name: "two", scopes: scope.union(.read)))
                let answer = try server.client.send("\(operation.method.name)", target, token: token)
                #expect(answer.status != 403 && answer.status != 401, "\(operation.id)")
            }
        }
    }

    @Test func aBoundTokenSeesItsAccountsOnlyAndForeignIsAsUnknown() async throws {
        try await withServer { server in
            let (ann, bob) = (try server.account(), try server.account("bob@example.com"))
            let id = try #require(AccountID(ann))
            let token = try await server.token(TokenDraft(name: "ann", scopes: .all, accounts: [id]))
            let list = try server.client.send("GET", "/v1/accounts", token: token)
            #expect(list.count("items") == 1)
            #expect(list["items", "0", "id"] == ann)
            #expect(try server.client.send("GET", "/v1/accounts/\(ann)/folders", token: token).status == 200)
            let foreign = try server.client.send("GET", "/v1/accounts/\(bob)/folders", token: token)
            let unknown = try server.client.send("GET", "/v1/accounts/acc_aaaaaaaaaaaaaaaa/folders", token: token)
            #expect(foreign.status == 404 && unknown.status == 404)
            #expect(foreign["code"] == unknown["code"] && foreign["detail"] == unknown["detail"])
            #expect(try server.client.send("GET", "/v1/accounts/bob@example.com", token: token).status == 404)
        }
    }

    @Test func anExpiredTokenIsNone() async throws {
        try await withServer { server in
            let past = try await server.token(
                TokenDraft(name: "old", scopes: .all, expiresAt: Timestamp(milliseconds: 1))
            )
            #expect(try server.client.send("GET", "/v1/accounts", token: past).status == 401)
        }
    }

    @Test func originsOfAPageMustBeTheTokens() async throws {
        try await withServer { server in
            let page = "https://app.example.com"
            let bound = try await server.token(TokenDraft(name: "page", scopes: .all, origins: [page]))
            let good = try server.client.send("GET", "/v1/accounts", token: bound, fields: [("Origin", page)])
            #expect(good.status == 200)
            #expect(good.field("access-control-allow-origin") == page)
            for token in [bound, server.admin] {
                let bad = try server.client.send(
                    "GET",
                    "/v1/accounts",
                    token: token,
                    fields: [("Origin", "https://evil.example.com")]
                )
                #expect(bad.status == 403)
                #expect(bad.field("access-control-allow-origin") == nil)
            }
            #expect(try server.client.send("GET", "/v1/accounts", token: bound).status == 200)
        }
    }

    @Test func browsersAreToldWhichPagesMayAsk() async throws {
        try await withServer { server in
            let page = "https://app.example.com"
            _ = try await server.token(TokenDraft(name: "page", scopes: .all, origins: [page]))
            func preflight(_ origin: String) throws -> TestResponse {
                try server.client.send(
                    "OPTIONS",
                    "/v1/accounts",
                    token: nil,
                    fields: [("Origin", origin), ("Access-Control-Request-Method", "GET")]
                )
            }
            let good = try preflight(page)
            #expect(good.status == 204 && good.field("access-control-allow-origin") == page)
            #expect(good.field("access-control-allow-headers")?.contains("Authorization") == true)
            let bad = try preflight("https://evil.example.com")
            #expect(bad.status == 204 && bad.field("access-control-allow-origin") == nil)
            #expect(bad.field("access-control-allow-methods") == nil)
        }
    }
}

/// The word of one scope.
enum TokenScopesWords {
    static func word(_ scope: TokenScopes) -> String? {
        TokenScopes.words.first { $0.scope == scope }.map { "\($0.word)" }
    }
}
