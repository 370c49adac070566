// SPDX-License-Identifier: Apache-2.0

import Egress
import Foundation
import Runtime
import Sockets
import TestSupport
import Testing

@testable import Resolver

/// A loop, a name server with a script, and a resolver that asks it.
private func withResolver<R: Sendable>(
    _ configuration: ResolverConfiguration = ResolverConfiguration(),
    _ script: @escaping DNSResponder.Script,
    _ body: @escaping @Sendable (NameResolver, DNSResponder, EventLoop) async throws -> R
) async throws -> R {
    let responder = try DNSResponder(script)
    let group = try EventLoopGroup(count: 1)
    let loop = group.loops[0]
    var configuration = configuration
    configuration.servers = [responder.server]
    let resolver = NameResolver(configuration, loops: group.loops)
    let result = await Task(executorPreference: loop) { try await body(resolver, responder, loop) }.result
    await resolver.stop()
    group.stop()
    responder.stop()
    return try result.get()
}

private func outcome(_ resolver: NameResolver, _ name: String, milliseconds: Int = 20_000) async -> String {
    do throws(ResolverError) {
        return try await resolver.addresses(of: name, milliseconds: milliseconds).map { "\($0)" }.sorted()
            .joined(separator: " ")
    } catch {
        return "\(error)"
    }
}

@Suite struct NameResolverTests {
    @Test func bothKindsOfAddressesAreFound() async throws {
        let found = try await withResolver { question, _ in
            question.name == "both.example" ? .addresses(["192.0.2.1", "192.0.2.2", "2001:db8::1"], ttl: 60) : .code(3)
        } _: { resolver, _, _ in
            await outcome(resolver, "Both.Example.")
        }
        #expect(found == "192.0.2.1 192.0.2.2 2001:db8::1")
    }

    @Test func errorsAreTold() async throws {
        var configuration = ResolverConfiguration()
        configuration.timeoutMilliseconds = 50
        configuration.tries = 1
        let found = try await withResolver(configuration) { question, _ in
            switch question.name {
            case "none.example": .code(3)
            case "empty.example": .addresses([])
            case "refused.example": .code(5)
            case "broken.example": .code(2)
            default: .silence
            }
        } _: { resolver, _, _ in
            var found: [String] = []
            for name in ["none", "empty", "refused", "broken", "silent"] {
                found.append(await outcome(resolver, "\(name).example"))
            }
            found.append(await outcome(resolver, "later.example", milliseconds: 1))
            return found
        }
        #expect(
            found == [
                "\(ResolverError.notFound)", "\(ResolverError.noAddress)", "\(ResolverError.noAnswer)",
                "\(ResolverError.noAnswer)", "\(ResolverError.timeout)", "\(ResolverError.timeout)",
            ]
        )
    }

    @Test(arguments: [
        "", ".", "a..b", "-a.example", "a-.example", "a b", "a\0b", "exämple.com", "1.2.3.4", "0x7f.1", "127.1",
        "2130706433",
        "example.0x1f", "::1", "[::1]", String(repeating: "a", count: 64), String(repeating: "a.", count: 130) + "b",
        "a/b", "a%2eb",
    ])
    func whatIsNoHostNameIsNotAsked(_ name: String) async throws {
        let (found, isName) = try await withResolver { _, _ in
            .addresses(["192.0.2.1"])
        } _: { resolver, _, _ in
            (await outcome(resolver, name), NameResolver.isName(name))
        }
        #expect(found == "\(ResolverError.malformedName)")
        #expect(!isName)
    }

    @Test func equalQuestionsAreAskedOnce() async throws {
        let (answers, asked) = try await withResolver { _, _ in
            .addresses(["192.0.2.1"], ttl: 0)
        } _: { resolver, responder, _ in
            let answers = await withTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { await outcome(resolver, "same.example") } }
                return await group.reduce(into: [String]()) { $0.append($1) }
            }
            return (answers, responder.count("same.example"))
        }
        #expect(answers == Array(repeating: "192.0.2.1", count: 50))
        #expect(asked == 1)
    }

    @Test func anAnswerIsKeptForItsTimeAndNoneForNoTime() async throws {
        let counts = try await withResolver { question, turn in
            .addresses(["192.0.2.\(turn)"], ttl: question.name == "kept.example" ? 60 : 0)
        } _: { resolver, responder, _ in
            var found: [String] = []
            for _ in 0..<3 {
                found.append(await outcome(resolver, "kept.example"))
                found.append(await outcome(resolver, "fresh.example"))
            }
            return (found, responder.count("kept.example"), responder.count("fresh.example"))
        }
        #expect(counts.0 == ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"])
        #expect(counts.1 == 1)
        #expect(counts.2 == 3)
    }

    @Test func theCacheKeepsToItsSizeAndTime() {
        var cache = AnswerCache(capacity: 8, maximumSeconds: 100)
        let address = IPAddress.v4(1)
        for number in 0..<100 { cache.keep([address], of: "\(number)", seconds: 1000, at: 0) }
        #expect(cache.count <= 8)
        #expect(cache.addresses(of: "99", at: 0) == [address])
        #expect(cache.addresses(of: "0", at: 0) == nil)
        #expect(cache.addresses(of: "99", at: 99_999_999_999) == [address])
        #expect(cache.addresses(of: "99", at: 100_000_000_000) == nil)
        for _ in 0..<100 { cache.keep([address], of: "again", seconds: 1, at: 0) }
        #expect(cache.addresses(of: "again", at: 0) == [address])
        #expect(cache.count <= 8)
    }

    @Test func aCancelledTaskDoesNotWaitAndTheOthersDo() async throws {
        let (cancelled, other) = try await withResolver { question, turn in
            // The first asking is lost: the answer takes a while.
            turn == 1 ? .silence : .addresses(["192.0.2.1"])
        } _: { resolver, _, loop in
            let first = Task(executorPreference: loop) { await outcome(resolver, "slow.example") }
            let second = Task(executorPreference: loop) { await outcome(resolver, "slow.example") }
            try await loop.sleep(milliseconds: 20)
            first.cancel()
            return (await first.value, await second.value)
        }
        #expect(cancelled == "\(ResolverError.cancelled)")
        #expect(other == "192.0.2.1")
    }

    @Test func stoppingEndsWhatWaits() async throws {
        let found = try await withResolver { _, _ in
            .silence
        } _: { resolver, _, loop in
            let waiting = Task(executorPreference: loop) { await outcome(resolver, "silent.example") }
            try await loop.sleep(milliseconds: 20)
            await resolver.stop()
            return [await waiting.value, await outcome(resolver, "other.example")]
        }
        #expect(found == ["\(ResolverError.cancelled)", "\(ResolverError.cancelled)"])
    }

    @Test func serversThatTheSystemChangesAreAskedFromThenOn() async throws {
        let path = "\(FileManager.default.temporaryDirectory.path)/\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let second = try DNSResponder(address: "127.0.0.2") { _, _ in .addresses(["192.0.2.2"]) }
        let first = try DNSResponder(address: "127.0.0.1", port: second.port) { _, _ in .addresses(["192.0.2.1"]) }
        var configuration = ResolverConfiguration()
        configuration.systemPath = path
        configuration.systemCheckMilliseconds = 0
        configuration.port = second.port
        try Data("nameserver 127.0.0.1\n".utf8).write(to: URL(fileURLWithPath: path))
        let group = try EventLoopGroup(count: 1)
        let resolver = NameResolver(configuration, loops: group.loops)
        let found = try await Task(executorPreference: group.loops[0]) {
            var found = [await outcome(resolver, "a.example")]
            try Data("nameserver 127.0.0.2\n# changed\n".utf8).write(to: URL(fileURLWithPath: path))
            found.append(await outcome(resolver, "a.example"))
            return found
        }.value
        await resolver.stop()
        group.stop()
        first.stop()
        second.stop()
        #expect(found == ["192.0.2.1", "192.0.2.2"])
    }

    @Test func theHostsFileIsRead() async throws {
        let found = try await withResolver { _, _ in
            .code(3)
        } _: { resolver, _, _ in
            await outcome(resolver, "localhost")
        }
        #expect(found.contains("127.0.0.1"))
    }

    // MARK: Other records

    @Test func recordsOfServicesAndOfMailAreFoundInTheirOrder() async throws {
        let (services, exchangers) = try await withResolver { question, _ in
            switch (question.name, question.type) {
            case ("_imaps._tcp.a.example", 33):
                .records([
                    DNSResponder.srv(20, 1, 993, "c.example"), DNSResponder.srv(10, 1, 993, "b.example"),
                    DNSResponder.srv(10, 9, 1993, "A.Example"), DNSResponder.srv(30, 0, 0, "."),
                ])
            case ("a.example", 15): .records([DNSResponder.mx(20, "two.example"), DNSResponder.mx(5, "one.example")])
            default: .code(3)
            }
        } _: { resolver, _, _ in
            (
                try await resolver.services(of: "_imaps._tcp.a.example", milliseconds: 20_000),
                try await resolver.exchangers(of: "a.example", milliseconds: 20_000)
            )
        }
        #expect(services.map(\.target) == ["a.example", "b.example", "c.example", nil])
        #expect(services.map(\.port) == [1993, 993, 993, 0])
        #expect(exchangers.map(\.host) == ["one.example", "two.example"])
    }

    @Test func recordsThatAreNotThereAreNone() async throws {
        let found = try await withResolver { question, _ in
            question.name == "empty.example" ? .records([]) : .code(3)
        } _: { resolver, _, _ in
            [
                try await resolver.services(of: "_imaps._tcp.none.example", milliseconds: 20_000).count,
                try await resolver.exchangers(of: "empty.example", milliseconds: 20_000).count,
            ]
        }
        #expect(found == [0, 0])
    }

    @Test(arguments: [[0xC0, 0xC0], [], [0, 1, 0, 1, 0, 1, 63], [UInt8](repeating: 0xFF, count: 200)] as [[UInt8]])
    func brokenRecordsAreAnErrorOrNothing(_ data: [UInt8]) async throws {
        let count = try await withResolver { _, _ in
            .records([data])
        } _: { resolver, _, _ in
            (try? await resolver.services(of: "_imaps._tcp.a.example", milliseconds: 20_000))?.count ?? 0
        }
        #expect(count == 0)
    }

    @Test func recordsAreWaitedForOnlySoLong() async throws {
        let error = try await withResolver { _, _ in
            .silence
        } _: { resolver, _, _ -> ResolverError? in
            do throws(ResolverError) {
                _ = try await resolver.exchangers(of: "a.example", milliseconds: 1)
                return nil
            } catch {
                return error
            }
        }
        #expect(error == .timeout)
    }
}
