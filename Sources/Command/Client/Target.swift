// SPDX-License-Identifier: Apache-2.0

internal import HTTP
internal import JSON
internal import Wire

/// Pieces of request targets.
enum Target {
    /// One path segment or one query value, with everything encoded that might end it.
    static func encoded(_ text: String) -> String {
        var octets: [UInt8] = []
        PercentEncoding.encode(Array(text.utf8).span, into: &octets)
        return String(decoding: octets, as: UTF8.self)
    }

    /// `path?name=value&…`.
    static func with(_ path: String, _ query: [(name: String, value: String)]) -> String {
        query.isEmpty ? path : path + "?" + query.map { "\($0.name)=\(encoded($0.value))" }.joined(separator: "&")
    }
}

extension LocalClient {
    /// Every item of a list, page after page.
    func forEachItem(
        _ path: String,
        query: [(name: String, value: String)] = [],
        _ body: (JSONValue) throws -> Void
    ) throws {
        var cursor: String?
        repeat {
            let page = try call("GET", Target.with(path, query + (cursor.map { [("cursor", $0)] } ?? [])))
            for item in page.object?["items"]?.array ?? [] { try body(item) }
            cursor = page.object?["next"]?.string.map { String(decoding: $0, as: UTF8.self) }
        } while cursor != nil
    }
}

extension JSONValue {
    /// A member's text as a person may see it; `absent` where it is missing, null or no text.
    func text(_ name: StaticString, absent: String = "") -> String {
        object?[name]?.string.map(Console.visible) ?? absent
    }

    func texts(_ name: StaticString) -> [String] {
        object?[name]?.array?.compactMap { $0.string.map(Console.visible) } ?? []
    }

    func isNull(_ name: StaticString) -> Bool { object?[name] == .null }
}
