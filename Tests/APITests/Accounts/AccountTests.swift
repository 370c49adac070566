// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import API

@Suite struct CreateAccountTests {
    @Test func isFoundByIdAliasAndAddress() async throws {
        try await withServer { server in
            let made = try server.send(
                "POST",
                "/v1/accounts",
                json:
                    #"{"kind":"local","address":"Ann@Example.com","alias":"ann","displayName":"Ann É","password":"correct horse"}"#
            )
            #expect(made.status == 201)
            let id = try #require(made["id"])
            #expect(made.field("location") == "/v1/accounts/\(id)")
            #expect(made["displayName"] == "Ann É" && made["kind"] == "local")
            #expect(!made.text.contains("correct horse"))
            for name in [id, "ann", "ann@example.com", "ANN%40EXAMPLE.COM"] {
                #expect(try server.send("GET", "/v1/accounts/\(name)")["id"] == id, "\(name)")
            }
            let folders = try server.send("GET", "/v1/accounts/ann/folders")
            #expect(folders.count("items") == 6)
        }
    }

    @Test func addressesAndAliasesAreUnique() async throws {
        try await withServer { server in
            _ = try server.send(
                "POST",
                "/v1/accounts",
                json: #"{"kind":"local","address":"a@example.com","alias":"a"}"#
            )
            let address = try server.send("POST", "/v1/accounts", json: #"{"kind":"local","address":"A@example.COM"}"#)
            let alias = try server.send(
                "POST",
                "/v1/accounts",
                json: #"{"kind":"local","address":"b@example.com","alias":"a"}"#
            )
            #expect(address.status == 409 && alias.status == 409)
            #expect(address["code"] == "already_exists")
        }
    }

    @Test func everythingWrongIsNamed() async throws {
        try await withServer { server in
            let answer = try server.send(
                "POST",
                "/v1/accounts",
                json:
                    #"{"kind":"pigeon","address":"a b@c","alias":"-x","displayName":"a\nb","password":"short","role":1}"#
            )
            #expect(answer.status == 422 && answer["code"] == "invalid_fields")
            let pointers = (0..<6).compactMap { answer["errors", "\($0)", "pointer"] }
            #expect(Set(pointers) == ["/kind", "/address", "/alias", "/displayName", "/password", "/role"])
        }
    }
}

@Suite struct ListAccountsTests {
    @Test func pagesKeepTheirPlace() async throws {
        try await withServer { server in
            for index in 0..<5 { _ = try server.account("u\(index)@example.com") }
            let first = try server.send("GET", "/v1/accounts?limit=2")
            let next = try #require(first["next"])
            let second = try server.send("GET", "/v1/accounts?limit=2&cursor=\(next)")
            let last = try server.send("GET", "/v1/accounts?limit=2&cursor=\(try #require(second["next"]))")
            #expect(first["items", "0", "address"] == "u0@example.com")
            #expect(second["items", "1", "address"] == "u3@example.com")
            #expect(last.count("items") == 1)
            #expect(last.value(at: ["next"]) == .null)
        }
    }
}

@Suite struct GetAccountTests {
    @Test func unknownIs404() async throws {
        try await withServer { server in
            for name in ["acc_aaaaaaaaaaaaaaaa", "nobody", "nobody@example.com", "%FF", "%00", "a%2Fb"] {
                let status = try server.send("GET", "/v1/accounts/\(name)").status
                #expect(status == 404 || status == 400 && name.contains("%"), "\(name)")
            }
        }
    }
}

@Suite struct UpdateAccountTests {
    @Test func changesWhatIsGivenAndNothingElse() async throws {
        try await withServer { server in
            let id = try server.account()
            let named = try server.send("PATCH", "/v1/accounts/\(id)", json: #"{"alias":"ann","displayName":"Ann"}"#)
            #expect(named.status == 200 && named["alias"] == "ann")
            let cleared = try server.send("PATCH", "/v1/accounts/ann", json: #"{"displayName":null}"#)
            #expect(cleared["alias"] == "ann" && cleared.value(at: ["displayName"]) == .null)
            #expect(try server.send("PATCH", "/v1/accounts/ann", json: "{}").status == 422)
            #expect(try server.send("PATCH", "/v1/accounts/ann", json: #"{"address":"b@example.com"}"#).status == 422)
        }
    }
}

@Suite struct DeleteAccountTests {
    @Test func isGoneAndItsAddressFree() async throws {
        try await withServer { server in
            let id = try server.account()
            #expect(try server.send("DELETE", "/v1/accounts/\(id)").status == 204)
            #expect(try server.send("GET", "/v1/accounts/\(id)").status == 404)
            #expect(try server.send("DELETE", "/v1/accounts/\(id)").status == 404)
            #expect(try server.account() != id)
        }
    }

    @Test func tokensOfItAloneAreRevoked() async throws {
        try await withServer { server in
            let id = try server.account()
            let made = try server.send(
                "POST",
                "/v1/tokens",
                json: #"{"name":"x","scopes":["read"],"accounts":["\#(id)"]}"#
            )
            let token = try #require(made["token"])
            #expect(try server.client.send("GET", "/v1/accounts/\(id)", token: token).status == 200)
            #expect(try server.send("DELETE", "/v1/accounts/\(id)").status == 204)
            #expect(try server.client.send("GET", "/v1/accounts/\(id)", token: token).status == 401)
        }
    }
}
