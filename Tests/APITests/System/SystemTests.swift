// SPDX-License-Identifier: Apache-2.0

import EmbeddedFiles
import Storage
import Testing

@testable import API

@Suite struct GetHealthTests {
    @Test func saysThatItCanAnswer() async throws {
        try await withServer { server in
            let answer = try server.client.send("GET", "/healthz", token: nil)
            #expect(answer.status == 200 && answer["status"] == "ok")
            let head = try server.client.send("HEAD", "/healthz", token: nil)
            #expect(head.status == 200 && head.body.isEmpty && head.field("content-length") == "15")
        }
    }
}

@Suite struct GetReadinessTests {
    @Test func turnsWhenTheStoreIsClosed() async throws {
        try await withServer { server in
            let ready = try server.client.send("GET", "/readyz", token: nil)
            #expect(ready.status == 200 && ready["status"] == "ready" && ready["checks", "0"] == nil)
            for query in ["?verbose", "?verbose=true"] {
                let verbose = try server.client.send("GET", "/readyz" + query, token: nil)
                #expect(verbose["checks", "0", "name"] == "store" && verbose["checks", "1", "status"] == "ok")
            }
            #expect(try server.client.send("GET", "/readyz?verbose=loud", token: nil).status == 400)
            server.store.close()
            let unready = try server.client.send("GET", "/readyz", token: nil)
            #expect(unready.status == 503 && unready["status"] == "unready")
            #expect(unready["checks", "0", "status"] == "failed")
            #expect(unready.field("retry-after") != nil)
            #expect(try server.client.send("GET", "/healthz", token: nil).status == 200)
        }
    }
}

@Suite struct GetMetricsTests {
    @Test func countsRequestsByRouteNotByPath() async throws {
        try await withServer { server in
            for _ in 0..<3 { _ = try server.send("GET", "/v1/accounts/nobody") }
            let answer = try server.client.send("GET", "/metrics", token: nil)
            #expect(answer.field("content-type")?.hasPrefix("text/plain; version=0.0.4") == true)
            let line = #"postern_http_requests_total{method="GET",route="/v1/accounts/{account}",code="404"} 3"#
            #expect(answer.text.contains(line))
            #expect(!answer.text.contains("nobody"))
            #expect(
                answer.text.contains("\npostern_store_commits_total ")
                    && answer.text.contains("\npostern_store_free_bytes ")
            )
            #expect(answer.text.contains(#"le="+Inf"} 3"#))
            let accept = [("Accept", "application/openmetrics-text; version=1.0.0, text/plain;q=0.5")]
            let open = try server.client.send("GET", "/metrics", token: nil, fields: accept)
            #expect(open.field("content-type")?.hasPrefix("application/openmetrics-text; version=1.0.0") == true)
            #expect(open.text.hasSuffix("\n# EOF\n"))
        }
    }
}

@Suite struct GetOpenAPITests {
    @Test func isTheDocument() async throws {
        try await withServer { server in
            let answer = try server.client.send("GET", "/openapi.yaml", token: nil)
            #expect(answer.status == 200 && answer.body == EmbeddedFile.openAPI)
            #expect(answer.field("content-type") == "application/yaml")
        }
    }
}
