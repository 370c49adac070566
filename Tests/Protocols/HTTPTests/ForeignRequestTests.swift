// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import Wire

@testable import HTTP

/// Requests that other parsers' authors thought of, with their verdicts.
///
/// `reject` means that some message of the input is
/// refused, or none is whole; `accept` that none is, except for what this server does not know (501, 505).
@Suite(.enabled(if: TestData.root != nil)) struct ForeignRequestTests {
    struct Case {
        var name: String
        var octets: [UInt8]
        var isAccepted: Bool
    }

    /// The statuses that a server without any resource gives to these octets.
    static func statuses(_ octets: [UInt8], step: Int) -> [UInt16] {
        var parser = HTTPRequestParser()
        var statuses: [UInt16] = []
        var start = 0
        var available = 0
        func more() -> Bool {
            guard available < octets.count else { return false }
            available = min(available + step, octets.count)
            return true
        }
        do {
            while true {
                guard let length = try parser.parse(octets.span.extracting(start..<available)) else {
                    guard more() else { return statuses }
                    continue
                }
                start += length
                var body = HTTPBodyDecoder(parser.head.outline.framing)
                while true {
                    let found = try body.next(octets.span.extracting(0..<available), &start)
                    if found == .end { break }
                    if found == .needsInput, !more() { return statuses }
                }
                switch parser.head.outline.method {
                case .trace, .connect, .other: return statuses + [501]
                default: statuses.append(404)
                }
                guard parser.head.outline.keepsAlive else { return statuses }
                parser.reset()
            }
        } catch let problem as HTTPProblem {
            return statuses + [problem.status.code]
        } catch {
            return statuses
        }
    }

    /// Requests of other parsers need no Host; HTTP/1.1 does (RFC 9112 §3.2): one is put behind each request line.
    static func addingHost(_ octets: [UInt8]) -> [UInt8] {
        let lowered = ASCII.lowercased(octets)
        guard !contains(lowered, "host:"), !contains(lowered, "host :") else { return octets }
        var out: [UInt8] = []
        for byte in octets {
            out.append(byte)
            if out.suffix(11).elementsEqual(" HTTP/1.1\r\n".utf8) { out += Array("Host: localhost\r\n".utf8) }
        }
        return out
    }

    static func contains(_ octets: [UInt8], _ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard octets.count >= wanted.count else { return false }
        return (0...octets.count - wanted.count).contains { octets[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }

    /// Requests that other parsers take and the RFC does not.
    static let refusedHere = [
        // RFC 9112 §3: a request line has a version; HTTP/0.9 is not spoken.
        "request/sample.md: Simple request / No HTTP version",
        // RFC 9110 §4.2.4: "a recipient … SHOULD parse for userinfo and treat its presence as an error".
        "valid/rfc9112_target_absolute_userinfo_01",
    ]

    static func load(_ path: String) throws -> [[String: Any]] {
        let data = Data(try TestData.bytes(path))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
    }

    static func octets(_ text: Any?) throws -> [UInt8] {
        [UInt8](try #require((text as? String).flatMap { Data(base64Encoded: $0) }))
    }

    static func check(_ cases: [Case], atLeast count: Int) {
        #expect(cases.count >= count)
        for one in cases {
            for step in [one.octets.count, 1] {
                let statuses = statuses(one.octets, step: max(step, 1))
                let isRefused = statuses.contains { ![404, 501, 505].contains($0) }
                let isTaken = !statuses.isEmpty && statuses.allSatisfy { $0 == 404 }
                let isAsWanted = one.isAccepted ? isRefused == refusedHere.contains(one.name) : !isTaken
                #expect(isAsWanted, "\(one.name), in pieces of \(step): \(statuses)")
            }
        }
    }

    @Test func llhttp() throws {
        let cases = try Self.load("http/llhttp/llhttp.json").filter { one in
            let meta = one["meta"] as? [String: Any]
            return one["kind"] as? String == "http" && meta?["type"] as? String == "request"
                && meta?["noScan"] as? String != "x"
        }
        Self.check(
            try cases.map { one in
                Case(
                    name: "\(one["file"] ?? ""): \(one["name"] ?? "")",
                    octets: Self.addingHost(try Self.octets(one["input_b64"])),
                    isAccepted: one["outcome"] as? String != "error"
                )
            },
            atLeast: 60
        )
    }

    @Test func gunicorn() throws {
        let cases = try Self.load("http/gunicorn/requests.json").filter { one in
            let config = one["config"] as? [String: Any] ?? [:]
            let name = one["name"] as? String ?? ""
            return config.isEmpty && !name.contains("/pp_")
                && !"\(one["expect"] ?? "")".contains("InvalidSchemeHeaders")
        }
        Self.check(
            try cases.map { one in
                Case(
                    name: "\(one["name"] ?? "")",
                    octets: Self.addingHost(try Self.octets(one["raw_b64"])),
                    isAccepted: one["kind"] as? String == "valid"
                )
            },
            atLeast: 60
        )
    }
}
