// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import HTTP

@Suite struct RouterTests {
    static let router: Router<String> = {
        var router = Router<String>()
        router.add(.get, "/", "root")
        router.add(.get, "/v1/accounts", "list")
        router.add(.post, "/v1/accounts", "create")
        router.add(.get, "/v1/accounts/{account}", "get")
        router.add(.delete, "/v1/accounts/{account}", "delete")
        router.add(.get, "/v1/accounts/{account}/messages/{message}", "message")
        router.add(.get, "/v1/accounts/{account}/messages/latest/raw", "latest raw")
        router.add(.get, "/v1/accounts/{account}/messages/{message}/text", "text")
        router.add(.get, "/v1/{anything}/x", "anything")
        return router
    }()

    static func match(_ method: HTTPMethod, _ path: String) -> String {
        switch router.match(method, Array(path.utf8)[...]) {
        case .found(let handler, let template, let parameters):
            var text = handler
            for name: StaticString in ["account", "message", "anything"] where "\(template)".contains("{\(name)}") {
                text += " \(name)=\(parameters.string(name) ?? "?")"
            }
            return text
        case .options(let allow): return "options \(String(decoding: allow, as: UTF8.self))"
        case .methodNotAllowed(let allow): return "405 \(String(decoding: allow, as: UTF8.self))"
        case .notFound: return "404"
        }
    }

    @Test(
        arguments: [
            (HTTPMethod.get, "/", "root"),
            (.get, "/v1/accounts", "list"),
            (.head, "/v1/accounts", "list"),
            (.post, "/v1/accounts", "create"),
            (.options, "/v1/accounts", "options GET, HEAD, POST, OPTIONS"),
            (.put, "/v1/accounts", "405 GET, HEAD, POST, OPTIONS"),
            (.get, "/v1/accounts/a@b.example", "get account=a@b.example"),
            (.get, "/v1/accounts/a/messages/m", "message account=a message=m"),
            (.get, "/v1/accounts/a/messages/latest", "message account=a message=latest"),
            (.get, "/v1/accounts/a/messages/latest/raw", "latest raw account=a"),
            (.get, "/v1/accounts/a/messages/latest/text", "text account=a message=latest"),
            (.get, "/v1/accounts/x", "get account=x"),
            (.get, "/v1/other/x", "anything anything=other"),
            (.get, "/v1/accounts/", "404"),
            (.get, "/v1//accounts", "404"),
            (.get, "//", "404"),
            (.get, "/v1", "404"),
            (.get, "/v1/accounts/a/messages", "404"),
            (.get, "/v1/accounts/../accounts", "404"),
            (.get, "/V1/accounts", "404"),
            (.get, "*", "404"),
            (.get, "", "404"),
        ] as [(HTTPMethod, String, String)]
    )
    func paths(_ method: HTTPMethod, _ path: String, _ expected: String) {
        #expect(Self.match(method, path) == expected)
    }
}
