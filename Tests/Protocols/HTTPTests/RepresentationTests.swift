// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import HTTP

private func fields(_ lines: [(StaticString, String)]) -> HTTPFields {
    var fields = HTTPFields()
    for (name, value) in lines { try? fields.add(name, value.utf8) }
    return fields
}

@Suite struct AcceptNegotiationTests {
    @Test(
        arguments: [
            ([], 0), (["*/*"], 0), (["text/html"], 2), (["text/*"], 1), (["text/*;q=0.5, text/html"], 2),
            (["application/json;q=0.1, */*;q=0.2"], 1), (["text/plain;q=0", "text/*"], 2),
            (["application/*;q=0.3, text/html;q=0.300"], 0),
            (["image/png"], nil), (["*/*;q=0"], nil), (["TEXT/HTML"], 2),
            (["text/html;level=1, application/json;q=0.4"], 2),
            (["text/plain;x=\"a,b\";q=0.9, text/html"], 2), (["nonsense"], nil), ([", ,text/html"], 2),
            (["text/html;q=2"], nil),
            (["text/html;q=0.1234, text/plain;q=0.001"], 1),
        ] as [([String], Int?)]
    )
    func choices(_ values: [String], _ expected: Int?) {
        let accept = fields(values.map { ("Accept", $0) })
        #expect(
            AcceptNegotiation.choose(among: ["application/json", "text/plain", "text/html"], accept) == expected
        )
    }
}

@Suite struct MediaTypeTests {
    @Test func parametersAreCompared() throws {
        let type = try fields([("Content-Type", "Application/JSON ; Charset=\"UTF-8\"")]).contentType(among: [
            "application/json"
        ])
        #expect(type.parameter("charset") == Array("UTF-8".utf8))
        for bad in [
            "application/jsonx", "application", "application/", "/json", "application/json;", "a/b/c",
            "application/json, a",
        ] {
            let isFine = bad == "application/json;"
            #expect(
                (try? fields([("Content-Type", bad)]).contentType(among: ["application/json"]) != nil) ?? false
                    == isFine,
                "\(bad)"
            )
        }
        #expect(throws: HTTPProblem.self) { try HTTPFields().contentType(among: ["application/json"]) }
    }

    @Test func boundaries() {
        func boundary(_ text: String) -> [UInt8]? {
            MediaType(Array("multipart/form-data; boundary=\(text)".utf8).span)?.boundary
        }
        #expect(boundary("----WebKitFormBoundary7MA4YWxkTrZu0gW") != nil)
        #expect(boundary("\"a b\"") == Array("a b".utf8))
        #expect(boundary(String(repeating: "a", count: 70)) != nil)
        #expect(boundary(String(repeating: "a", count: 71)) == nil)
        #expect(boundary("\"a \"") == nil && boundary("\"\"") == nil && boundary("\"a\u{1}\"") == nil)
    }
}

@Suite struct PreconditionsTests {
    static let modified = Timestamp(seconds: 784_111_777)

    @Test(
        arguments: [
            ([], .get, .proceed),
            ([("If-Match", "\"1\"")], .put, .proceed), ([("If-Match", "\"2\"")], .put, .failed),
            ([("If-Match", "\"2\", \"1\"")], .put, .proceed), ([("If-Match", "W/\"1\"")], .put, .failed),
            ([("If-Match", "*")], .put, .proceed), ([("If-Match", "\"2\""), ("If-Match", "\"1\"")], .put, .proceed),
            ([("If-None-Match", "\"1\"")], .get, .notModified), ([("If-None-Match", "W/\"1\"")], .head, .notModified),
            ([("If-None-Match", "\"1\"")], .put, .failed), ([("If-None-Match", "*")], .put, .failed),
            ([("If-None-Match", "\"2\"")], .get, .proceed),
            ([("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], .get, .notModified),
            ([("If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")], .get, .proceed),
            ([("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], .put, .proceed),
            ([("If-Modified-Since", "yesterday")], .get, .proceed),
            ([("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")], .put, .failed),
            ([("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], .put, .proceed),
            ([("If-None-Match", "\"2\""), ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")], .get, .proceed),
        ] as [([(StaticString, String)], HTTPMethod, Preconditions.Outcome)]
    )
    func conditions(_ lines: [(StaticString, String)], _ method: HTTPMethod, _ expected: Preconditions.Outcome) throws {
        let conditions = try Preconditions(fields(lines))
        #expect(conditions.evaluate(method, tag: EntityTag("1".utf8), modified: Self.modified) == expected)
    }

    @Test func whatIsNotThereMatchesNothing() throws {
        #expect(try Preconditions(fields([("If-Match", "*")])).evaluate(.put, tag: nil) == .failed)
        #expect(try Preconditions(fields([("If-None-Match", "*")])).evaluate(.put, tag: nil) == .proceed)
    }

    @Test(arguments: ["1", "\"1", "\"1\" \"2\"", "*, \"1\"", "w/\"1\"", "\"a\"b"])
    func listsThatCannotBeRead(_ text: String) {
        #expect(throws: HTTPProblem.self) { try Preconditions(fields([("If-Match", text)])) }
        #expect(throws: HTTPProblem.self) { try Preconditions(fields([("If-None-Match", text)])) }
    }
}

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            ("bytes=0-0", 10, .part(0..<1)), ("bytes=0-", 10, .part(0..<10)), ("bytes=3-5", 10, .part(3..<6)),
            ("bytes=3-500", 10, .part(3..<10)), ("bytes=-4", 10, .part(6..<10)), ("bytes=-40", 10, .part(0..<10)),
            ("bytes=9-18446744073709551615", 10, .part(9..<10)), ("BYTES=0-1", 10, .part(0..<2)),
            ("bytes=10-", 10, .unsatisfiable), ("bytes=-0", 10, .unsatisfiable), ("bytes=0-", 0, .unsatisfiable),
            ("bytes=-1", 0, .unsatisfiable), ("bytes=5-3", 10, .whole), ("bytes=0-1,3-4", 10, .whole),
            ("items=0-1", 10, .whole),
            ("bytes=", 10, .whole), ("bytes=-", 10, .whole), ("bytes=+1-2", 10, .whole), ("bytes=a-b", 10, .whole),
            ("bytes=99999999999999999999-", 10, .whole),
        ] as [(String, UInt64, ByteRange)]
    )
    func ranges(_ text: String, _ length: UInt64, _ expected: ByteRange) {
        #expect(ByteRange(fields([("Range", text)]), length: length, tag: nil) == expected)
    }

    @Test(arguments: [
        ("\"1\"", true), ("\"2\"", false), ("W/\"1\"", false), ("Sun, 06 Nov 1994 08:49:37 GMT", true),
        ("Sun, 06 Nov 1994 08:49:38 GMT", false), ("nonsense", false), ("\"1\", \"1\"", false),
    ])
    func aRangeOfAnotherStateIsNotServed(_ condition: String, _ isServed: Bool) {
        let range = ByteRange(
            fields([("Range", "bytes=0-0"), ("If-Range", condition)]),
            length: 10,
            tag: EntityTag("1".utf8),
            modified: PreconditionsTests.modified
        )
        #expect(range == (isServed ? .part(0..<1) : .whole))
    }

    @Test func contentRange() {
        #expect(ByteRange.contentRange(0..<5, length: 10) == Array("bytes 0-4/10".utf8))
        #expect(ByteRange.contentRange(nil, length: 10) == Array("bytes */10".utf8))
    }
}

@Suite struct HTTPDateTests {
    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    ])
    func threeForms(_ text: String) {
        #expect(Timestamp(httpDate: Array(text.utf8).span) == Timestamp(seconds: 784_111_777))
    }

    @Test(arguments: [
        "", ",", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 nov 1994 08:49:37 GMT", "784111777",
    ])
    func nothingElse(_ text: String) {
        #expect(Timestamp(httpDate: Array(text.utf8).span) == nil)
    }
}

@Suite struct ContentDispositionTests {
    @Test(arguments: [
        ("a.pdf", "attachment; filename=\"a.pdf\""),
        ("a b;c.pdf", "attachment; filename=\"a b;c.pdf\""),
        ("é\".txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%A9%22.txt"),
        ("a\r\nSet-Cookie: x", "attachment; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
        ("50%.txt", "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
    ])
    func names(_ name: String, _ expected: String) {
        #expect(String(decoding: ContentDisposition.attachment(name), as: UTF8.self) == expected)
    }
}

@Suite struct HTTPFieldsTests {
    @Test(arguments: ["a\r\nX: y", "a\nb", "a\rb", "a\0b", "\u{7F}"])
    func aValueCannotEndItsLine(_ value: String) {
        var fields = HTTPFields()
        #expect(throws: HTTPFields.UnsafeValue.self) { try fields.add("X", value.utf8) }
        #expect(fields.isEmpty)
    }

    @Test func anAnswersHead() throws {
        var response = HTTPResponse(.created, contentType: "application/json")
        response.fields.add("ETag", "\"1\"")
        try response.fields.add("Location", "/v1/é".utf8)
        response.fields.add("Age", decimal: 7)
        response.fields.add("Last-Modified", date: Timestamp(seconds: 784_111_777))
        response.fields.remove("Age")
        var head = ByteBuffer()
        head.appendHead(response, framing: .length(12), dateLine: Array("Date: d\r\n".utf8), requestID: Array("r".utf8))
        let expected = """
            HTTP/1.1 201 Created\r\nDate: d\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\
            ETag: "1"\r\nLocation: /v1/é\r\n\
            Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
            X-Content-Type-Options: nosniff\r\nX-Request-Id: r\r\n
            """
        #expect(String(decoding: head.array(), as: UTF8.self) == expected)
    }

    @Test(arguments: [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65_535, "ffff\r\n"), (1 << 32, "100000000\r\n")])
    func chunkSizes(_ octets: Int, _ expected: String) {
        var line = ByteBuffer()
        line.appendChunkSize(octets)
        #expect(String(decoding: line.array(), as: UTF8.self) == expected)
    }

    @Test func aProblemIsJSONWhateverItSays() {
        let problem = HTTPProblem(.badRequest, "invalid_query", "say \"\\\u{1}é\"")
        var document = ByteBuffer()
        problem.appendJSON(to: &document, requestID: Array("r\n".utf8).span)
        let expected =
            #"{"type":"about:blank","title":"Bad Request","status":400,"code":"invalid_query","#
            + #""detail":"say \"\\\u0001é\"","requestId":"r\u000a"}"# + "\n"
        #expect(String(decoding: document.array(), as: UTF8.self) == expected)
    }
}
