// SPDX-License-Identifier: Apache-2.0

import MachineSupport
import SASL
import TestSupport
import Testing
import Wire

@testable import POP3

/// Dialogues kept as files under `ServerTranscripts`: `C:` a line the client sends (`C!` without CRLF behind it; `\r \n \0 \\`
/// and `\xHH` are escapes in both), `S:` a line the server sends, `TLS` and `CLOSE` what the server does then, `DELETED` the
/// indices of the messages it deletes, `TIMEOUT` and `DRAIN` what happens to it; `#` options.
@Suite struct POP3ServerMachineTests {
    enum Step: Sendable {
        case client([UInt8])
        case server(String)
        case other(String, rest: String)
    }

    static func dialogues() throws -> [Dialogue] { try Dialogue.all(in: "ServerTranscripts") }

    @Test func thereAreDialogues() throws { #expect(try Self.dialogues().count >= 24) }

    private static func steps(_ dialogue: Dialogue) -> [Step] {
        dialogue.lines.map { line in
            let rest = String(line.dropFirst(3))
            return switch line.prefix(2) {
            case "C:": .client(Dialogue.unescaped(rest) + [13, 10])
            case "C!": .client(Dialogue.unescaped(rest))
            case "S:": .server(rest)
            default:
                .other(
                    String(line.prefix { $0 != " " }),
                    rest: String(line.drop { $0 != " " }.dropFirst())
                )
            }
        }
    }

    private static func configuration(_ options: Set<String>) -> POP3ServerConfiguration {
        var limits = POP3ServerConfiguration.Limits()
        if options.contains("few") {
            limits.errors = 3
            limits.junkCommands = 3
            limits.authenticationFailures = 2
            limits.commandOctets = 64
            limits.authenticationOctets = 100
        }
        return POP3ServerConfiguration(
            hostName: "mx.example.org",
            offersStartTLS: !options.contains("notls"),
            limits: limits
        )
    }

    @Test(arguments: try dialogues(), Feeding.allCases)
    func dialogue(_ dialogue: Dialogue, _ feeding: Feeding) throws {
        let piece = feeding == .byOctet ? 1 : feeding == .byLine ? 7 : 1000
        var server = POP3ServerUnderTest(
            Self.configuration(dialogue.options),
            isTLS: dialogue.options.contains("tls"),
            piece: piece
        )
        server.canDelete = !dialogue.options.contains("broken")
        server.machine.isOverloaded = dialogue.options.contains("overloaded")
        server.run()
        var pending: [UInt8] = []
        func deliver(_ server: inout POP3ServerUnderTest) {
            for piece in feeding.pieces(pending) where server.lastAction == "read" { server.receive(piece) }
            pending = []
        }
        for step in Self.steps(dialogue) {
            switch step {
            case .client(let octets):
                if pending.isEmpty { #expect(server.output.takeRest().isEmpty) }
                pending += octets
            case .server(let line):
                deliver(&server)
                #expect(server.output.takeLine() == line)
            case .other("DELETED", let rest):
                deliver(&server)
                #expect(server.deleted.map { "\($0)" } ?? "nothing" == rest)
            case .other("TIMEOUT", _):
                server.machine.timedOut()
                server.run()
            case .other("DRAIN", _):
                server.machine.isDraining = true
                server.run()
            case .other(let action, _):
                deliver(&server)
                #expect(server.output.takeRest().isEmpty)
                #expect(server.lastAction == action)
                if action == "TLS", server.lastAction == "TLS" {
                    server.machine.tlsEstablished()
                    server.run()
                }
            }
        }
        deliver(&server)
        #expect(server.output.takeRest().isEmpty)
    }

    /// A session of somebody who is logged in.
    private struct LoggedIn: ~Copyable {
        var machine = POP3ServerMachine(configuration([]), isTLS: true)
        var input = ByteBuffer(Array("USER a\r\nPASS b\r\n".utf8))
        var output = ByteBuffer()

        init(_ maildrop: POP3Maildrop) {
            guard case .authenticate = machine.next(&input, &output) else { preconditionFailure("no login") }
            machine.authenticated(.accept(maildrop), &output)
            output.removeAll()
        }

        mutating func next() -> POP3ServerMachine.Action { machine.next(&input, &output) }
    }

    @Test func nothingIsTakenOverIntoTLS() {
        var server = POP3ServerUnderTest(Self.configuration([]), isTLS: false, piece: 1)
        server.run()
        server.output.removeAll()
        server.receive(Array("STLS\r\nUSER ann\r\n".utf8))
        #expect(server.output.takeLine() == "-ERR Nothing may follow STLS before TLS is there")
        #expect(server.lastAction == "CLOSE")
    }

    @Test func aLongListingIsSentInPieces() {
        var maildrop = POP3Maildrop()
        for number in 1...20_000 { maildrop.append(size: 1, uniqueID: Array("id\(number)".utf8)) }
        var session = LoggedIn(maildrop)
        session.input.append("UIDL\r\nNOOP\r\n")
        var all: [UInt8] = []
        var writes = 0
        loop: while true {
            switch session.next() {
            case .write:
                writes += 1
                let count = session.output.count
                #expect(count < 2 * POP3ServerMachine.outputOctets)
                all += session.output.array()
                session.output.removeAll()
            case .read: break loop
            default: Issue.record("nothing else is asked for")
            }
        }
        all += session.output.array()
        #expect(writes >= 3)
        let expected =
            "+OK 20000 messages\r\n" + (1...20_000).map { "\($0) id\($0)\r\n" }.joined() + ".\r\n+OK Done\r\n"
        let isRight = all == Array(expected.utf8)
        #expect(isRight)
    }

    @Test func aLargeMessageIsSentInPieces() {
        var maildrop = POP3Maildrop()
        maildrop.append(size: 1 << 20, uniqueID: [0x61])
        var session = LoggedIn(maildrop)
        session.input.append("RETR 1\r\n")
        var sent = 0
        var supplied = 0
        loop: while true {
            switch session.next() {
            case .open: session.machine.opened(.begin, &session.output)
            case .content:
                let count = session.output.count
                #expect(count < POP3ServerMachine.outputOctets)
                session.machine.content.append([UInt8](repeating: 0x61, count: 10_000))
                supplied += 10_000
                session.machine.supplied(isEnd: supplied >= 1_000_000)
            case .write:
                sent += session.output.count
                session.output.removeAll()
            case .read: break loop
            default: Issue.record("nothing else is asked for")
            }
        }
        sent += session.output.count
        #expect(sent == Array("+OK Here it is\r\n".utf8).count + 1_000_000 + 5)
        let isOpen = session.machine.isMessageOpen
        #expect(!isOpen)
    }

    @Test(arguments: [
        ("Subject: x\r\n\r\n1\r\n2\r\n", 0, 14), ("Subject: x\r\n\r\n1\r\n2\r\n", 1, 17),
        ("Subject: x\r\n\r\n1\r\n2\r\n", 9, 20), ("Subject: x\r\n", 3, 12), ("\r\nbody\r\n", 0, 2), ("", 0, 0),
        ("a\r\n \r\nb\r\n\r\nc", 0, 11),
    ]) func topCutsBehindSoManyLines(_ text: String, _ lines: UInt32, _ expected: Int) {
        for step in [1, 3, 100] {
            var cut = POP3TopCut(lines: lines)
            var taken = 0
            let octets = Array(text.utf8)
            for start in stride(from: 0, to: octets.count, by: step) {
                taken += cut.take(Array(octets[start..<min(start + step, octets.count)]).span)
            }
            #expect(taken == expected)
        }
    }

    @Test func noReplyHasMoreThanOneLine() {
        var output = ByteBuffer()
        POP3Reply(isPositive: false, code: "SYS/TEMP", text: "a\r\nb\u{FC}" + String(repeating: "x", count: 600))
            .append(to: &output)
        #expect(output.count == 512)
        #expect(output.array().starts(with: Array("-ERR [SYS/TEMP] a??b??x".utf8)))
    }

    @Test(arguments: [
        ("RETR", POP3CommandError.missingArgument), ("RETR 1 2", .unexpectedArgument), ("RETR +1", .badNumber),
        ("RETR  1", .unexpectedArgument), ("RETR 4294967296", .badNumber), ("TOP 1", .missingArgument),
        ("TOP 1 -1", .badNumber), ("STAT x", .unexpectedArgument), ("USER", .missingArgument),
        ("PASS ", .missingArgument), ("AUTH a b c", .unexpectedArgument), ("LANG a b", .unexpectedArgument),
        ("DELE 0x1", .badNumber), ("QUIT now", .unexpectedArgument),
        ("USER " + String(repeating: "a", count: 256), .badName),
    ]) func wrongArgumentsAreNamed(_ line: String, _ error: POP3CommandError) {
        #expect(throws: error) { try POP3ServerCommand.parse(Array(line.utf8).span) }
    }

    @Test func aPasswordKeepsItsBlanks() throws {
        guard case .pass(let password) = try POP3ServerCommand.parse(Array("pAsS  two  words ".utf8).span) else {
            Issue.record("not PASS")
            return
        }
        #expect(password.withOctets { $0 } == Array(" two  words ".utf8))
        #expect(throws: POP3CommandError.badName) {
            try POP3ServerCommand.parse([0x50, 0x41, 0x53, 0x53, 0x20, 0xC3].span)
        }
    }
}
