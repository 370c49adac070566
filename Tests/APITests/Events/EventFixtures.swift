// SPDX-License-Identifier: Apache-2.0

import Foundation
import JSON
import Testing

@testable import API

/// A stream of events as a client sees it, with head and chunks, and without CR: with LF it would be one character.
final class TestStream {
    private let connection: TestConnection
    private var text = ""
    private(set) var isAtEnd = false

    init(_ server: TestServer, _ target: String, token: String? = nil, fields: [(String, String)] = []) throws {
        connection = try server.client.connect()
        var head = "GET \(target) HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nConnection: close\r\n"
        for (name, value) in fields + [("Authorization", "Bearer \(token ?? server.admin)")] {
            head += "\(name): \(value)\r\n"
        }
        connection.send(Array((head + "\r\n").utf8))
    }

    /// Reads on until `end` has come; what stood before it, its head and chunks included, and `end`.
    func read(to end: String) -> String {
        while true {
            if let range = text.range(of: end) {
                defer { text.removeSubrange(..<range.upperBound) }
                return String(text[..<range.upperBound])
            }
            guard let more = connection.receive() else {
                isAtEnd = true
                return text
            }
            text += String(decoding: more.filter { $0 != 0x0D }, as: UTF8.self)
        }
    }

    /// All that comes until the server ends it.
    func rest() -> String {
        while let more = connection.receive() { text += String(decoding: more.filter { $0 != 0x0D }, as: UTF8.self) }
        isAtEnd = true
        return text
    }
}

extension TestServer {
    func events(_ account: String, _ query: String = "", token: String? = nil) throws -> TestResponse {
        try client.send("GET", "/v1/accounts/\(account)/events\(query)", token: token ?? admin)
    }

    func allEvents(_ query: String = "", token: String? = nil) throws -> TestResponse {
        try client.send("GET", "/v1/events\(query)", token: token ?? admin)
    }

    /// Makes something happen: one event.
    func makeFolder(_ name: String, in account: String) throws {
        let made = try send("POST", "/v1/accounts/\(account)/folders", json: #"{"name":"\#(name)"}"#)
        #expect(made.status == 201)
    }
}

extension TestResponse {
    /// The `type` of each item.
    var types: [String] {
        (0..<(count("items") ?? 0)).map { self["items", "\($0)", "type"] ?? "" }
    }

    var numbers: [Int64] {
        (0..<(count("items") ?? 0)).map { int("items", "\($0)", "seq") ?? 0 }
    }
}

/// Runs what blocks on a thread of its own.
func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
