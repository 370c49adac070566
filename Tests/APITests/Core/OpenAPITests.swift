// SPDX-License-Identifier: Apache-2.0

import EmbeddedFiles
import HTTP
import Storage
import Testing
import Yams

@testable import API

/// `openapi.yaml` and the routes say the same.
@Suite struct OpenAPITests {
    private func document() throws -> [String: Any] {
        let text = String(decoding: EmbeddedFile.openAPI, as: UTF8.self)
        return try #require(try Yams.load(yaml: text) as? [String: Any])
    }

    /// `METHOD path` of each operation, with its operationId and scope.
    private func described() throws -> [String: String] {
        let paths = try #require(try document()["paths"] as? [String: [String: Any]])
        var found: [String: String] = [:]
        for (path, item) in paths {
            for (method, operation) in item where method != "parameters" {
                let operation = try #require(operation as? [String: Any])
                let id = try #require(operation["operationId"] as? String)
                found["\(method.uppercased()) \(path)"] = "\(id) \(operation["x-scope"] as? String ?? "-")"
            }
        }
        return found
    }

    @Test func theRoutesAreTheDocumentsOperations() throws {
        var routes: [String: String] = [:]
        for operation in API.operations {
            let scope = operation.scope.flatMap { scope in TokenScopesWords.word(scope) } ?? "-"
            routes["\(operation.method.name) \(operation.path)"] = "\(operation.id) \(scope)"
        }
        #expect(routes.count == API.operations.count)
        let described = try described()
        #expect(routes.keys.sorted() == described.keys.sorted())
        for (route, operation) in described { #expect(routes[route] == operation, "\(route)") }
    }

    @Test func operationsWithoutATokenSaySo() throws {
        let paths = try #require(try document()["paths"] as? [String: [String: Any]])
        for operation in API.operations {
            let item = try #require(
                paths["\(operation.path)"]?["\(operation.method.name)".lowercased()] as? [String: Any]
            )
            #expect((item["security"] != nil) == (operation.scope == nil), "\(operation.id)")
        }
    }

    /// Types that nothing here writes yet.
    private static let unwritten: Set<EventType> = [
        .messageQueued, .messageDeferred, .messageExpired, .messageUnknown, .messageCancelled, .messageBounced,
    ]

    @Test func theTypesOfEventsAreTheDocuments() throws {
        let hooks = try #require(try document()["webhooks"] as? [String: Any])
        let written = Set(Set(EventType.allCases).subtracting(Self.unwritten).map(\.rawValue))
        #expect(Set(hooks.keys) == written.union(["webhook.test"]))
        let components = try #require(try document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: [String: Any]])
        let groups = Set(written.map { "\($0.split(separator: ".")[0]).*" })
        let filters = try #require(schemas["EventTypeFilter"]?["enum"] as? [String])
        #expect(Set(filters) == groups.union(written))
        let all = try #require(schemas["Event"]?["oneOf"] as? [[String: String]])
        #expect(all.count == written.count)
    }

    @Test func fieldsOfMessagesAreTheDocuments() throws {
        let components = try #require(try document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: [String: Any]])
        let names = try #require(schemas["MessageField"]?["enum"] as? [String])
        #expect(names == MessageFields.names.map { "\($0)" })
        let message = try #require(schemas["Message"]?["properties"] as? [String: Any])
        #expect(Set(names) == Set(message.keys))
    }
}
