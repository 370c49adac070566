// SPDX-License-Identifier: Apache-2.0

import Egress
import Glibc
import Sockets
import TestSupport
import Testing

@testable import WebClient

/// However an address is written, and whatever a name server says first, the address that counts is the socket's.
@Suite struct WebEgressTests {
    /// This machine may not be called.
    private static let closed: Origin.Setup = {
        var setup = Origin.Setup()
        setup.allowed = []
        return setup
    }()

    @Test(arguments: [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "0177.0.0.1",
        "017700000001",
        "%31%32%37.0.0.1", "127.0.0.255", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]", "localhost", "LOCALHOST", "localhost.", "origin.test", "127.0.0.1.name.test", "mapped.test",
    ])
    func noSpellingOfThisMachineGetsThrough(_ host: String) async throws {
        var setup = Self.closed
        setup.script = { question, _ in
            switch question.name {
            case "127.0.0.1.name.test": .addresses(["127.0.0.1"])
            case "mapped.test": .addresses(["::ffff:127.0.0.1", "127.0.0.1"])
            default: .code(3)
            }
        }
        let (error, seen, refusals) = try await Origin.run(setup) { origin in
            let error = await origin.error(WebRequest("POST", origin.url("/echo", host: host)))
            return (error, origin.seen.connections, origin.clients.egressRefusals)
        }
        #expect(error == .egressDenied(.loopback))
        #expect(seen == 0)
        #expect(refusals == [.loopback: 1])
    }

    @Test(
        arguments: [
            ("http://169.254.169.254/latest/meta-data/", .metadata), ("http://[::ffff:169.254.169.254]/", .metadata),
            ("http://2852039166/", .metadata), ("http://0xa9fea9fe/", .metadata),
            ("http://[fd00:ec2::254]/", .metadata),
            ("http://10.0.0.1/", .privateNetwork), ("http://100.64.0.1/", .sharedAddressSpace),
            ("http://0/", .unspecified),
            ("http://0.0.0.0/", .unspecified), ("http://[::]/", .unspecified), ("http://[fe80::1]/", .linkLocal),
            ("http://224.0.0.1/", .multicast), ("http://255.255.255.255/", .reserved),
        ] as [(String, EgressRefusal)]
    )
    func addressesAreJudgedWithoutConnecting(_ url: String, _ expected: EgressRefusal) async throws {
        let (error, checked) = try await Origin.run(Self.closed) { origin in
            var checked: WebClientError?
            do throws(WebClientError) { try origin.clients.check(url) } catch { checked = error }
            return (await origin.error(WebRequest("GET", url)), checked)
        }
        #expect(error == .egressDenied(expected))
        #expect(checked == .egressDenied(expected))
    }

    @Test func aMappedAddressThatIsAllowedIsCalled() async throws {
        let text = try await Origin.run {
            await $0.outcome(WebRequest("GET", $0.url("/429", host: "[::ffff:127.0.0.1]")))
        }
        #expect(text == "429 no")
    }

    private static let hasIPv6: Bool = {
        let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_addr.__in6_u.__u6_addr8.15 = 1
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }()

    @Test(.enabled(if: hasIPv6, "this machine has no ::1"))
    func aServerOfIPv6IsCalledByNameAndByAddress() async throws {
        var setup = Origin.Setup()
        setup.allowed = ["::1"]
        setup.address = try SocketAddress(parsing: "[::1]:0")
        // Nobody listens at the name's other address.
        setup.script = { question, _ in
            question.name == "six.test" ? .addresses(["::1", "127.0.0.2"], ttl: 60) : .code(3)
        }
        let responses = try await Origin.run(setup) { origin in
            var responses: [WebResponse] = []
            for host in ["six.test", "[::1]", "six.test"] {
                responses.append(try await origin.clients.send(WebRequest("GET", origin.url("/429", host: host))))
            }
            return responses
        }
        #expect(responses.map(\.status) == [429, 429, 429])
        #expect(responses.map(\.isReused) == [false, false, true])
        #expect(responses[0].peer == .v6(1))
    }

    @Test func anAddressThatDoesNotAnswerIsFollowedByTheNext() async throws {
        var setup = Origin.Setup()
        setup.script = { question, _ in
            question.name == "two.test" ? .addresses(["127.0.0.2", "127.0.0.1"], ttl: 60) : .code(3)
        }
        let text = try await Origin.run(setup) { await $0.outcome(WebRequest("GET", $0.url("/429", host: "two.test"))) }
        #expect(text == "429 no")
    }

    @Test func aNameThatMovesInsideIsNotFollowedThere() async throws {
        var setup = Origin.Setup()
        setup.allowed = ["127.0.0.1/32"]
        // The first time the name is somebody else's server, from then on one that we must not call.
        setup.script = { question, turn in
            question.name == "rebind.test" ? .addresses([turn == 1 ? "127.0.0.1" : "127.0.0.2"]) : .code(3)
        }
        let (texts, seen, asked) = try await Origin.run(setup) { origin in
            var texts: [String] = []
            for _ in 0..<3 {
                texts.append(await origin.outcome(WebRequest("GET", origin.url("/429", host: "rebind.test"))))
            }
            return (texts, origin.seen, origin.responder.count("rebind.test"))
        }
        let denied = "\(WebClientError.egressDenied(.loopback))"
        #expect(texts == ["429 no", denied, denied])
        #expect(seen.connections == 1)
        #expect(seen.requests.count == 1)
        #expect(asked == 3)
    }

    @Test func onlyTheAllowedAddressesOfANameAreTried() async throws {
        var setup = Origin.Setup()
        setup.allowed = ["127.0.0.1/32"]
        setup.script = { question, _ in
            question.name == "mixed.test"
                ? .addresses(["127.0.0.2", "10.0.0.1", "127.0.0.1", "::1"], ttl: 60) : .code(3)
        }
        let (text, peer) = try await Origin.run(setup) { origin in
            let request = WebRequest("GET", origin.url("/429", host: "mixed.test"))
            return (await origin.outcome(request), try await origin.clients.send(request).peer)
        }
        #expect(text == "429 no")
        #expect(peer == .v4(0x7F00_0001))
    }

    @Test func anotherAddressOfANameMeansAnotherConnection() async throws {
        var setup = Origin.Setup()
        setup.script = { question, turn in
            question.name == "moving.test" ? .addresses([turn == 2 ? "127.0.0.2" : "127.0.0.1"]) : .code(3)
        }
        let (outcomes, seen) = try await Origin.run(setup) { origin in
            var outcomes: [String] = []
            for _ in 0..<3 {
                outcomes.append(await origin.outcome(WebRequest("GET", origin.url("/429", host: "moving.test"))))
            }
            return (outcomes, origin.seen.connections)
        }
        // Nobody listens at 127.0.0.2: the open connection to 127.0.0.1 was not taken for it.
        #expect(outcomes == ["429 no", "\(WebClientError.connectionRefused)", "429 no"])
        #expect(seen == 1)
    }

    /// The last judge: what libcurl is about to connect to, whoever resolved it.
    @Test(
        arguments: [
            ("127.0.0.1:80", .loopback), ("10.0.0.1:80", .privateNetwork), ("169.254.169.254:80", .metadata),
            ("[::1]:80", .loopback),
            ("[fd00::1]:80", .uniqueLocal), ("8.8.8.8:25", .port), ("8.8.8.8:80", nil), ("[2606:4700::1111]:443", nil),
        ] as [(String, EgressRefusal?)]
    )
    func theSocketIsJudgedOnceMore(_ destination: String, _ expected: EgressRefusal?) throws {
        let colon = try #require(destination.lastIndex(of: ":"))
        let port = try #require(UInt16(destination[destination.index(after: colon)...]))
        let host = destination[..<colon].filter { $0 != "[" && $0 != "]" }
        let transfer = Transfer(WebRequest("GET", "http://x.test/"), try WebURL("http://x.test/"), [], EgressPolicy())
        let descriptor: Int32?
        if host.contains(":") {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            #expect(inet_pton(AF_INET6, host, &address.sin6_addr) == 1)
            descriptor = withUnsafeBytes(of: address) { transfer.open($0.baseAddress!, count: $0.count) }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            #expect(inet_pton(AF_INET, host, &address.sin_addr) == 1)
            descriptor = withUnsafeBytes(of: address) { transfer.open($0.baseAddress!, count: $0.count) }
        }
        #expect(transfer.refusal == expected)
        #expect((descriptor == nil) == (expected != nil))
        if let descriptor { close(descriptor) }
    }

    @Test func aSocketOfAnotherFamilyIsNotMade() throws {
        let transfer = Transfer(WebRequest("GET", "http://x.test/"), try WebURL("http://x.test/"), [], EgressPolicy())
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        #expect(withUnsafeBytes(of: address) { transfer.open($0.baseAddress!, count: $0.count) } == nil)
    }
}
