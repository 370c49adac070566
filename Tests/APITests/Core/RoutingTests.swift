// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import API

@Suite struct RoutingTests {
    @Test func otherMethodsAreRefusedWithThoseThereAre() async throws {
        try await withServer { server in
            let answer = try server.send("PUT", "/v1/accounts")
            #expect(answer.status == 405)
            #expect(answer.field("allow") == "GET, HEAD, POST, OPTIONS")
            #expect(answer["code"] == "method_not_allowed")
            let options = try server.send("OPTIONS", "/v1/accounts")
            #expect(options.status == 204)
            #expect(options.field("allow") == "GET, HEAD, POST, OPTIONS")
        }
    }

    @Test func unknownPathsAreProblems() async throws {
        try await withServer { server in
            for target in ["/", "/v1", "/v1/accounts/", "/v2/accounts", "/V1/accounts", "/healthz/"] {
                let answer = try server.send("GET", target)
                #expect(answer.status == 404, "\(target)")
                #expect(answer.field("content-type") == "application/problem+json")
            }
        }
    }

    @Test(arguments: [
        ("/v1/accounts?limit=0", "limit", "out_of_range"), ("/v1/accounts?limit=201", "limit", "out_of_range"),
        ("/v1/accounts?limit=+5", "limit", "out_of_range"), ("/v1/accounts?limit=", "limit", "out_of_range"),
        ("/v1/accounts?limit=1&limit=1", "limit", "duplicate"), ("/v1/accounts?Limit=1", "Limit", "unknown"),
        ("/v1/accounts?cursor=00", "cursor", "invalid"),
        ("/v1/accounts?cursor=0000000000000000000000000000000G", "cursor", "invalid"),
    ])
    func parametersAreStrict(_ target: String, _ parameter: String, _ code: String) async throws {
        try await withServer { server in
            let answer = try server.send("GET", target)
            #expect(answer.status == 400)
            #expect(answer["code"] == "invalid_parameter")
            #expect(answer["errors", "0", "parameter"] == parameter)
            #expect(answer["errors", "0", "code"] == code)
        }
    }

    @Test func bodiesMustBeStrictJSONAndSaySo() async throws {
        try await withServer { server in
            func post(_ body: String, _ type: String?) throws -> TestResponse {
                try server.send(
                    "POST",
                    "/v1/accounts",
                    fields: type.map { [("Content-Type", $0)] } ?? [],
                    body: Array(body.utf8)
                )
            }
            let good = #"{"kind":"local","address":"a@example.com"}"#
            #expect(try post(good, nil).status == 415)
            #expect(try post(good, "text/plain").status == 415)
            #expect(try post(good, "application/json; charset=latin1").status == 415)
            #expect(try post(good, "Application/JSON; charset=UTF-8").status == 201)
            for bad in ["", "{", "\u{FEFF}{}", #"{"kind":"local","kind":"local"}"#, "{} {}", "{\"a\":\"\u{1}\"}"] {
                let answer = try post(bad, "application/json")
                #expect(answer.status == 400, "\(bad)")
                #expect(answer["code"] == "invalid_json")
            }
            let deep = String(repeating: "[", count: 65) + String(repeating: "]", count: 65)
            #expect(try post(deep, "application/json").status == 400)
            let large = #"{"kind":""# + String(repeating: "x", count: 1 << 20) + #""}"#
            #expect(try post(large, "application/json").status == 413)
        }
    }
}
