// SPDX-License-Identifier: Apache-2.0

import HTTP
import Runtime
import Sockets
import Testing
import Transport
import Wire

@testable import HTTPServer

private let numbers = (0..<1000).map { "\($0)" }.joined()

/// A request with a Host and nothing else but `more`.
private func request(_ method: String, _ target: String, _ more: String = "", body: String = "") -> String {
    "\(method) \(target) HTTP/1.1\r\nHost: a\r\n\(more)\r\n\(body)"
}

private func chunked(_ pieces: String...) -> String {
    pieces.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined() + "0\r\n\r\n"
}

private let chunks = "Transfer-Encoding: chunked\r\n"

@Suite(.timeLimit(.minutes(20))) struct HTTPServerTests {
    @Test(arguments: [Int.max, 1, 7])
    func pipelinedRequestsAreAnsweredInOrder(_ step: Int) async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(
                request("GET", "/") + request("HEAD", "/") + request("POST", "/echo", chunks, body: chunked("ab", "c"))
                    + request("POST", "/collect", "Content-Length: 5\r\n", body: "GET /")
                    + request("GET", "/nothing") + request("GET", "/count") + request("GET", "/count-exactly")
                    + request("GET", "/path%20and+query".replacing("+", with: "%20") + "?q=%C3%A9+b"),
                step: step
            )
            #expect(answers.map(\.status) == [200, 200, 200, 200, 404, 200, 200, 200])
            #expect(answers.map(\.body).prefix(4) == ["hello", "", "abc", "5"])
            #expect(answers.map(\.body).suffix(3) == [numbers, numbers, "é b"])
            #expect(answers[1].fields["content-length"] == "5")
            #expect(answers.allSatisfy { $0.fields["connection"] == nil })
        }
    }

    @Test func pipelinedAnswersGoOutTogether() async throws {
        try await ServerFixture.run { server in
            let octets = try await server.connect { client in
                try await client.send(String(repeating: request("GET", "/"), count: 20))
                var buffer = ByteBuffer()
                buffer.reserve(65_536)
                _ = try await client.connection.read(into: &buffer)
                return buffer.array()
            }
            #expect(try Answer.parse(octets).count == 20)
        }
    }

    @Test func everyAnswerHasTheServersFields() async throws {
        try await ServerFixture.run { server in
            let more = "X-Request-Id: abc-1\r\n"
            let answers = try await server.talk(
                request("GET", "/", more) + request("GET", "/problem", more) + request("GET", "/count", more)
                    + request("GET", "/empty", more) + "BAD\r\n"
            )
            #expect(answers.map(\.status) == [200, 409, 200, 204, 400])
            for answer in answers {
                #expect(answer.fields["date"] == "Sun, 06 Nov 1994 08:49:37 GMT")
                #expect(answer.fields["x-content-type-options"] == "nosniff")
                #expect(
                    answer.fields["x-request-id"] == (answer.status == 400 ? answer.fields["x-request-id"] : "abc-1")
                )
                #expect(answer.fields["x-request-id"]?.isEmpty == false)
            }
            #expect(answers[3].fields["content-length"] == nil)
        }
    }

    @Test(arguments: ["a b", "a\"b", "é", String(repeating: "a", count: 129), ""])
    func aRequestIDThatIsNotFitIsReplaced(_ id: String) async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(
                request("GET", "/id", "X-Request-Id: \(id)\r\n") + request("GET", "/id")
            )
            #expect(answers.allSatisfy { $0.body.utf8.count == 32 && $0.fields["x-request-id"] == $0.body })
            #expect(answers[0].body != answers[1].body)
        }
    }

    @Test(
        arguments: [
            ("GET / HTTP/1.0\r\n\r\n", [200], "close"),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200], "keep-alive"),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", [200], "close"),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [404], nil),
            ("SPILL / HTTP/1.1\r\nHost: a\r\n\r\n", [501], "close"),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", [501], "close"),
            (
                "BREW / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", [501],
                "close"
            ),
            ("GET http://b/method HTTP/1.1\r\nHost: a\r\n\r\n", [200], nil),
            ("GET /%GG HTTP/1.1\r\nHost: a\r\n\r\n", [400], "close"),
            ("GET /?%GG HTTP/1.1\r\nHost: a\r\n\r\n", [400], nil),
            ("PUT / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", [417], "close"),
            ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", [505], "close"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX", [400], "close"),
            ("", [], nil),
        ] as [(String, [Int], String?)]
    )
    func versionsAndMethods(_ text: String, _ statuses: [Int], _ connection: String?) async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(text)
            #expect(answers.map(\.status) == statuses)
            #expect(answers.last?.fields["connection"] == connection)
        }
    }

    @Test(arguments: [
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\(chunks)\r\n0\r\n\r\nGET /id HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /collect HTTP/1.1\r\nHost: a\r\n\(chunks)\r\n3\r\nabcGET /id HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n\(chunks)\r\n3\nabc\r\n0\r\n\r\nGET /id HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\(chunks)\r\n1;x\ny\r\na\r\n0\r\n\r\nGET /id HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\naGET /id HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func whatFollowsADoubtIsNeverARequest(_ text: String) async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(text)
            #expect(answers.map(\.status) == [400])
            #expect(answers[0].fields["connection"] == "close")
            #expect(answers[0].body.contains("\"code\":\"invalid_request\""))
        }
    }

    @Test func aClientThatAsksIsToldToGoOn() async throws {
        try await ServerFixture.run { server in
            try await server.connect { client in
                try await client.send(request("POST", "/collect", "Content-Length: 3\r\nExpect: 100-continue\r\n"))
                #expect(try await client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
                try await client.send("abc" + request("GET", "/"))
                let answer = try await client.read(until: "hello")
                #expect(answer.contains("\r\n\r\n3HTTP/1.1 200 OK\r\n"))
            }
        }
    }

    @Test func aClientThatAsksInVainIsNotToldToGoOn() async throws {
        try await ServerFixture.run { server in
            let answers = try await server.connect { client in
                try await client.send(request("POST", "/problem", "Content-Length: 3\r\nExpect: 100-continue\r\n"))
                return try Answer.parse(try await client.readToEnd())
            }
            #expect(answers.map(\.status) == [409])
            #expect(answers[0].fields["connection"] == "close")
        }
    }

    @Test func bodiesBeyondTheLimitAreRefused() async throws {
        try await ServerFixture.run { server in
            let announced = try await server.talk(
                request("POST", "/collect", "Content-Length: 1001\r\nExpect: 100-continue\r\n")
            )
            let long = String(repeating: "a", count: 600)
            let chunkwise = try await server.talk(
                request("POST", "/collect", chunks, body: chunked(long, long)) + request("GET", "/")
            )
            let route = try await server.talk(
                request("POST", "/small-limit", "Content-Length: 11\r\n", body: "01234567890")
            )
            let huge = try await server.talk(request("POST", "/collect", chunks, body: "FFFFFFFFFFFFFFFF\r\na"))
            for answers in [announced, chunkwise, route, huge] {
                #expect(answers.map(\.status) == [413])
                #expect(answers[0].fields["connection"] == "close")
            }
        }
    }

    @Test func anUnreadBodyIsNeverARequest() async throws {
        try await ServerFixture.run { server in
            let inner = request("GET", "/id")
            let small = try await server.talk(
                request("POST", "/", "Content-Length: \(inner.utf8.count)\r\n", body: inner) + request("GET", "/method")
            )
            #expect(small.map(\.body) == ["hello", "GET"])
            let chunkwise = try await server.talk(
                request("POST", "/", chunks, body: chunked(inner)) + request("GET", "/method"),
                step: 9
            )
            #expect(chunkwise.map(\.body) == ["hello", "GET"])
            let large = String(repeating: inner, count: 20_000)
            let refused = try await server.talk(
                request("POST", "/problem", "Content-Length: \(large.utf8.count)\r\n", body: large)
            )
            #expect(refused.map(\.status) == [409])
            #expect(refused[0].fields["connection"] == "close")
        }
    }

    @Test func trailersComeBehindTheBody() async throws {
        try await ServerFixture.run { server in
            let body = "1\r\na\r\n0\r\nX-Sum: 97\r\n\r\n"
            let answers = try await server.talk(request("POST", "/trailers", chunks, body: body))
            #expect(answers.map(\.body) == ["97"])
        }
    }

    @Test func nothingOfARequestStaysForTheNext() async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(
                request("GET", "/authorization", "Authorization: Bearer x\r\n") + request("GET", "/authorization")
                    + request("GET", "/path%20and%20query?q=1") + request("GET", "/path%20and%20query")
            )
            #expect(answers.map(\.body) == ["yes", "no", "1", "none"])
        }
    }

    @Test func mishapsAreAnsweredWithoutDetail() async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(
                request("GET", "/mishap") + request("GET", "/silence") + request("GET", "/")
            )
            #expect(answers.map(\.status) == [500, 500, 200])
            #expect(answers[0].fields["content-type"] == "application/problem+json")
            #expect(!answers[0].body.contains("Mishap"))
        }
    }

    @Test(arguments: ["/broken-stream", "/short-stream"])
    func aCutStreamIsSeenAsCut(_ path: String) async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(request("GET", path) + request("GET", "/"))
            #expect(answers.map(\.isCut) == [true] || answers.isEmpty)
        }
    }

    @Test func largeAnswersArriveWhole() async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(request("GET", "/large") + request("GET", "/method"))
            #expect(answers.map(\.body.utf8.count) == [3_000_000, 3])
            let sum = try await server.talk(
                request("POST", "/echo", "Content-Length: 500000\r\n", body: String(repeating: "abcde", count: 100_000))
            )
            let isSame = sum.map(\.body) == [String(repeating: "abcde", count: 100_000)]
            #expect(isSame)
        }
    }

    /// What is unread when a connection closes, or comes later, resets it, and takes with it what has not left.
    @Test(arguments: [0, 20])
    func aLargeAnswerArrivesWholeWhereMoreComesBehindTheLastRequest(milliseconds: Int) async throws {
        try await ServerFixture.run { server in
            try await server.connect { client in
                try await client.send(request("GET", "/large", "Connection: close\r\n"))
                if milliseconds > 0 { try await EventLoop.current?.sleep(milliseconds: milliseconds) }
                try await client.send("\r\n")
                try await EventLoop.current?.sleep(milliseconds: 20)
                let answers = try Answer.parse(try await client.readToEnd())
                #expect(answers.map(\.body.utf8.count) == [3_000_000])
                #expect(answers.map(\.isCut) == [false])
            }
        }
    }

    @Test func theObserverSeesEveryRequest() async throws {
        try await ServerFixture.run { server in
            _ = try await server.talk(
                request("GET", "/large") + request("POST", "/collect", "Content-Length: 2\r\n", body: "ab") + "?\r\n"
            )
            let finished = server.observer.finishedRequests.withLock { $0 }
            #expect(finished.map(\.route) == ["/large", nil])
            #expect(finished.map(\.status) == [200, 200])
            #expect(finished.map(\.received) == [0, 2])
            #expect(finished[0].sent > 3_000_000 && finished[0].sent < 3_000_400)
            #expect(server.observer.rejections.withLock { $0 } == ["invalid_request"])
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct HTTPServerDeadlineTests {
    private func read(_ server: ServerFixture, _ text: String) async throws -> [Answer] {
        try await server.connect { client in
            try await client.send(text)
            return try Answer.parse(try await client.readToEnd())
        }
    }

    @Test func aHeadThatDoesNotEndIsGivenUp() async throws {
        try await ServerFixture.run({ $0.headerMilliseconds = 60 }) { server in
            let first = try await read(server, "GET / HTTP/1.1\r\n")
            let second = try await read(server, request("GET", "/") + "GE")
            let nothing = try await read(server, "")
            #expect(first.map(\.status) == [408])
            #expect(second.map(\.status) == [200, 408])
            #expect(nothing.isEmpty)
        }
    }

    @Test func anIdleConnectionIsClosed() async throws {
        try await ServerFixture.run({ $0.idleMilliseconds = 60 }) { server in
            let answers = try await read(server, request("GET", "/"))
            #expect(answers.map(\.status) == [200])
            #expect(server.observer.rejections.withLock { $0 } == ["idle"])
        }
    }

    /// The time after which an idle connection gives up its task passes while the application works.
    @Test func anAnswerMayTakeLongerThanAnIdleConnectionKeepsItsTask() async throws {
        try await ServerFixture.run { server in
            try await server.connect { client in
                for (path, answer) in [("/", "hello"), ("/slow", "slow"), ("/", "hello")] {
                    try await client.send(request("GET", path))
                    #expect(try await client.read(until: "\r\n\r\n\(answer)").hasSuffix(answer))
                }
            }
        }
    }

    @Test func aConnectionThatRestedIsServedAgainUntilItsTimeIsUp() async throws {
        try await ServerFixture.run({ $0.idleMilliseconds = 500 }) { server in
            let answers = try await server.connect { client in
                for _ in 0..<2 {
                    try await client.send(request("GET", "/"))
                    _ = try await client.read(until: "hello")
                    try await client.connection.loop.sleep(milliseconds: 250)
                }
                try await client.send(request("GET", "/"))
                return try Answer.parse(try await client.readToEnd())
            }
            #expect(answers.map(\.status) == [200])
            #expect(server.observer.rejections.withLock { $0 } == ["idle"])
            #expect(server.listener.counts.accepted == 1)
        }
    }

    @Test(arguments: [true, false]) func whatRestsIsToldThatTheServerStops(isClosedByClient: Bool) async throws {
        try await ServerFixture.run { server in
            try await server.connect { client in
                try await client.send(request("GET", "/"))
                _ = try await client.read(until: "hello")
                try await client.connection.loop.sleep(milliseconds: 250)
                if isClosedByClient {
                    client.connection.shutdownWrite()
                    #expect(try await client.readToEnd().isEmpty)
                } else {
                    #expect(await server.listener.drain(milliseconds: 4000))
                }
                while server.listener.counts.open > 0 { try await client.connection.loop.sleep(milliseconds: 5) }
            }
        }
    }

    @Test func aSlowBodyIsGivenUp() async throws {
        try await ServerFixture.run({
            $0.bodyWindowMilliseconds = 60
            $0.minimumBodyOctetsPerSecond = 1000
        }) { server in
            let text = request("POST", "/collect", "Content-Length: 100\r\n", body: "abc")
            let answers = try await read(server, text)
            #expect(answers.map(\.status) == [408])
            #expect(answers.first?.body.contains("body_timeout") == true)
        }
    }

    @Test func aBodyThatStopsIsRefused() async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(request("POST", "/collect", "Content-Length: 100\r\n", body: "abc"))
            #expect(answers.map(\.status) == [400])
        }
    }

    @Test func drainingClosesWhatIsIdle() async throws {
        try await ServerFixture.run { server in
            let isDrained = try await server.connect { client in
                try await client.send(request("GET", "/"))
                _ = try await client.read(until: "hello")
                async let drained = server.listener.drain(milliseconds: 4000)
                #expect(try await client.readToEnd().isEmpty)
                return await drained
            }
            #expect(isDrained)
        }
    }

    @Test func drainingEndsWhatIsBusyWithItsAnswer() async throws {
        try await ServerFixture.run { server in
            let text = try await server.connect { client in
                try await client.send(request("POST", "/collect", "Content-Length: 3\r\n", body: "ab"))
                async let drained = server.listener.drain(milliseconds: 4000)
                while await !server.listener.isRefusing(client) { await Task.yield() }
                try await client.send("c")
                let text = String(decoding: try await client.readToEnd(), as: UTF8.self)
                #expect(await drained)
                return text
            }
            #expect(text.contains("200 OK") && text.contains("Connection: close") && text.hasSuffix("\r\n\r\n3"))
        }
    }
}

extension Transport.Listener {
    /// Whether new connections are refused, as they are once the listener drains.
    fileprivate func isRefusing(_ client: RawClient) async -> Bool {
        do {
            let probe = try await Transport.Connection.connect(
                to: localAddress,
                on: client.connection.loop,
                milliseconds: 200
            )
            probe.close()
            return false
        } catch { return true }
    }
}

@Suite(.timeLimit(.minutes(20))) struct HTTPServerAccessTests {
    @Test(arguments: [
        ("mail.example", 200), ("MAIL.example:8025", 200), ("127.0.0.1:8025", 200), ("127.0.0.1:8026", 421),
        ("[::1]:8025", 200), ("[::1]", 200), ("evil.example", 421), ("mail.example.evil.example", 421), ("", 421),
    ])
    func onlyListedHostsAreServed(_ host: String, _ status: Int) async throws {
        try await ServerFixture.run({ $0.allowedHosts = ["mail.example", "127.0.0.1:8025", "[::1]"] }) { server in
            let answers = try await server.talk("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(answers.map(\.status) == [status])
        }
    }

    @Test func listedOriginsMayReadAnswers() async throws {
        try await ServerFixture.run({ $0.allowedOrigins = ["https://app.example"] }) { server in
            let ours = "Origin: https://app.example\r\n"
            let preflight = "Access-Control-Request-Method: PUT\r\n"
            let answers = try await server.talk(
                request("GET", "/", ours) + request("GET", "/", "Origin: https://app.example.evil\r\n")
                    + request("GET", "/")
                    + request("OPTIONS", "/", ours + preflight)
                    + request("OPTIONS", "/problem", "Origin: http://app.example\r\n" + preflight)
            )
            #expect(answers.map(\.status) == [200, 200, 200, 204, 409])
            #expect(answers.allSatisfy { $0.fields["vary"] == "Origin" })
            let allowed = answers.map { $0.fields["access-control-allow-origin"] }
            #expect(allowed == ["https://app.example", nil, nil, "https://app.example", nil])
            #expect(answers[0].fields["access-control-expose-headers"]?.contains("ETag") == true)
            #expect(answers[3].fields["access-control-allow-methods"]?.contains("PUT") == true)
            #expect(answers[3].fields["access-control-allow-headers"]?.contains("Authorization") == true)
            #expect(answers.allSatisfy { $0.fields["access-control-allow-credentials"] == nil })
        }
    }

    @Test func withoutListedOriginsThereIsNoCORS() async throws {
        try await ServerFixture.run { server in
            let answers = try await server.talk(request("GET", "/", "Origin: https://app.example\r\n"))
            #expect(answers[0].fields.keys.allSatisfy { !$0.hasPrefix("access-control") && $0 != "vary" })
        }
    }
}
