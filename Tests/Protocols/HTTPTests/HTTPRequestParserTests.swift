// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import HTTP

/// What became of one message: its head, or the status it is refused with, or neither yet.
enum ParseOutcome: Equatable, CustomStringConvertible {
    case head(String)
    case refused(UInt16)
    case incomplete

    var description: String {
        switch self {
        case .head(let text): "head \(text)"
        case .refused(let status): "refused \(status)"
        case .incomplete: "incomplete"
        }
    }
}

struct RequestFixture: CustomTestStringConvertible, Sendable {
    let text: String
    let expected: ParseOutcome

    init(_ text: String, _ expected: ParseOutcome) {
        self.text = text
        self.expected = expected
    }

    var testDescription: String {
        String(text.replacing("\r", with: "␍").replacing("\n", with: "␊").prefix(80))
    }

    /// Hands the octets over in pieces of `step`, as they might come.
    static func parse(_ octets: [UInt8], step: Int, limits: HTTPRequestLimits = HTTPRequestLimits()) -> ParseOutcome {
        var parser = HTTPRequestParser(limits: limits)
        var count = 0
        while count < octets.count {
            count = min(count + step, octets.count)
            do {
                if try parser.parse(octets.span.extracting(0..<count)) != nil {
                    return .head(summary(parser.head))
                }
            } catch {
                #expect(error.closesConnection)
                return .refused(error.status.code)
            }
        }
        return .incomplete
    }

    /// Method, path, query, host, framing; `-` closes, `+` goes on; `!` wants 100.
    static func summary(_ head: borrowing HTTPRequestHead) -> String {
        let framing =
            switch head.outline.framing {
            case .none: "0"
            case .length(let octets): "\(octets)"
            case .chunked: "chunked"
            }
        let query = head.query.map { "?" + String(decoding: $0, as: UTF8.self) } ?? ""
        return "\(head.outline.method.name) \(String(decoding: head.path, as: UTF8.self))\(query) "
            + "\(String(decoding: head.host, as: UTF8.self)) \(framing) \(head.outline.keepsAlive ? "+" : "-")"
            + (head.outline.expectsContinue ? "!" : "")
    }
}

private let host = "Host: a\r\n"

@Suite struct HTTPRequestParserTests {
    @Test(arguments: [
        // Whole heads.
        RequestFixture("GET / HTTP/1.1\r\nHost: a\r\n\r\n", .head("GET / a 0 +")),
        RequestFixture("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .head("GET / a 0 +")),
        RequestFixture("GET /a%20b?x=%31&y HTTP/1.1\r\nhOsT:a:8025\r\n\r\n", .head("GET /a b?x=%31&y a:8025 0 +")),
        RequestFixture("GET /a?b#c HTTP/1.1\r\n\(host)\r\n", .head("GET /a?b a 0 +")),
        RequestFixture("GET /a#c?b HTTP/1.1\r\n\(host)\r\n", .head("GET /a a 0 +")),
        RequestFixture("GET // HTTP/1.1\r\n\(host)\r\n", .head("GET // a 0 +")),
        RequestFixture("GET /../x/./y HTTP/1.1\r\n\(host)\r\n", .head("GET /../x/./y a 0 +")),
        RequestFixture("OPTIONS * HTTP/1.1\r\n\(host)\r\n", .head("OPTIONS * a 0 +")),
        RequestFixture("GET http://b:80/c?d HTTP/1.1\r\n\(host)\r\n", .head("GET /c?d b:80 0 +")),
        RequestFixture("GET HTTPS://[::1]:8 HTTP/1.1\r\n\(host)\r\n", .head("GET / [::1]:8 0 +")),
        RequestFixture("OPTIONS http://b HTTP/1.1\r\n\(host)\r\n", .head("OPTIONS * b 0 +")),
        RequestFixture("CONNECT b:443 HTTP/1.1\r\n\(host)\r\n", .head("CONNECT  a 0 +")),
        RequestFixture("BREW / HTTP/1.1\r\n\(host)\r\n", .head("- / a 0 +")),
        RequestFixture("get / HTTP/1.1\r\n\(host)\r\n", .head("- / a 0 +")),
        RequestFixture("GET / HTTP/1.0\r\n\r\n", .head("GET /  0 -")),
        RequestFixture("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", .head("GET /  0 +")),
        RequestFixture("GET / HTTP/1.1\r\n\(host)Connection: x , CLOSE\r\n\r\n", .head("GET / a 0 -")),
        RequestFixture("GET / HTTP/1.1\r\n\(host)Connection: x\r\nConnection: close\r\n\r\n", .head("GET / a 0 -")),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 0012\r\n\r\n", .head("PUT / a 12 +")),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n", .head("PUT / a 0 +")),
        RequestFixture(
            "PUT / HTTP/1.1\r\n\(host)Content-Length: 999999999999999999\r\n\r\n",
            .head("PUT / a 999999999999999999 +")
        ),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: Chunked\r\n\r\n", .head("PUT / a chunked +")),
        RequestFixture(
            "PUT / HTTP/1.1\r\n\(host)Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n",
            .head("PUT / a 3 +!")
        ),
        RequestFixture("PUT / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", .head("PUT /  3 -")),
        RequestFixture("GET / HTTP/1.1\r\nHost: \r\n\r\n", .head("GET /  0 +")),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X: \t a\tb \t\r\nEmpty:\r\n\r\n", .head("GET / a 0 +")),
        // More must come.
        RequestFixture("GET / HTTP/1.1\r\n\(host)", .incomplete),
        RequestFixture("GET / HTTP/1.1\r\n\(host)\r", .incomplete),
        RequestFixture("GE", .incomplete),
        // Lines.
        RequestFixture("GET / HTTP/1.1\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X: a\nY: b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X: a\rb\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X: a\0b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X: a\u{7F}b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n X: a\r\n\(host)\r\n", .refused(400)),
        RequestFixture("\u{16}\u{3}\u{1}", .refused(400)),
        RequestFixture(String(repeating: "\r\n", count: 9), .refused(400)),
        // Request lines.
        RequestFixture("GET /\r\n\r\n", .refused(400)),
        RequestFixture("GET  / HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET /  HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1 \r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET\t/\tHTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET /a b HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture(" GET / HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("G(T / HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / http/1.1\r\n\(host)\r\n", .refused(505)),
        RequestFixture("GET / ICE/1.0\r\n\(host)\r\n", .refused(505)),
        RequestFixture("GET / H P/1.0\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("PRI * HTTP/1.1\r\n\(host)\r\n", .head("- * a 0 +")),
        RequestFixture("GET / HTTP/1.1x\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/01.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/11\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.2\r\n\(host)\r\n", .refused(505)),
        RequestFixture("PRI * HTTP/2.0\r\n\r\n", .refused(505)),
        RequestFixture("GET / HTTP/0.9\r\n\(host)\r\n", .refused(505)),
        // Targets.
        RequestFixture("GET * HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET a HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET ftp://a/ HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET http:/// HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET http://u@a/ HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET /%2 HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET /%zz HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET /a%2Fb HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        RequestFixture("GET /a%00b HTTP/1.1\r\n\(host)\r\n", .refused(400)),
        // Field lines.
        RequestFixture("GET / HTTP/1.1\r\n\(host)X : a\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X\t: a\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host): a\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)X[]: a\r\n\r\n", .refused(400)),
        // Host.
        RequestFixture("GET / HTTP/1.1\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\n\(host)\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.0\r\n\(host)\(host)\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n", .refused(400)),
        RequestFixture("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .refused(400)),
        // Lengths.
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length:\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: +3\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: -0\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 0x3\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 1_0\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 3 3\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 3, 3\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 3\r\nContent-Length: 3\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Content-Length: 1000000000000000000\r\n\r\n", .refused(400)),
        // Codings.
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n", .refused(501)),
        RequestFixture(
            "PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n",
            .refused(501)
        ),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, gzip\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: xchunked\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked,\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: ,chunked\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked;a\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: \"chunked\"\r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: \r\n\r\n", .refused(400)),
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: \u{B}chunked\r\n\r\n", .refused(400)),
        RequestFixture(
            "PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .refused(400)
        ),
        RequestFixture(
            "PUT / HTTP/1.1\r\n\(host)Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            .refused(400)
        ),
        RequestFixture(
            "PUT / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
            .refused(400)
        ),
        RequestFixture("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", .refused(400)),
        // Expectations.
        RequestFixture("PUT / HTTP/1.1\r\n\(host)Expect: 200-maybe\r\n\r\n", .refused(417)),
    ])
    func heads(_ fixture: RequestFixture) {
        let octets = Array(fixture.text.utf8)
        for step in [octets.count, 1, 3] {
            #expect(RequestFixture.parse(octets, step: step) == fixture.expected, "in pieces of \(step)")
        }
    }

    @Test func limitsHoldAtTheirEdges() {
        func parse(line: Int, name: Int = 0, fields: Int = 1, value: Int = 0) -> ParseOutcome {
            var text = "GET /" + String(repeating: "a", count: line - 14) + " HTTP/1.1\r\nHost: a\r\n"
            for _ in 1..<fields { text += "X: y\r\n" }
            if value > 0 { text += "Y: " + String(repeating: "b", count: value - 3) + "\r\n" }
            return RequestFixture.parse(Array((text + "\r\n").utf8), step: 1024)
        }
        func isHead(_ outcome: ParseOutcome) -> Bool { if case .head = outcome { true } else { false } }
        #expect(isHead(parse(line: 8188)))
        #expect(parse(line: 8189) == .refused(414))
        #expect(isHead(parse(line: 14, value: 8188)))
        #expect(parse(line: 14, value: 8189) == .refused(431))
        #expect(isHead(parse(line: 14, fields: 100)))
        #expect(parse(line: 14, fields: 101) == .refused(431))
        let line = "X: " + String(repeating: "a", count: 8000) + "\r\n"
        let text = "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: line, count: 5)
        #expect(RequestFixture.parse(Array(text.utf8), step: 100) == .refused(431))
    }

    @Test func fieldsAreFoundWithoutRegardToCase() throws {
        let octets = Array("GET / HTTP/1.1\r\nHost: a\r\nX-a: 1\r\nx-A:\t2 \r\nX-Request-ID: r\r\n\r\n".utf8)
        var parser = HTTPRequestParser()
        #expect(try parser.parse(octets.span) == octets.count)
        #expect(parser.head.fields.first("X-A").map { Array($0) } == Array("1".utf8))
        #expect(parser.head.fields.all("x-a").map { String(decoding: $0, as: UTF8.self) } == ["1", "2"])
        #expect(throws: HTTPProblem.self) { try parser.head.fields.single("X-A") }
        #expect(parser.head.outline.requestIDLine == 3)
        parser.reset()
        #expect(parser.head.outline.requestIDLine == nil && parser.head.fields.isEmpty && parser.head.host.isEmpty)
    }

    @Test func anAbandonedHeadKeepsNothingOfItsFields() throws {
        var parser = HTTPRequestParser()
        let octets = Array("HEAD /x HTTP/1.1\r\nX-Request-Id: a\r\nOrigin: b\r\nX y\r\n".utf8)
        #expect(throws: HTTPProblem.self) { try parser.parse(octets.span) }
        parser.abandon()
        #expect(parser.head.outline.method == .head && parser.head.path.isEmpty && parser.head.host.isEmpty)
        #expect(parser.head.outline.requestIDLine == nil && parser.head.outline.originLine == nil)
    }
}
