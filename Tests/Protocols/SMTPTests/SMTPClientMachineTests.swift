// SPDX-License-Identifier: Apache-2.0

import Foundation
import Crypto
import MailTypes
import SASL
import Testing
import Wire

@testable import SMTP

/// Dialogues kept as files under `ClientTranscripts`: `S:` a line the server sends, `C:` a line the client sends, `SEND` a
/// message begun (from, recipients), `TEXT` its octets (`\r \n \\` are escapes), `QUIT`, `LOST`, `TIMEOUT` and `TLS` what
/// happens to the session, `=` the result of a recipient, `READY` and `CLOSE reason` the machine's action; `#` options.
@Suite struct SMTPClientMachineTests {
    enum Delivery: String, CaseIterable, Sendable { case whole, byByte }

    static func transcripts() throws -> [Dialogue] {
        let folder = Transcript.folder.deletingLastPathComponent().appendingPathComponent("ClientTranscripts")
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "txt" }
            .sorted { $0.path < $1.path }
            .flatMap { Dialogue.parse(try String(contentsOf: $0, encoding: .utf8), file: $0.lastPathComponent) }
    }

    struct Dialogue: CustomTestStringConvertible, Sendable {
        let name: String
        var lines: [String] = []
        var options: Set<String> = []
        var testDescription: String { name }

        static func parse(_ text: String, file: String) -> [Dialogue] {
            var all: [Dialogue] = []
            for line in text.split(separator: "\n").map(String.init) {
                if line.hasPrefix("=== ") {
                    all.append(Dialogue(name: "\(file): \(line.dropFirst(4))"))
                } else if line.hasPrefix("#") {
                    if !all.isEmpty {
                        all[all.count - 1].options.formUnion(line.dropFirst().split(separator: " ").map(String.init))
                    }
                } else {
                    all[all.count - 1].lines.append(line)
                }
            }
            return all
        }
    }

    @Test func thereAreDialogues() throws { #expect(try Self.transcripts().count >= 30) }

    @Test(arguments: try transcripts(), Delivery.allCases)
    func dialogue(_ dialogue: Dialogue, _ delivery: Delivery) throws {
        if dialogue.options.contains("whole"), delivery != .whole { return }
        var client = ClientUnderTest(dialogue.options)
        client.run()
        for line in dialogue.lines {
            let rest = String(line.dropFirst(line.hasPrefix("S:") || line.hasPrefix("C:") ? 3 : 0))
            if line.hasPrefix("S:") {
                client.receive(Transcript.unescape(rest) + [13, 10], byByte: delivery == .byByte)
            } else if line.hasPrefix("C:") {
                let sent = client.takeLine()
                #expect(sent == rest, "expected \(rest), got \(sent)")
            } else {
                let words = line.split(separator: " ").map(String.init)
                switch words[0] {
                case "=":
                    let result = client.results.isEmpty ? "nothing" : client.results.removeFirst()
                    #expect("= \(result)" == line)
                case "READY", "CLOSE", "TLS?", "TEXT?":
                    #expect(client.takeRest().isEmpty)
                    #expect(client.lastAction == line)
                default: client.perform(words, line)
                }
            }
        }
        #expect(client.takeRest().isEmpty)
        #expect(client.results.isEmpty)
    }

    // MARK: Against our own server

    @Test(arguments: [true, false], [1, 7, 4096])
    func ourServerTakesWhatOurClientSends(_ pipelining: Bool, _ step: Int) throws {
        let configuration = SMTPServerConfiguration(
            service: .exchange,
            hostName: try #require(Domain("mx.example.org")),
            offersStartTLS: false,
            lineEnds: .reject,
            limits: .init()
        )
        var server = ServerUnderTest(configuration, isTLS: false)
        var client = ClientUnderTest(["tls=asis", pipelining ? "chunking" : "data"])
        server.run()
        client.run()
        let text = Array("Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend".utf8)
        client.pending = [
            .begin(["ann@example.org", "nobody@example.org", "bob@example.org"]), .text(text),
            .begin(["ann@example.org"]),
            .text(Array("A: b\nbare\rends\n.\n".utf8)), .quit,
        ]
        for _ in 0..<1_000_000 where client.lastAction != "CLOSE nil" {
            let toServer = client.output.array()
            client.output.removeAll()
            for start in stride(from: 0, to: toServer.count, by: step) {
                server.receive(Array(toServer[start..<min(start + step, toServer.count)]))
            }
            let toClient = server.output.array()
            server.output.removeAll()
            guard !toClient.isEmpty || !toServer.isEmpty else { break }
            for start in stride(from: 0, to: toClient.count, by: step) {
                client.receive(Array(toClient[start..<min(start + step, toClient.count)]), byByte: false)
            }
        }
        #expect(client.lastAction == "CLOSE nil")
        #expect(
            client.results.map { $0.prefix(13) } == [
                "delivered 250", "refused rcpt ", "delivered 250", "delivered 250",
            ]
        )
        #expect(server.messages == [text + [13, 10], Array("A: b\r\nbare\r\nends\r\n.\r\n".utf8)])
    }
}

/// A machine with an owner that sends what a test tells it to.
struct ClientUnderTest: ~Copyable {
    enum Step { case begin([String]), text([UInt8]), end([UInt8]), quit }

    var machine: SMTPClientMachine
    var input = ByteBuffer()
    var output = ByteBuffer()
    var results: [String] = []
    var lastAction = ""
    /// What is to be done as soon as it can be.
    var pending: [Step] = []

    init(_ options: Set<String>) {
        guard let name = Domain("client.example") else { preconditionFailure() }
        var configuration = SMTPClientConfiguration(clientName: name) { Array("rOprNGfwEbeRWgbNEkqO".utf8) }
        configuration.dialect = options.contains("lmtp") ? .lmtp : .smtp
        configuration.tls =
            options.contains("tls=required")
            ? .required : options.contains("tls=opportunistic") ? .opportunistic : .asIs
        configuration.usesChunking = options.contains("chunking")
        configuration.allowsSecretsInClear = options.contains("clear")
        if options.contains("password") {
            configuration.credentials = SASLClientCredentials(
                authenticationID: Array("user".utf8),
                proof: .password(Secret(Array("pencil".utf8)))
            )
        }
        if options.contains("token") {
            configuration.credentials = SASLClientCredentials(
                authenticationID: Array("user".utf8),
                proof: .bearerToken(Secret(Array("tok".utf8)))
            )
        }
        machine = SMTPClientMachine(
            configuration,
            isTLS: options.contains("tls"),
            isVerified: options.contains("tls") && !options.contains("unverified")
        )
    }

    mutating func receive(_ bytes: [UInt8], byByte: Bool) {
        if byByte {
            for byte in bytes {
                input.append(byte)
                run()
            }
        } else {
            input.append(bytes)
            run()
        }
    }

    mutating func run() {
        while true {
            switch machine.next(&input, &output) {
            case .read(let phase):
                lastAction = "READ \(phase.rawValue)"
                return
            case .startTLS:
                lastAction = "TLS?"
                return
            case .derive(let key):
                let salted = key.password.withOctets {
                    key.hash.algorithm.derivedKey(password: $0, salt: key.salt, rounds: key.rounds)
                }
                machine.derived(salted, &output)
            case .ready:
                lastAction = "READY"
                guard case .begin(let recipients) = pending.first else {
                    if case .quit = pending.first {
                        pending.removeFirst()
                        machine.quit(&output)
                        continue
                    }
                    return
                }
                pending.removeFirst()
                begin(from: "me@client.example", to: recipients, [])
            case .text:
                lastAction = "TEXT?"
                switch pending.first {
                case .text(let text):
                    // In two pieces, so that a line may be cut.
                    pending[0] = .end(Array(text.dropFirst(text.count / 2)))
                    machine.supply(Array(text.prefix(text.count / 2)).span, isLast: false, &output)
                case .end(let text):
                    pending.removeFirst()
                    machine.supply(text.span, isLast: true, &output)
                case .begin, .quit, nil: return
                }
            case .finished(let results): self.results += results.map(Said.text)
            case .close(let failure):
                lastAction = "CLOSE \(failure.map(Said.text) ?? "nil")"
                return
            }
        }
    }

    mutating func begin(from: String, to: [String], _ options: Set<String>) {
        machine.begin(
            SMTPEnvelope(
                reversePath: from == "<>" ? nil : EmailAddress(from),
                recipients: to.compactMap { EmailAddress($0) },
                octets: options.contains("huge") ? 100_000 : 100,
                isEightBit: options.contains("8bit"),
                isUTF8: options.contains("utf8")
            ),
            &output
        )
    }

    mutating func perform(_ words: [String], _ line: String) {
        switch words[0] {
        case "SEND":
            begin(from: words[1], to: words[2].split(separator: ",").map(String.init), Set(words.dropFirst(3)))
        case "TEXT":
            machine.supply(Transcript.unescape(String(line.dropFirst(5))).span, isLast: true, &output)
        case "MORE":
            machine.supply(Transcript.unescape(String(line.dropFirst(5))).span, isLast: false, &output)
        case "TLS":
            machine.tlsEstablished(isVerified: !words.contains("unverified"), channelBinding: nil, &output)
        case "QUIT": machine.quit(&output)
        case "LOST": machine.failed(.connectionLost(machine.phase), unsentOctets: words.contains("unsent") ? 3 : 0)
        case "TIMEOUT": machine.failed(.timedOut(machine.phase), unsentOctets: 0)
        default: preconditionFailure("no such step: \(line)")
        }
        run()
    }

    mutating func takeLine() -> String {
        guard let end = output.bytes.firstIndex(of: 10) else { return takeRest() }
        let line = output.bytes.extracting(0..<end).repairedUTF8String()
        output.consume(end + 1)
        return line.hasSuffix("\r") ? String(line.dropLast()) : "\(line) (without CR)"
    }

    mutating func takeRest() -> String {
        defer { output.removeAll() }
        return output.bytes.repairedUTF8String()
    }
}

/// What a machine said, as transcripts have it.
private enum Said {
    static func text(_ result: SMTPRecipientResult) -> String {
        switch result {
        case .delivered(let reply): "delivered \(text(reply))"
        case .refused(let phase, let reply): "refused \(phase.rawValue) \(text(reply))"
        case .unsupported(.size(let limit)): "unsupported size \(limit)"
        case .unsupported(.smtpUTF8): "unsupported SMTPUTF8"
        case .unsupported(.eightBitMIME): "unsupported 8BITMIME"
        case .failed(let failure): "failed \(text(failure))"
        case .unknown(let failure): "unknown \(text(failure))"
        }
    }

    static func text(_ reply: SMTPReply) -> String {
        "\(reply.code)\(reply.status.map { " \($0)" } ?? "") \(reply.lines.joined(separator: "|"))"
    }

    static func text(_ failure: SMTPClientFailure) -> String {
        switch failure {
        case .refused(let phase, let reply): "refused \(phase.rawValue) \(text(reply))"
        case .syntax(let phase, let error): "syntax \(phase.rawValue) \(error)"
        case .connectionLost(let phase): "lost \(phase.rawValue)"
        case .timedOut(let phase): "timeout \(phase.rawValue)"
        case .unsolicited(let phase): "unsolicited \(phase.rawValue)"
        case .tlsNotOffered: "tlsNotOffered"
        case .injectedBeforeTLS: "injectedBeforeTLS"
        case .noCommonMechanism: "noCommonMechanism"
        case .authentication(let error): "authentication \(error)"
        }
    }
}
