// SPDX-License-Identifier: Apache-2.0

internal import HTTP
internal import HTTPServer
internal import JSON
internal import Storage
internal import Wire

/// What the unix socket offers: the API, and work on the store as a whole that has no place in the API.
struct LocalApplication: HTTPApplication {
    let api: any HTTPApplication
    let store: Store

    static let verifyPath = "/local/verify"

    func handle(_ exchange: HTTPExchange) async throws {
        guard exchange.path.elementsEqual(Self.verifyPath.utf8) else { return try await api.handle(exchange) }
        guard exchange.method == .post else {
            throw HTTPProblem(.methodNotAllowed, "method_not_allowed", "It is started with POST.")
        }
        let findings = try await store.verify()
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("items")
        writer.beginArray()
        for finding in findings { writer.string(finding.description) }
        writer.endArray()
        writer.endObject()
        try await exchange.respond(HTTPResponse(.ok, contentType: "application/json"), body: writer.finish())
    }
}
