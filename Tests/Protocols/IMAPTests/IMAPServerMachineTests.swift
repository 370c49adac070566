// SPDX-License-Identifier: Apache-2.0

import MachineSupport
import TestSupport
import Testing
import Wire

@testable import IMAP

/// Dialogues kept as files under `ServerTranscripts`: `C:` a line the client sends (`C!` without CRLF behind it; `\r \n \0 \\`
/// and `\xHH` are escapes in both), `S:` a line the server sends, `TLS`, `COMPRESS` and `CLOSE` what the server does then, `TOLD`
/// what its owner was told, `TIMEOUT` and `DRAIN` what happens to it; `#` options.
@Suite struct IMAPServerMachineTests {
    enum Step: Sendable {
        case client([UInt8])
        case server(String)
        case other(String, rest: String)
    }

    static func dialogues() throws -> [Dialogue] { try Dialogue.all(in: "ServerTranscripts") }

    @Test func thereAreDialogues() throws { #expect(try Self.dialogues().count >= 40) }

    private static func steps(_ dialogue: Dialogue) -> [Step] {
        dialogue.lines.map { line in
            let rest = String(line.dropFirst(3))
            return switch line.prefix(2) {
            case "C:": .client(Dialogue.unescaped(rest) + [13, 10])
            case "C!": .client(Dialogue.unescaped(rest))
            case "S:": .server(rest)
            default: .other(String(line.prefix { $0 != " " }), rest: String(line.drop { $0 != " " }.dropFirst()))
            }
        }
    }

    private static func configuration(_ options: Set<String>) -> IMAPServerConfiguration {
        var configuration = IMAPServerConfiguration(
            hostName: "mx.example.org",
            offersStartTLS: !options.contains("notls"),
            capabilities: [.namespace, .uidPlus, .move],
            appendLimit: 100,
            id: [IMAPParameter(name: Array("name".utf8), value: Array("Postern".utf8))]
        )
        if options.contains("all") {
            configuration.capabilities = [.multiAppend, .qresync, .condStore, .utf8Accept, .quota, .within]
        }
        configuration.takesPasswordsInClear = options.contains("clear")
        if options.contains("few") {
            configuration.limits.errors = 3
            configuration.limits.junkCommands = 3
            configuration.limits.authenticationFailures = 2
            configuration.limits.beforeLogin.lineOctets = 64
            configuration.limits.afterLogin.lineOctets = 128
        }
        return configuration
    }

    @Test(arguments: try dialogues(), Feeding.allCases)
    func dialogue(_ dialogue: Dialogue, _ feeding: Feeding) throws {
        let options = dialogue.options
        var server = IMAPServerUnderTest(Self.configuration(options), isTLS: options.contains("tls"))
        server.machine.isOverloaded = options.contains("overloaded")
        server.run()
        if options.contains("in") {
            server.receive(Array("i LOGIN ann secret\r\n".utf8))
            _ = server.encoder.output.takeRest()
        }
        if options.contains("selected") {
            server.receive(Array("i SELECT INBOX\r\n".utf8))
            _ = server.encoder.output.takeRest()
        }
        var pending: [UInt8] = []
        func deliver(_ server: inout IMAPServerUnderTest) {
            for piece in feeding.pieces(pending) where server.lastAction == "read" { server.receive(piece) }
            pending = []
        }
        for step in Self.steps(dialogue) {
            switch step {
            case .client(let octets):
                if pending.isEmpty { #expect(server.encoder.output.takeRest().isEmpty) }
                pending += octets
            case .server(let line):
                deliver(&server)
                #expect(server.encoder.output.takeLine() == line)
            case .other(let word, let rest):
                deliver(&server)
                happen(word, rest, &server)
            }
        }
        deliver(&server)
        #expect(server.encoder.output.takeRest().isEmpty)
    }

    private func happen(_ word: String, _ rest: String, _ server: inout IMAPServerUnderTest) {
        switch word {
        case "TLS":
            #expect(server.lastAction == "TLS" && server.encoder.output.isEmpty)
            server.machine.tlsEstablished(&server.encoder)
            server.run()
        case "COMPRESS":
            #expect(server.lastAction == "COMPRESS" && server.encoder.output.isEmpty)
            server.machine.compressionStarted()
            server.run()
        case "CLOSE": #expect(server.lastAction == "CLOSE")
        case "TOLD":
            let next = server.told.isEmpty ? "nothing" : server.told.removeFirst()
            #expect(next == rest)
        case "NOTHING": #expect(server.told.isEmpty, "\(server.told)")
        case "TIMEOUT":
            server.machine.timedOut(&server.encoder)
            server.run()
        case "DRAIN":
            server.machine.isDraining = true
            server.run()
        default: Issue.record("unknown step \(word)")
        }
    }

    // MARK: Beyond transcripts

    private static func loggedIn() -> IMAPServerUnderTest {
        var server = IMAPServerUnderTest(configuration(["all"]), isTLS: true)
        server.run()
        server.receive(Array("i LOGIN ann secret\r\n".utf8))
        _ = server.encoder.output.takeRest()
        return server
    }

    /// Each octet counts as one that came, but no command has more time for it.
    @Test func dribblingGainsNoTime() {
        var server = Self.loggedIn()
        func serial(_ server: inout IMAPServerUnderTest) -> UInt64? {
            guard case .read(let serial) = server.machine.next(&server.input, &server.encoder) else { return nil }
            return serial
        }
        let before = serial(&server)
        for octet in Array("a NOOP\r".utf8) {
            server.receive([octet])
            #expect(serial(&server) == before)
        }
        server.receive([10])
        #expect(serial(&server) != before)
        server.receive(Array("a IDLE\r\n".utf8))
        let idle = serial(&server)
        server.receive(Array("DON".utf8))
        #expect(serial(&server) == idle)
    }

    @Test func nothingThatCameInTheClearSurvivesSTARTTLS() {
        for behind in ["b LOGIN ann secret\r\n", "b", "\r\n"] {
            var server = IMAPServerUnderTest(Self.configuration([]), isTLS: false)
            server.run()
            _ = server.encoder.output.takeRest()
            server.receive(Array("a STARTTLS\r\n\(behind)".utf8))
            #expect(server.lastAction == "CLOSE")
            #expect(
                server.encoder.output.takeRest() == "* BYE Nothing may follow STARTTLS before TLS is there\r\n"
            )
        }
    }

    @Test func aMessageIsNeverHeldWhole() {
        var configuration = Self.configuration(["all"])
        configuration.appendLimit = 10 << 20
        var machine = IMAPServerMachine(configuration, isTLS: true)
        var input = ByteBuffer(Array("a LOGIN ann secret\r\nb APPEND x {3000000+}\r\n".utf8))
        var encoder = IMAPResponseEncoder()
        var supplied = 0
        var taken = 0
        while true {
            switch machine.next(&input, &encoder) {
            case .authenticate: machine.authenticated(.accept, &encoder)
            case .appendBegins: machine.appendDecided(nil, &encoder)
            case .appendOctets:
                #expect(machine.content.count <= 64 << 10)
                taken += machine.content.count
                machine.appendTaken(nil)
            case .read where supplied < 3_000_000:
                input.append([UInt8](repeating: 0x78, count: 100_000))
                supplied += 100_000
            case .read:
                #expect(taken == 3_000_000)
                return
            case let action:
                Issue.record("\(action)")
                return
            }
        }
    }

    @Test func muchOutputIsSentBeforeMoreIsTaken() {
        var server = Self.loggedIn()
        server.input.append(Array(String(repeating: "a NAMESPACE\r\n", count: 20_000).utf8))
        var writes = 0
        loop: while true {
            switch server.machine.next(&server.input, &server.encoder) {
            case .perform:
                server.encoder.write(.exists(1))
                server.machine.performed(IMAPStatus(.ok, nil, "Done"), &server.encoder)
            case .write:
                #expect(server.encoder.output.count < 66 << 10)
                server.encoder.output.removeAll()
                writes += 1
            default: break loop
            }
        }
        #expect(writes > 4)
    }

    @Test func answersAreCounted() {
        var server = Self.loggedIn()
        server.machine.records = []
        server.receive(Array("a EXAMINE x\r\nb FETCH 1 UID\r\nc STORE 1 FLAGS ()\r\nd XYZZY\r\ne LSUB \"\" *\r\n".utf8))
        #expect(
            server.machine.records.map { "\($0.verb) \($0.condition.rawValue)" }
                == ["examine OK", "fetch OK", "store NO", "unknown BAD", "lsub OK"]
        )
    }
}
