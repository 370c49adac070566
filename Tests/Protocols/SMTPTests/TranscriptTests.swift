// SPDX-License-Identifier: Apache-2.0

import MailTypes
import TestSupport
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

    let steps: [Step]
    let options: [String: String]
    let testDescription: String

    static func all() throws -> [Transcript] { try Dialogue.all(in: "Transcripts").map { Transcript($0) } }

    private init(_ dialogue: Dialogue) {
        testDescription = dialogue.name
        let pairs = dialogue.options.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
        options = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { first, _ in first }
        steps = dialogue.lines.map { line in
            let rest = String(line.dropFirst(3))
            return switch line.prefix(2) {
            case "C:": .client(Dialogue.unescaped(rest) + [13, 10])
            case "C!": .client(Dialogue.unescaped(rest))
            case "S:": .server(rest)
            case "M:": .message(Dialogue.unescaped(rest))
            default: .action(line)
            }
        }
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
    @Test func thereAreTranscripts() throws {
        #expect(try Transcript.all().count >= 34)
    }

    @Test(arguments: try Transcript.all(), Feeding.allCases)
    func dialogue(_ transcript: Transcript, _ feeding: Feeding) throws {
        if let only = transcript.options["only"], only != feeding.rawValue { return }
        var server = ServerUnderTest(transcript.configuration, isTLS: transcript.options["tls"] == "implicit")
        server.storeFails = transcript.options["store"] == "fails"
        server.run()
        var output = server.takeOutput()
        var messages = 0
        var pending: [UInt8] = []
        func deliver() {
            guard !pending.isEmpty else { return }
            if feeding == .byOctet {
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
                if feeding == .byLine {
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
