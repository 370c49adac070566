// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import HTTP

@Suite struct QueryParametersTests {
    static func parse(_ text: String) -> [String]? {
        guard let query = try? QueryParameters(parsing: Array(text.utf8).span) else { return nil }
        return (0..<query.count).map {
            "\(String(decoding: query.name(at: $0), as: UTF8.self))=\(String(decoding: query.value(at: $0), as: UTF8.self))"
        }
    }

    @Test(
        arguments: [
            ("", []), ("a=b", ["a=b"]), ("a", ["a="]), ("a=", ["a="]), ("=b", ["=b"]), ("a=b&&c=d&", ["a=b", "c=d"]),
            ("a+b=c+d%2B", ["a b=c d+"]), ("q=from%3Aann+has:x", ["q=from:ann has:x"]), ("a=b=c", ["a=b=c"]),
            ("a=%C3%A9", ["a=é"]), ("a=1&a=2", ["a=1", "a=2"]),
            ("a=%", nil), ("a=%4", nil), ("a=%GG", nil), ("a=%FF", nil), ("a=%C3", nil), ("a=%00", nil),
            ("%ED%A0%80=1", nil),
        ] as [(String, [String]?)]
    )
    func pairs(_ text: String, _ expected: [String]?) {
        #expect(Self.parse(text) == expected)
    }

    @Test func whatIsWrittenIsRead() {
        let members = [("a", "b c"), ("a&b", "="), ("é+", "%"), ("none", "")]
        let text = PercentEncoding.encode(members: members.map { ($0, Array($1.utf8)) })
        let written = String(decoding: text, as: UTF8.self)
        #expect(written == "a=b%20c&a%26b=%3D&%C3%A9%2B=%25&none=")
        #expect(Self.parse(written) == members.map { "\($0)=\($1)" })
        #expect(PercentEncoding.encode(members: []).isEmpty)
    }

    @Test func duplicatesAndStrangersAreRefusedByName() throws {
        let query = try QueryParameters(parsing: Array("limit=50&limit=60&order=up&all=true&n=7".utf8).span)
        #expect(throws: HTTPProblem.self) { try query.single("limit") }
        #expect(query.all("limit").count == 2)
        #expect(throws: HTTPProblem.self) { try query.requireOnly("limit", "order") }
        #expect(throws: Never.self) { try query.requireOnly("limit", "order", "all", "n") }
        #expect(try query.boolean("all") == true)
        #expect(throws: HTTPProblem.self) { try query.boolean("order") }
        #expect(try query.number("n", in: 1...7) == 7)
        #expect(throws: HTTPProblem.self) { try query.number("n", in: 1...6) }
        #expect(throws: HTTPProblem.self) { try query.number("order", in: 1...6) }
        #expect(try query.number("absent", in: 1...6) == nil)
    }

    @Test func thereIsALimitOfPairs() {
        let pairs = Array(repeating: "a", count: QueryParameters.maximumPairs)
        #expect(Self.parse(pairs.joined(separator: "&"))?.count == QueryParameters.maximumPairs)
        #expect(Self.parse((pairs + ["a"]).joined(separator: "&")) == nil)
    }
}
