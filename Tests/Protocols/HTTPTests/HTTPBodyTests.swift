// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import HTTP

@Suite struct HTTPBodyTests {
    enum Outcome: Equatable, Sendable {
        case body(String, rest: Int)
        case refused
        case incomplete
    }

    static func decode(_ octets: [UInt8], _ framing: HTTPBodyFraming, step: Int) -> (Outcome, HTTPFields) {
        var decoder = HTTPBodyDecoder(framing)
        var body: [UInt8] = []
        var offset = 0
        var count = 0
        while true {
            do {
                switch try decoder.next(octets.span.extracting(0..<count), &offset) {
                case .data(let range): body += octets[range]
                case .end:
                    return (.body(String(decoding: body, as: UTF8.self), rest: octets.count - offset), decoder.trailers)
                case .needsInput:
                    if count == octets.count { return (.incomplete, decoder.trailers) }
                    count = min(count + step, octets.count)
                }
            } catch {
                return (.refused, decoder.trailers)
            }
        }
    }

    @Test(
        arguments: [
            ("0\r\n\r\n", Outcome.body("", rest: 0)),
            ("5\r\nhello\r\n0\r\n\r\n", .body("hello", rest: 0)),
            ("005\r\nhello\r\nA\r\n0123456789\r\n000\r\n\r\nGET", .body("hello0123456789", rest: 3)),
            ("5;a=b;c;d=\"x\\\"y\"; e\r\nhello\r\n0;z\r\nX: y\r\n\r\n", .body("hello", rest: 0)),
            ("5\r\nhello\r\n", .incomplete),
            ("5\r\nhel", .incomplete),
            ("0\r\n\r", .incomplete),
            ("\r\n", .refused), ("5 \r\nhello\r\n", .refused), (" 5\r\nhello\r\n", .refused),
            ("+5\r\nhello\r\n", .refused),
            ("0x5\r\nhello\r\n", .refused), ("5_0\r\n", .refused), ("-5\r\n", .refused), ("5\nhello\r\n", .refused),
            ("5\rhello\r\n", .refused), ("5\r\nhelloXX0\r\n\r\n", .refused), ("5\r\nhello\n0\r\n\r\n", .refused),
            ("5\r\nhello\r0\r\n\r\n", .refused), ("00000000000000005\r\n", .refused), ("5;\r\nhello\r\n", .refused),
            ("5;a\nhello\r\n0\r\n\r\n", .refused), ("5;a\rb\r\nhello\r\n", .refused), ("5;a=\"b\nc\"\r\n", .refused),
            ("5;a=\"b\r\n\"\r\n", .refused), ("5;a=\r\nhello", .refused), ("5;=a\r\n", .refused),
            ("5;a\0\r\n", .refused),
            ("0\r\nX: y\n\r\n", .refused), ("0\r\nX : y\r\n\r\n", .refused), ("0\r\n X: y\r\n\r\n", .refused),
            ("0\r\nContent-Length: 3\r\n\r\n", .refused), ("0\r\nTransfer-Encoding: chunked\r\n\r\n", .refused),
            ("0\r\nHost: b\r\n\r\n", .refused), ("0\r\n\rX", .refused), ("0\r\nGET / HTTP/1.1\r\n\r\n", .refused),
            ("FFFFFFFFFFFFFFFF\r\nabc", .incomplete),
        ] as [(String, Outcome)]
    )
    func chunks(_ text: String, _ expected: Outcome) {
        let octets = Array(text.utf8)
        for step in [octets.count, 1, 4] {
            #expect(Self.decode(octets, .chunked, step: step).0 == expected, "in pieces of \(step)")
        }
    }

    @Test func extensionsAndTrailersAreBounded() {
        let name = String(repeating: "a", count: 1023)
        #expect(
            Self.decode(Array("1;\(name)\r\nx\r\n0;\(name)\r\n\r\n".utf8), .chunked, step: 9).0 == .body("x", rest: 0)
        )
        #expect(Self.decode(Array("1;\(name)bb\r\nx\r\n0\r\n\r\n".utf8), .chunked, step: 9).0 == .refused)
        let trailers = String(repeating: "A: b\r\n", count: 32)
        #expect(Self.decode(Array("0\r\n\(trailers)\r\n".utf8), .chunked, step: 9).0 == .body("", rest: 0))
        #expect(Self.decode(Array("0\r\n\(trailers)A: b\r\n\r\n".utf8), .chunked, step: 9).0 == .refused)
        let long = "A: " + String(repeating: "b", count: 8192)
        #expect(Self.decode(Array("0\r\n\(long)\r\n\r\n".utf8), .chunked, step: 999).0 == .refused)
    }

    @Test func trailersThatSteerAreDropped() {
        let text = "0\r\nX-Sum: 7\r\nAuthorization: Bearer x\r\ncontent-type: a/b\r\n\r\n"
        let (_, trailers) = Self.decode(Array(text.utf8), .chunked, step: 2)
        #expect(trailers.count == 1)
        #expect(trailers.first("x-sum").map { Array($0) } == Array("7".utf8))
    }

    @Test func aLengthEndsItsBody() {
        #expect(Self.decode(Array("helloGET".utf8), .length(5), step: 2).0 == .body("hello", rest: 3))
        #expect(Self.decode(Array("GET".utf8), .none, step: 2).0 == .body("", rest: 3))
        #expect(Self.decode(Array("hel".utf8), .length(5), step: 2).0 == .incomplete)
    }
}
