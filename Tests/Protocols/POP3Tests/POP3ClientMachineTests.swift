// SPDX-License-Identifier: Apache-2.0

import Foundation
import MachineSupport
import SASL
import TestSupport
import Testing
import Wire

@testable import POP3

/// Dialogues kept as files under `Transcripts`: `S:` a line the server sends (`\r \n` are escapes), `C:` a line the client
/// sends, `SEND` a command, `*` a line of its answer, `TEXT` a message's octets so far, `=` how it ended, `LOST` and `TLS` what
/// happens to the connection, `READY`, `TLS?` and `CLOSE reason` the machine's action; `#` options.
@Suite struct POP3ClientMachineTests {
    static func dialogues() throws -> [Dialogue] { try Dialogue.all(in: "Transcripts") }

    @Test func thereAreDialogues() throws { #expect(try Self.dialogues().count >= 40) }

    @Test(arguments: try dialogues(), Feeding.allCases)
    func dialogue(_ dialogue: Dialogue, _ feeding: Feeding) throws {
        if dialogue.options.contains("whole"), feeding != .whole { return }
        var client = POP3ClientUnderTest(dialogue.options)
        client.run()
        if dialogue.options.contains("in") { client.logIn(dialogue.options) }
        for step in dialogue.steps(feeding) {
            switch step {
            case .arrives(let octets): client.receive(octets)
            case .sends(let line):
                #expect(client.output.takeLine() == line)
                if dialogue.options.contains("capabilities") {
                    client.receive(
                        Array("+OK\r\n".utf8) + Array(repeatElement(Array("X\r\n".utf8), count: 300).joined())
                    )
                }
            case .other("TEXT", let rest):
                #expect(client.text == Dialogue.unescaped(rest))
                client.text = []
            case .other(let mark, let rest) where mark == "*" || mark == "=":
                let told = client.told.isEmpty ? "nothing" : client.told.removeFirst()
                #expect(told == "\(mark) \(rest)")
            case .other("SEND", let rest): client.send(rest.split(separator: " ").map(String.init))
            case .other("LOST", _):
                client.machine.failed(.connectionLost(client.machine.phase))
                client.run()
            case .other("TLS", _):
                client.machine.tlsEstablished(isVerified: true, channelBinding: nil, &client.output)
                client.run()
            case .other(let word, let rest):
                #expect(client.output.takeRest().isEmpty)
                #expect(client.lastAction == (rest.isEmpty ? word : "\(word) \(rest)"))
            }
        }
        #expect(client.output.takeRest().isEmpty)
        #expect(client.told.isEmpty && client.text.isEmpty)
    }

    @Test func SCRAMIsPreferred() throws {
        var client = POP3ClientUnderTest(["tls", "password"])
        client.run()
        client.receive(Array("+OK\r\n+OK\r\nUSER\r\nSASL PLAIN SCRAM-SHA-256 SCRAM-SHA-1\r\n.\r\n".utf8))
        #expect(client.output.takeLine() == "CAPA")
        #expect(client.output.takeLine().hasPrefix("AUTH SCRAM-SHA-256 "))
        // RFC 7677 §3, with its nonce and password.
        client.receive(
            Array("+ ".utf8)
                + Base64.encode(
                    Array("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".utf8)
                ) + [13, 10]
        )
        let proof = Base64.decode(Array(client.output.takeLine().utf8).span).map { String(decoding: $0, as: UTF8.self) }
        #expect(proof?.hasSuffix("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=") == true)
        client.receive(Array("+OK but no proof\r\n".utf8))
        #expect(client.lastAction == "CLOSE authentication serverNotAuthentic")
    }

    // MARK: What others recorded

    private func recorded(_ name: String) throws -> [UInt8] {
        // The files have LF where the servers had CR LF.
        Array(try TestData.bytes("pop3/mailkit-pop3/\(name)").map { $0 == 10 ? [13, 10] : [$0] }.joined())
    }

    /// Everything recorded, in the place where it was said; what the recorders took for an error is one here too, except a
    /// listing with a gap, which is how a deleted message looks.
    @Test(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"), arguments: Feeding.allCases)
    func recordedAnswersAreRead(_ feeding: Feeding) throws {
        let cases: [(file: String, command: [String], told: [String], action: String)] = [
            ("comcast/list.txt", ["list"], (1...7).map { "* \($0) \($0 * 1024)" } + ["= done +OK "], "READY"),
            ("comcast/list1.txt", ["list", "1"], ["* 1 1024", "= done +OK "], "READY"),
            ("comcast/list-error1.txt", ["list"], (1...6).map { "* \($0) \($0 * 1024)" }, "CLOSE syntax list badLine"),
            (
                "comcast/list-error2.txt", ["list"],
                (1...8).filter { $0 != 7 }.map { "* \($0) \($0 * 1024)" } + ["= done +OK "], "READY"
            ),
            ("comcast/list-error3.txt", ["list"], (1...6).map { "* \($0) \($0 * 1024)" }, "CLOSE syntax list badLine"),
            ("comcast/list1-error1.txt", ["list", "1"], [], "CLOSE syntax list badLine"),
            ("comcast/list1-error2.txt", ["list", "1"], [], "CLOSE syntax list badLine"),
            ("comcast/list1-error3.txt", ["list", "1"], [], "CLOSE syntax list badLine"),
            ("comcast/stat.txt", ["stat"], ["= status 7 1800662"], "READY"),
            ("exchange/stat.txt", ["stat"], ["= status 7 1800662"], "READY"),
            ("comcast/stat-error1.txt", ["stat"], [], "CLOSE syntax status badLine"),
            ("comcast/stat-error2.txt", ["stat"], [], "CLOSE syntax status badLine"),
            ("comcast/stat-error3.txt", ["stat"], [], "CLOSE syntax status badLine"),
            ("exchange/uidl.txt", ["uidl"], (1...7).map { "* \($0) \(6498 + $0)" } + ["= done +OK "], "READY"),
            ("comcast/ok.txt", ["noop"], ["= done +OK "], "READY"),
            ("comcast/err.txt", ["noop"], ["= refused -ERR "], "READY"),
            ("comcast/quit.txt", ["quit"], ["= done +OK POP3 server closing connection"], "CLOSE nil"),
            ("exchange/quit.txt", ["quit"], ["= done +OK Good-bye."], "CLOSE nil"),
        ]
        for (file, command, told, action) in cases {
            var client = POP3ClientUnderTest([])
            client.run()
            client.logIn([])
            client.send(command)
            client.receive(try recorded(file), feeding)
            #expect(client.told == told, "\(file)")
            #expect(client.lastAction == action, "\(file)")
        }
        for file in ["comcast/retr1.txt", "exchange/retr1.txt"] {
            var client = POP3ClientUnderTest([])
            client.run()
            client.logIn([])
            client.send(["retr", "1"])
            let octets = try recorded(file)
            client.receive(octets, feeding)
            #expect(client.told == ["= done +OK message follows"] && client.lastAction == "READY")
            // The same without the first line, the last, and the dots in front of dots.
            let text = String(decoding: octets, as: UTF8.self).split(
                separator: "\r\n",
                omittingEmptySubsequences: false
            )
            .dropFirst().dropLast(2).map { $0.hasPrefix(".") ? String($0.dropFirst()) : String($0) }
            #expect(client.text == Array((text.joined(separator: "\r\n") + "\r\n").utf8))
        }
        var set = Set(cases.map(\.file) + ["comcast/retr1.txt", "exchange/retr1.txt"])
        for (greeting, answers) in [
            ("comcast/greeting.txt", ["comcast/capa1.txt"]), ("comcast/greeting.txt", ["comcast/capa2.txt"]),
            ("exchange/greeting.txt", ["exchange/capa.txt"]), ("common/ok-greeting.txt", ["comcast/err.txt"]),
        ] {
            var client = POP3ClientUnderTest([])
            client.run()
            for file in [greeting] + answers { client.receive(try recorded(file), feeding) }
            #expect(client.lastAction == "READY")
            set.formUnion([greeting] + answers)
            if answers == ["comcast/capa2.txt"] {
                #expect(client.machine.capabilities.mechanisms == [.plain])
                #expect(client.machine.capabilities.implementation == "ZimbraInc")
                #expect(client.machine.capabilities.startTLS && client.machine.capabilities.expireDays == nil)
            }
        }
        var refused = POP3ClientUnderTest([])
        refused.run()
        refused.receive(try recorded("common/err-greeting.txt"), feeding)
        #expect(refused.lastAction == "CLOSE refused greeting -ERR ")
        var login = POP3ClientUnderTest(["tls", "password"])
        login.run()
        for file in ["exchange/greeting.txt", "exchange/capa.txt"] {
            login.receive(try recorded(file), feeding)
        }
        // PLAIN goes with its response, so Exchange's plus asks for nothing.
        login.receive(try recorded("exchange/auth.txt"), feeding)
        login.receive(try recorded("exchange/capa.txt"), feeding)
        #expect(login.lastAction == "READY")
        #expect(POP3ClientMachine.challenge(Array(try recorded("exchange/plus.txt").dropLast(2))) == [])
        set.formUnion(["common/err-greeting.txt", "exchange/auth.txt", "exchange/plus.txt"])
        let files = try TestData.files(below: "pop3/mailkit-pop3").filter { $0.pathExtension == "txt" }
        #expect(set.count == files.count, "some of the files were not looked at")
    }

    /// As the files are: a server whose lines all end in LF.
    @Test(.enabled(if: TestData.root != nil, "POSTERN_TEST_DATA is not set"))
    func aServerWithLFAloneIsReadToo() throws {
        var client = POP3ClientUnderTest([])
        client.run()
        for file in ["comcast/greeting.txt", "comcast/capa1.txt"] {
            client.receive(try TestData.bytes("pop3/mailkit-pop3/" + file), .byOctet)
        }
        client.machine.isAuthenticated = true
        client.send(["retr", "1"])
        client.receive(try TestData.bytes("pop3/mailkit-pop3/comcast/retr1.txt"))
        #expect(client.told == ["= done +OK message follows"] && client.lastAction == "READY")
        #expect(client.text.count > 170_000 && !client.text.contains(13))
    }
}

/// A machine with an owner that sends what a test tells it to.
struct POP3ClientUnderTest: ~Copyable {
    var machine: POP3ClientMachine
    var input = ByteBuffer()
    var output = ByteBuffer()
    var text: [UInt8] = []
    /// Listings and results.
    var told: [String] = []
    var lastAction = ""

    init(_ options: Set<String>) {
        var configuration = POP3ClientConfiguration { Array("rOprNGfwEbeRWgbNEkqO".utf8) }
        configuration.tls = options.contains("tls=required") ? .required : .asIs
        configuration.allowsSecretsInClear = options.contains("clear")
        if options.contains("small") { configuration.maximumMessageOctets = 20 }
        configuration.credentials = SASLClientCredentials(options: options)
        machine = POP3ClientMachine(
            configuration,
            isTLS: options.contains("tls"),
            isVerified: options.contains("tls") && !options.contains("unverified")
        )
    }

    /// A session that is set up.
    mutating func logIn(_ options: Set<String>) {
        let pipelining = options.contains("pipelining") ? "PIPELINING\r\n" : ""
        receive(Array("+OK\r\n+OK\r\n\(pipelining).\r\n".utf8))
        machine.isAuthenticated = true
        output.removeAll()
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
                return
            case .listing(let listing):
                switch listing.value {
                case .size(let octets): told.append("* \(listing.number) \(octets)")
                case .uniqueID(let id): told.append("* \(listing.number) \(String(decoding: id, as: UTF8.self))")
                }
            case .text:
                text += machine.text.array()
                machine.text.removeAll()
            case .finished(.status(let status)): told.append("= status \(status.messages) \(status.octets)")
            case .finished(.done(let reply)): told.append("= done \(Self.said(reply))")
            case .finished(.refused(let reply)): told.append("= refused \(Self.said(reply))")
            case .close(let failure):
                lastAction = "CLOSE \(failure.map(Self.said) ?? "nil")"
                return
            }
        }
    }

    mutating func send(_ words: [String]) {
        let number = words.count > 1 ? UInt32(words[1]) : nil
        let command: POP3Command =
            switch words[0] {
            case "stat": .stat
            case "list": .list(number)
            case "uidl": .uidl(number)
            case "retr": .retr(number ?? 0)
            case "top": .top(number ?? 0, lines: UInt32(words[2]) ?? 0)
            case "dele": .dele(number ?? 0)
            case "rset": .rset
            case "noop": .noop
            default: .quit
            }
        machine.send(command, &output)
        run()
    }

    private static func said(_ reply: POP3Reply) -> String {
        "\(reply.isPositive ? "+OK" : "-ERR") \(reply.code.map { "[\($0)] " } ?? "")\(reply.text)"
    }

    private static func said(_ failure: POP3ClientFailure) -> String {
        switch failure {
        case .refused(let phase, let reply): "refused \(phase.rawValue) \(said(reply))"
        case .loginPrevented(let reply): "prevented \(said(reply))"
        case .syntax(let phase, let error): "syntax \(phase.rawValue) \(error)"
        case .connectionLost(let phase): "lost \(phase.rawValue)"
        case .timedOut(let phase): "timeout \(phase.rawValue)"
        case .unsolicited(let phase): "unsolicited \(phase.rawValue)"
        case .tlsNotOffered: "tlsNotOffered"
        case .injectedBeforeTLS: "injectedBeforeTLS"
        case .noCommonMechanism: "noCommonMechanism"
        case .unsuitableCredentials: "unsuitableCredentials"
        case .authentication(let error): "authentication \(error)"
        }
    }
}
