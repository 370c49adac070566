// SPDX-License-Identifier: Apache-2.0

import Testing
import Wire

@testable import Command

@Suite struct LocalResponseTests {
    /// The answers in the octets, pushed `step` at a time.
    private func responses(_ text: String, step: Int) throws -> [LocalResponse] {
        var parser = LocalResponseParser()
        var buffer = ByteBuffer()
        var found: [LocalResponse] = []
        var rest = Array(text.utf8)[...]
        while true {
            buffer.append(rest.prefix(step))
            rest = rest.dropFirst(step)
            while let response = try parser.next(&buffer, isEnd: rest.isEmpty) {
                found.append(response)
                if buffer.isEmpty, rest.isEmpty { return found }
            }
        }
    }

    @Test func answersAreReadWholeAndInPieces() throws {
        let text =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            + "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nto the end"
        for step in [1, 3, 1000] {
            let found = try responses(text, step: step)
            #expect(found.map(\.status) == [200, 200, 204, 404])
            #expect(found.map { String(decoding: $0.body, as: UTF8.self) } == ["{}", "abcde", "", "to the end"])
        }
    }

    @Test(arguments: [
        "HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nabcde", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP",
    ])
    func anythingElseIsMalformed(_ text: String) {
        #expect(throws: LocalResponse.Malformed.self) { try responses(text, step: 1000) }
    }

    @Test func aRefusalHasTheServersWords() {
        let body =
            #"{"title":"Bad","code":"invalid","detail":"why","errors":[{"pointer":"/to","detail":"is missing"}]}"#
        let refusal = LocalClient.refusal(LocalResponse(status: 422, body: Array(body.utf8)))
        #expect(refusal.code == "invalid")
        #expect(refusal.description == "Bad: why\n  /to: is missing")
        #expect(LocalClient.refusal(LocalResponse(status: 500)).description == "HTTP status 500")
    }
}
