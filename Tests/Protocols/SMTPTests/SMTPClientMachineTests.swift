// SPDX-License-Identifier: Apache-2.0

import MachineSupport
import MailTypes
import SASL
import TestSupport
import Testing
import Wire

@testable import SMTP

/// Dialogues kept as files under `ClientTranscripts`: `S:` a line the server sends, `C:` a line the client sends, `SEND` a
/// message begun (from, recipients), `TEXT` its octets (`\r \n \\` are escapes), `QUIT`, `LOST`, `TIMEOUT` and `TLS` what
/// happens to the session, `=` the result of a recipient, `READY` and `CLOSE reason` the machine's action; `#` options.
@Suite struct SMTPClientMachineTests {
    static func dialogues() throws -> [Dialogue] { try Dialogue.all(in: "ClientTranscripts") }

    @Test func thereAreDialogues() throws { #expect(try Self.dialogues().count >= 30) }

    @Test(arguments: try dialogues(), Feeding.allCases)
    func dialogue(_ dialogue: Dialogue, _ feeding: Feeding) throws {
        if dialogue.options.contains("whole"), feeding != .whole { return }
        var client = ClientUnderTest(dialogue.options)
        client.run()
        for step in dialogue.steps(feeding) {
            switch step {
            case .arrives(let octets): client.receive(octets)
            case .sends(let line): #expect(client.output.takeLine() == line)
            case .other("=", let rest):
                let result = client.results.isEmpty ? "nothing" : client.results.removeFirst()
                #expect(result == rest)
            case .other(let word, let rest) where ["READY", "CLOSE", "TLS?", "TEXT?"].contains(word):
                #expect(client.output.takeRest().isEmpty)
                #expect(client.lastAction == (rest.isEmpty ? word : "\(word) \(rest)"))
            case .other(let word, let rest): client.perform(word, rest)
            }
        }
        #expect(client.output.takeRest().isEmpty)
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
                client.receive(Array(toClient[start..<min(start + step, toClient.count)]))
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
        configuration.credentials = SASLClientCredentials(options: options)
        machine = SMTPClientMachine(
            configuration,
            isTLS: options.contains("tls"),
            isVerified: options.contains("tls") && !options.contains("unverified")
        )
    }

    mutating func receive(_ octets: [UInt8], _ feeding: Feeding = .whole) {
        for piece in feeding.pieces(octets) {
            input.append(piece)
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
                machine.derived(key.saltedPassword(), &output)
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

    mutating func perform(_ word: String, _ rest: String) {
        let words = rest.split(separator: " ").map(String.init)
        switch word {
        case "SEND":
            begin(from: words[0], to: words[1].split(separator: ",").map(String.init), Set(words.dropFirst(2)))
        case "TEXT": machine.supply(Dialogue.unescaped(rest).span, isLast: true, &output)
        case "MORE": machine.supply(Dialogue.unescaped(rest).span, isLast: false, &output)
        case "TLS": machine.tlsEstablished(isVerified: rest != "unverified", channelBinding: nil, &output)
        case "QUIT": machine.quit(&output)
        case "LOST": machine.failed(.connectionLost(machine.phase), unsentOctets: rest == "unsent" ? 3 : 0)
        case "TIMEOUT": machine.failed(.timedOut(machine.phase), unsentOctets: 0)
        default: preconditionFailure("no such step: \(word)")
        }
        run()
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
