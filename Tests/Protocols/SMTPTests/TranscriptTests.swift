// SPDX-License-Identifier: Apache-2.0

import Foundation
import MailTypes
import Testing

@testable import SMTP

/// Dialogues kept as files under `Transcripts`: `C:` a line the client sends (`C!` without CRLF behind it; `\r \n \0 \\` and
/// `\xHH` are escapes in both), `S:` a line the server sends (a final `…` stands for any rest), `M:` the next message taken,
/// `TLS` and `CLOSE` what the server does then, `#` options and remarks.
struct Transcript: CustomTestStringConvertible, Sendable {
    enum Step: Sendable {
        case client([UInt8])
        case server(String)
        case message([UInt8])
        case action(String)
    }

    let name: String
    var steps: [Step] = []
    var options: [String: String] = [:]
    var testDescription: String { name }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "Transcripts"
    )

    static func all() throws -> [Transcript] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "txt" }
            .sorted { $0.path < $1.path }
            .flatMap { url in try parse(String(contentsOf: url, encoding: .utf8), name: url.lastPathComponent) }
    }

    /// A file may hold several dialogues, each behind a line `=== name`.
    static func parse(_ text: String, name: String) throws -> [Transcript] {
        var all: [Transcript] = []
        var current = Transcript(name: name)
        for line in text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) {
            let rest = String(line.dropFirst(3))
            if line.hasPrefix("===") {
                if !current.steps.isEmpty { all.append(current) }
                current = Transcript(name: "\(name): \(line.dropFirst(4))")
            } else if line.hasPrefix("#") {
                for option in line.dropFirst(1).split(separator: " ") where option.contains("=") {
                    let pair = option.split(separator: "=", maxSplits: 1)
                    current.options[String(pair[0])] = String(pair[1])
                }
            } else if line.hasPrefix("C:") {
                current.steps.append(.client(unescape(rest) + [13, 10]))
            } else if line.hasPrefix("C!") {
                current.steps.append(.client(unescape(rest)))
            } else if line.hasPrefix("S:") {
                current.steps.append(.server(rest))
            } else if line.hasPrefix("M:") {
                current.steps.append(.message(unescape(rest)))
            } else {
                current.steps.append(.action(line))
            }
        }
        return all + [current]
    }

    static func unescape(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == 0x5C, let kind = bytes.popFirst() else {
                out.append(byte)
                continue
            }
            switch kind {
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "0"): out.append(0)
            case UInt8(ascii: "x"):
                out.append(UInt8(String(decoding: bytes.prefix(2), as: UTF8.self), radix: 16) ?? 0x3F)
                bytes = bytes.dropFirst(2)
            default: out.append(kind)
            }
        }
        return out
    }

    var configuration: SMTPServerConfiguration {
        var limits = SMTPServerConfiguration.Limits()
        func limit(_ key: String, _ path: WritableKeyPath<SMTPServerConfiguration.Limits, Int>) {
            if let value = options[key].flatMap(Int.init) { limits[keyPath: path] = value }
        }
        limit("errors", \.errors)
        limit("junk", \.junkCommands)
        limit("recipients", \.recipients)
        limit("unknown", \.refusedRecipients)
        limit("line", \.textLineOctets)
        limit("command", \.commandOctets)
        limit("header", \.headerOctets)
        limit("hops", \.hops)
        limits.messageOctets = options["size"].flatMap(UInt64.init) ?? limits.messageOctets
        return SMTPServerConfiguration(
            service: options["service"] == "submission" ? .submission : .exchange,
            hostName: Domain("mx.example.org") ?? { preconditionFailure() }(),
            offersStartTLS: options["tls"] != "none",
            lineEnds: options["ends"] == "normalize" ? .normalize : .reject,
            limits: limits
        )
    }
}

@Suite struct TranscriptTests {
    enum Delivery: String, CaseIterable, Sendable { case whole, byLine, byByte }

    @Test func thereAreTranscripts() throws {
        #expect(try Transcript.all().count >= 34)
    }

    @Test(arguments: try Transcript.all(), Delivery.allCases)
    func dialogue(_ transcript: Transcript, _ delivery: Delivery) throws {
        if let only = transcript.options["only"], only != delivery.rawValue { return }
        var server = ServerUnderTest(transcript.configuration, isTLS: transcript.options["tls"] == "implicit")
        server.storeFails = transcript.options["store"] == "fails"
        server.run()
        var output = server.takeOutput()
        var messages = 0
        var pending: [UInt8] = []
        func deliver() {
            guard !pending.isEmpty else { return }
            if delivery == .byByte {
                for byte in pending where server.lastAction == "read" { server.receive([byte]) }
            } else if server.lastAction == "read" {
                server.receive(pending)
            }
            output += server.takeOutput()
            pending = []
        }
        for step in transcript.steps {
            switch step {
            case .client(let bytes):
                #expect(output.isEmpty, "unexpected reply before the client's next line")
                pending += bytes
                if delivery == .byLine {
                    // Replies to a group of commands come in order, whenever they come.
                    if server.lastAction == "read" { server.receive(pending) }
                    pending = []
                }
            case .server(let expected):
                deliver()
                output += server.takeOutput()
                let line = Self.takeLine(&output)
                let matches = expected.hasSuffix("…") ? line.hasPrefix(expected.dropLast()) : line == expected
                #expect(matches, "expected \(expected), got \(line)")
            case .message(let expected):
                deliver()
                try #require(server.messages.count > messages)
                #expect(server.messages[messages] == expected)
                messages += 1
            case .action(let action):
                deliver()
                output += server.takeOutput()
                #expect(output.isEmpty, "unexpected reply before \(action): \(output)")
                if action.hasPrefix("ABORTS ") {
                    #expect("ABORTS \(server.aborts)" == action)
                } else {
                    #expect(server.lastAction == action)
                }
                if action == "TLS", server.lastAction == "TLS" {
                    server.machine.tlsEstablished()
                    server.run()
                }
            }
        }
        deliver()
        output += server.takeOutput()
        #expect(output.isEmpty, "unexpected reply at the end: \(output)")
        #expect(server.messages.count == messages)
    }

    private static func takeLine(_ output: inout String) -> String {
        let bytes = Array(output.utf8)
        guard let end = bytes.firstIndex(of: 10), end > 0, bytes[end - 1] == 13 else { return "(no line: \(output))" }
        output = String(decoding: bytes[(end + 1)...], as: UTF8.self)
        return String(decoding: bytes[..<(end - 1)], as: UTF8.self)
    }
}
