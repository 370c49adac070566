// SPDX-License-Identifier: Apache-2.0

import Egress
import Runtime
import Sockets
import TLS
import TestSupport
import Testing

@testable import WebClient

@Suite struct WebClientsTests {
    // MARK: What goes out and comes back

    @Test func aRequestArrivesAsItWasGiven() async throws {
        let (text, port) = try await Origin.run { origin in
            var request = WebRequest("POST", origin.url("/echo"))
            request.fields = [
                .init("Content-Type", "application/json"), .init("X-Empty", ""), .init("x-latin", "\u{E9}\tb"),
            ]
            request.body = Array(#"{"a":1}"#.utf8)
            return (await origin.outcome(request), origin.port)
        }
        #expect(
            text == "200 POST /echo HTTP/1.1\r\nHost: origin.test:\(port)\r\nUser-Agent: Postern\r\nAccept: */*\r\n"
                + "Content-Type: application/json\r\nX-Empty:\r\nx-latin: \u{E9}\tb\r\nContent-Length: 7\r\n\r\n"
                + #"{"a":1}"#
        )
    }

    @Test(arguments: [
        ("GET", false), ("DELETE", false), ("POST", true), ("PUT", true), ("PATCH", true), ("QUERY", false),
    ])
    func methodsHaveABodyOnlyWhereTheyShould(_ method: String, _ hasLength: Bool) async throws {
        let text = try await Origin.run { origin in await origin.outcome(WebRequest(method, origin.url("/echo"))) }
        #expect(text.hasPrefix("200 \(method) /echo HTTP/1.1\r\n"))
        #expect(text.contains("Content-Length: 0\r\n") == hasLength)
        #expect(!text.contains("Content-Type"))
        #expect(!text.contains("Expect"))
        #expect(!text.contains("Cookie"))
        #expect(!text.contains("Accept-Encoding"))
    }

    @Test func aBodyOfMegabytesIsSentWithoutAsking() async throws {
        let (status, length) = try await Origin.run { origin in
            var request = WebRequest("POST", origin.url("/echo"))
            request.body = Array(repeating: 0x61, count: 3 << 20)
            request.maximumResponseOctets = 8 << 20
            let response = try await origin.clients.send(request)
            return (response.status, response.body.count)
        }
        #expect(status == 200)
        #expect(length > 3 << 20)
    }

    @Test func statusAndFieldsAreTold() async throws {
        let response = try await Origin.run { try await $0.clients.send(WebRequest("POST", $0.url("/429"))) }
        #expect(response.status == 429)
        #expect(response.field("Retry-After") == Array("120".utf8))
        #expect(response.field("CONTENT-TYPE") == Array("text/plain".utf8))
        #expect(response.field("location") == nil)
        #expect(response.body == Array("no".utf8))
        #expect(response.peer == .v4(0x7F00_0001))
        #expect(response.timing.total > 0)
        #expect(response.timing.connect > 0)
        #expect(response.timing.tls == 0)
    }

    @Test func interimAnswersAndTrailersAreLeftOut() async throws {
        let (last, chunked) = try await Origin.run { origin in
            (
                try await origin.clients.send(WebRequest("GET", origin.url("/interim"))),
                try await origin.clients.send(WebRequest("GET", origin.url("/trailer")))
            )
        }
        #expect(last.status == 204)
        #expect(last.fields == [.init("X-Last", "yes")])
        #expect(chunked.body == Array("hi".utf8))
        #expect(chunked.fields == [.init("Transfer-Encoding", "chunked")])
    }

    @Test func aRedirectIsAnAnswerAndNotFollowed() async throws {
        let (response, requests) = try await Origin.run { origin in
            (try await origin.clients.send(WebRequest("POST", origin.url("/redirect"))), origin.seen.requests.count)
        }
        #expect(response.status == 302)
        #expect(response.field("location") == Array("http://127.0.0.1:1/".utf8))
        #expect(requests == 1)
    }

    @Test func aHugeAnswerIsCut() async throws {
        let (response, exact, error) = try await Origin.run { origin in
            let response = try await origin.clients.send(WebRequest("GET", origin.url("/huge")))
            var request = WebRequest("GET", origin.url("/429"))
            request.maximumResponseOctets = 2
            let exact = try await origin.clients.send(request)
            request.maximumResponseOctets = 0
            return (response, exact, try await origin.clients.send(request))
        }
        #expect(response.status == 200)
        #expect(response.body == Array(repeating: 0x78, count: 65_536))
        #expect(response.isCut)
        #expect(exact.body.count == 2)
        #expect(!exact.isCut)
        #expect(error.body.isEmpty)
        #expect(error.isCut)
    }

    // MARK: What is not sent

    @Test(arguments: [
        "", "/", "origin.test", "//origin.test/", "http:", "http:/origin.test/", "http:///origin.test/", "https://",
        "http://",
        "ftp://origin.test/", "file:///etc/passwd", "gopher://origin.test/", "javascript:alert(1)",
        "http://user@origin.test/",
        "http://user:password@origin.test/", "http://@origin.test/", "http://origin.test:99999/",
        "http://origin.test:0/",
        "http://origin.test:+80/", "http://origin.test:80a/", "http://ori gin.test/", "http://origin.test/a b",
        "http://origin.test/\r\nX-Injected: 1", "http://origin.test\r\n/", "http://origin.test/\n",
        "http://origin.test/\0",
        "http://origin.test/\t", "http://or\u{EF}gin.test/", "http://origin.test\\@127.0.0.1/",
        "http://[fe80::1%25lo]/",
        "http://[::1", "http://[::g]/", "http://[127.0.0.1]/", "http://-a.test/", "http://a..b/", "http://127.0.0.1.5/",
        "http://1.2.3/x/../../{}", "http://origin.test/\u{7F}", "http://origin.test%00.test/",
        "http://origin.test%0d%0a/",
        " http://origin.test/", "http://" + String(repeating: "a", count: 9000),
    ])
    func aURLThatIsNoneIsRefused(_ url: String) async throws {
        let (sent, checked, seen) = try await Origin.run { origin in
            let sent = await origin.error(WebRequest("GET", url))
            var checked: WebClientError?
            do throws(WebClientError) { try origin.clients.check(url) } catch { checked = error }
            return (sent, checked, origin.seen.connections)
        }
        guard case .invalidURL = sent, case .invalidURL = checked else {
            Issue.record("\(String(describing: sent)) \(String(describing: checked))")
            return
        }
        #expect(seen == 0)
    }

    @Test(arguments: [
        ("", "v"), ("X Y", "v"), ("X:", "v"), ("X\r\nY", "v"), ("X-\u{E9}", "v"), ("X", "a\r\nY: b"), ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"), ("X", "\u{7F}"), ("X", "\u{1}"), ("Host", "other.test"), ("content-length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"), ("Upgrade", "h2c"), ("Expect", "100-continue"), ("TE", "trailers"),
        ("Proxy-Authorization", "x"),
    ])
    func aFieldThatWouldBeAnotherIsRefused(_ name: String, _ value: String) async throws {
        let (error, seen) = try await Origin.run { origin in
            var request = WebRequest("GET", origin.url("/echo"))
            request.fields = [.init(name, value)]
            return (await origin.error(request), origin.seen.connections)
        }
        #expect(error == .invalidField(name: name))
        #expect(seen == 0)
    }

    @Test(arguments: ["", "GET /", "GET\r\nX: 1", "G\u{C9}T", "CONNECT", "TRACE"])
    func aMethodThatIsNoneIsRefused(_ method: String) async throws {
        let error = try await Origin.run { await $0.error(WebRequest(method, $0.url("/echo"))) }
        #expect(error == .invalidMethod)
    }

    // MARK: Connections

    @Test func aConnectionServesOneOwnersRequestsInTurn() async throws {
        let (reused, seen) = try await Origin.run { origin in
            var reused: [Bool] = []
            for owner in ["a", "a", "a", "b", "a", "b"] {
                var request = WebRequest("POST", origin.url("/echo"))
                request.owner = owner
                reused.append(try await origin.clients.send(request).isReused)
            }
            return (reused, origin.seen.connections)
        }
        #expect(reused == [false, true, true, false, true, true])
        #expect(seen == 2)
    }

    @Test func aConnectionThatTheServerClosedIsReplaced() async throws {
        let (texts, seen) = try await Origin.run { origin in
            var texts: [String] = []
            for turn in 1...3 {
                texts.append(await origin.outcome(WebRequest("POST", origin.url("/once"))))
                while origin.seen.ended < turn { try await origin.loop.sleep(milliseconds: 1) }
            }
            return (texts, origin.seen.connections)
        }
        #expect(texts == ["200 once", "200 once", "200 once"])
        #expect(seen == 3)
    }

    @Test func twoHundredAtOnceShareTheConnectionsThereMayBe() async throws {
        let (texts, seen, idle) = try await Origin.run { origin in
            let texts = await withTaskGroup(of: String.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        var request = WebRequest("POST", origin.url("/echo"))
                        request.body = Array("\(number).".utf8)
                        return await origin.outcome(request)
                    }
                }
                return await group.reduce(into: [String]()) { $0.append($1) }
            }
            return (texts, origin.seen.connections, origin.seen.requests.count)
        }
        for number in 0..<200 { #expect(texts.contains { $0.hasPrefix("200 ") && $0.hasSuffix("\r\n\r\n\(number).") }) }
        #expect(seen <= WebClientConfiguration().maximumPerHost)
        #expect(idle == 200)
    }

    @Test func aTaskOfNoLoopIsServedToo() async throws {
        let texts = try await Origin.run { origin in
            // The main actor is nobody's loop.
            await Task { @MainActor in
                var texts: [String] = []
                for _ in 0..<4 { texts.append(await origin.outcome(WebRequest("GET", origin.url("/429")))) }
                return texts
            }.value
        }
        #expect(texts == Array(repeating: "429 no", count: 4))
    }

    @Test func tooManyThatWaitAreTurnedAway() async throws {
        var setup = Origin.Setup()
        setup.client.maximumPerHost = 1
        setup.client.maximumWaiting = 2
        let errors = try await Origin.run(setup) { origin in
            let tasks = (0..<5).map { _ in
                Task(executorPreference: origin.loop) { () async -> WebClientError? in
                    var request = WebRequest("GET", origin.url("/silent"))
                    request.totalMilliseconds = 300
                    return await origin.error(request)
                }
            }
            var errors: [WebClientError?] = []
            for task in tasks { errors.append(await task.value) }
            return errors
        }
        #expect(errors.filter { $0 == .busy }.count == 2)
        #expect(errors.filter { $0 == .timeout(.response) }.count >= 1)
        #expect(errors.filter { $0 == .timeout(.queue) }.count >= 1)
    }

    // MARK: What goes wrong

    @Test(
        arguments: [
            ("/drip", .timeout(.body)), ("/silent", .timeout(.response)), ("/bomb", .tooLarge), ("/hints", .tooLarge),
        ] as [(String, WebClientError)]
    )
    func aBadServerCostsNoMoreThanItsTime(_ path: String, _ expected: WebClientError) async throws {
        let error = try await Origin.run { origin in
            var request = WebRequest("GET", origin.url(path))
            if case .timeout = expected { request.totalMilliseconds = 200 }
            return await origin.error(request)
        }
        #expect(error == expected)
    }

    @Test(arguments: [
        ("/short", "lost"), ("/reset", "lost"), ("/end", "lost"), ("/garbage", "protocol"),
        ("/garbage-status", "protocol"),
    ])
    func aBrokenAnswerIsAnError(_ path: String, _ kind: String) async throws {
        let error = try await Origin.run { await $0.error(WebRequest("GET", $0.url(path))) }
        switch error {
        case .connectionLost: #expect(kind == "lost")
        case .protocolError: #expect(kind == "protocol")
        default: Issue.record("\(String(describing: error))")
        }
    }

    @Test func aClosedPortRefuses() async throws {
        let error = try await Origin.run { await $0.error(WebRequest("GET", "http://127.0.0.1:1/")) }
        #expect(error == .connectionRefused)
    }

    @Test func aNameThatCannotBeLookedUpIsTold() async throws {
        var setup = Origin.Setup()
        setup.script = { question, _ in
            switch question.name {
            case "silent.test": .silence
            case "broken.test": .code(2)
            case "empty.test": .addresses([])
            default: .code(3)
            }
        }
        let errors = try await Origin.run(setup) { origin in
            var errors: [WebClientError?] = []
            for name in ["none.test", "empty.test", "broken.test", "silent.test"] {
                var request = WebRequest("GET", "http://\(name)/")
                request.totalMilliseconds = 500
                errors.append(await origin.error(request))
            }
            return errors
        }
        #expect(errors[0] == .nameNotFound)
        #expect(errors[1] == .nameNotFound)
        if case .resolverFailed = errors[2] {} else { Issue.record("\(String(describing: errors[2]))") }
        #expect(errors[3] == .timeout(.lookup))
    }

    @Test func cancellingTheTaskEndsTheRequestAndItsConnection() async throws {
        let errors = try await Origin.run { origin in
            let task = Task(executorPreference: origin.loop) {
                await origin.error(WebRequest("GET", origin.url("/silent")))
            }
            while origin.seen.requests.isEmpty { try await origin.loop.sleep(milliseconds: 1) }
            task.cancel()
            let first = await task.value
            while origin.seen.open > 0 { try await origin.loop.sleep(milliseconds: 1) }
            let early = Task(executorPreference: origin.loop) {
                await origin.error(WebRequest("GET", origin.url("/429")))
            }
            early.cancel()
            return [first, await early.value]
        }
        #expect(errors == [.cancelled, .cancelled])
    }

    @Test func stoppingEndsWhatIsUnderWay() async throws {
        let errors = try await Origin.run { origin in
            let tasks = (0..<3).map { _ in
                Task(executorPreference: origin.loop) { await origin.error(WebRequest("GET", origin.url("/silent"))) }
            }
            while origin.seen.requests.count < 3 { try await origin.loop.sleep(milliseconds: 1) }
            await origin.clients.stop()
            var errors: [WebClientError?] = []
            for task in tasks { errors.append(await task.value) }
            errors.append(await origin.error(WebRequest("GET", origin.url("/429"))))
            return errors
        }
        #expect(errors == Array(repeating: .cancelled, count: 4))
    }
}
