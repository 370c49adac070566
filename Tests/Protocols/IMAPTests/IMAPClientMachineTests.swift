// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import MailTypes
import SASL
import Testing
import Wire

@testable import IMAP

/// Dialogues kept as files under `ClientTranscripts`: `S:` a line the server sends (`S!` without CRLF behind it; `\r \n \0`
/// and `\xHH` are escapes), `C:` a line the client sends (`C!` what stands at the end without one), `DO` a command of the
/// owner's, `SUPPLY` octets of its message, `DONE`, `TLS`, `COMPRESSION` and `LOST` what happens to the session, `=` an
/// event, `READ phase`, `TLS?`, `COMPRESSION?` and `CLOSE reason` the machine's action; `#` options.
@Suite struct IMAPClientMachineTests {
    static func dialogues() throws -> [Dialogue] {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("ClientTranscripts")
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

        /// Lines that the server sends one behind the other, as one.
        var steps: [(kind: String, rest: String)] {
            lines.map { line in
                let isSpoken = ["S:", "S!", "C:", "C!"].contains { line.hasPrefix($0) }
                let kind = isSpoken ? String(line.prefix(2)) : String(line.prefix { $0 != " " })
                return (kind, String(line.dropFirst(kind.count).drop { $0 == " " }))
            }
        }
    }

    @Test func thereAreDialogues() throws { #expect(try Self.dialogues().count >= 40) }

    @Test(arguments: try dialogues(), Feeding.allCases)
    func dialogue(_ dialogue: Dialogue, _ feeding: Feeding) throws {
        if dialogue.options.contains("whole"), feeding != .whole { return }
        var client = ClientUnderTest(dialogue.options)
        client.run()
        var said: [UInt8] = []
        for (kind, rest) in dialogue.steps {
            if kind == "S:" || kind == "S!" {
                let octets = ClientUnderTest.unescape(rest) + (kind == "S:" ? [13, 10] : [])
                if feeding == .whole { said += octets } else { client.receive(octets, feeding) }
                continue
            }
            client.receive(said, .whole)
            said = []
            switch kind {
            case "C:", "C!":
                let sent = client.takeLine()
                #expect(sent == rest + (kind == "C:" ? "" : " (no line's end)"))
            case "=":
                let event = client.events.isEmpty ? "nothing" : client.events.removeFirst()
                #expect(event == rest)
            case "READ", "CLOSE", "TLS?", "COMPRESSION?":
                #expect(client.takeRest().isEmpty)
                #expect(client.lastAction == (rest.isEmpty ? kind : "\(kind) \(rest)"))
            default: try client.perform(kind, rest)
            }
        }
        client.receive(said, .whole)
        #expect(client.takeRest().isEmpty)
        #expect(client.events.isEmpty, "\(client.events)")
    }

    @Test func aFloodBeforeLoginIsNotListenedTo() {
        var client = ClientUnderTest(["tls"])
        client.run()
        client.receive(Array("* OK hello\r\n".utf8), .whole)
        for _ in 0..<10_000 where !client.lastAction.hasPrefix("CLOSE") {
            client.receive(Array("* OK and another thing\r\n".utf8), .whole)
        }
        #expect(client.lastAction == "CLOSE tooMuchBeforeLogin")
    }

    @Test func aServerThatOnlyTalksNonsenseIsGivenUp() {
        var client = ClientUnderTest(["ready"])
        client.run()
        client.becomeReady()
        for _ in 0..<1_000 where !client.lastAction.hasPrefix("CLOSE") {
            client.receive(Array("* 1 FETCH (UID (\r\n".utf8), .whole)
        }
        #expect(client.lastAction == "CLOSE tooManyUnreadable")
    }

    @Test func aPasswordThatNoStringHoldsIsNotSent() throws {
        var client = ClientUnderTest(["tls", "badpassword"])
        client.run()
        client.receive(Array("* OK [CAPABILITY IMAP4rev1] hello\r\n".utf8), .whole)
        #expect(client.lastAction == "CLOSE noCommonMechanism")
        #expect(client.takeRest().isEmpty)
    }
}

/// A machine with an owner that does what a test tells it to.
struct ClientUnderTest: ~Copyable {
    var machine: IMAPClientMachine
    var input = ByteBuffer()
    var output = ByteBuffer()
    var events: [String] = []
    var lastAction = ""
    /// By the tags of the commands.
    var commands: [String: IMAPClientMachine.CommandID] = [:]

    init(_ options: Set<String>) {
        var configuration = IMAPClientConfiguration { Array("rOprNGfwEbeRWgbNEkqO".utf8) }
        configuration.tls = options.contains("tls=required") ? .required : .asIs
        configuration.allowsSecretsInClear = options.contains("clear")
        configuration.usesCompression = options.contains("compress")
        if options.contains("id") {
            configuration.identification = [IMAPParameter(name: Array("name".utf8), value: Array("test".utf8))]
        }
        if options.contains("noenable") { configuration.enables = [] }
        func credentials(_ proof: SASLClientCredentials.Proof) {
            configuration.credentials = SASLClientCredentials(authenticationID: Array("user".utf8), proof: proof)
        }
        if options.contains("password") { credentials(.password(Secret(Array("pencil".utf8)))) }
        if options.contains("badpassword") { credentials(.password(Secret(Array("pen\r\ncil".utf8)))) }
        if options.contains("token") { credentials(.bearerToken(Secret(Array("tok".utf8)))) }
        machine = IMAPClientMachine(
            configuration,
            isTLS: options.contains("tls"),
            isVerified: options.contains("tls") && !options.contains("unverified")
        )
    }

    /// A session without a login, whose first command is A1.
    mutating func becomeReady(_ capabilities: String = "IMAP4rev1") {
        receive(Array("* OK [CAPABILITY \(capabilities)] hello\r\n".utf8), .whole)
        events = []
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
            case 0x5C: out.append(kind)
            default: out += [0x5C, kind]
            }
        }
        return out
    }

    mutating func receive(_ octets: [UInt8], _ feeding: Feeding) {
        guard !octets.isEmpty else { return }
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
            case .startCompression:
                lastAction = "COMPRESSION?"
                return
            case .derive(let key):
                let salted = key.password.withOctets {
                    key.hash.algorithm.derivedKey(password: $0, salt: key.salt, rounds: key.rounds)
                }
                machine.derived(salted, &output)
            case .event(let event): note(event)
            case .close(let failure):
                lastAction = "CLOSE \(failure.map(Self.text) ?? "nil")"
                return
            }
        }
    }

    private mutating func note(_ event: IMAPClientMachine.Event) {
        func tag(_ id: IMAPClientMachine.CommandID?) -> String { id.map { "A\($0.number)" } ?? "-" }
        switch event {
        case .ready: events.append("ready")
        case .response(let response, let id): events.append("\(tag(id)): \(Said.response(response))")
        case .fetch(.sectionOctets(let octets), let id):
            // Pieces become one, so that the way of feeding does not show.
            let line = "\(tag(id)): octets "
            if let last = events.last, last.hasPrefix(line) {
                events[events.count - 1] = last + Said.octets(octets)
            } else {
                events.append(line + Said.octets(octets))
            }
        case .fetch(let event, let id): events.append("\(tag(id)): \(Said.event(event).drop { $0 == " " })")
        case .unreadable(let error, _): events.append("unreadable \(error)")
        case .idling(let id): events.append("idling \(tag(id))")
        case .wantsOctets(let id, let count): events.append("wants \(tag(id)) \(count)")
        case .completed(let id, let status): events.append("completed \(tag(id)) \(Said.status(status))")
        }
    }

    mutating func perform(_ kind: String, _ rest: String) throws {
        switch kind {
        case "DO":
            let id = try machine.submit(Self.command(rest.split(separator: " ").map(String.init)), &output)
            commands["A\(id.number)"] = id
        case "SUPPLY": machine.supply(Self.unescape(rest).span, &output)
        case "DONE":
            if let id = commands[rest] { machine.endIdle(id, &output) }
        case "TLS": machine.tlsEstablished(isVerified: rest != "unverified", channelBinding: nil, &output)
        case "COMPRESSION": machine.compressionStarted(&output)
        case "LOST": machine.failed(.connectionLost(machine.phase))
        default: preconditionFailure("no such step: \(kind)")
        }
        run()
    }

    private static func command(_ words: [String]) -> IMAPCommand {
        let name = IMAPMailboxName(words.count > 1 ? words[words.count - 1] : "x", isUTF8: false)
        let uids = IMAPMessages.uids(
            IMAPNumberSet(Array((words.count > 1 ? words[1] : "1").utf8)) ?? IMAPNumberSet(1...1)
        )
        switch words[0] {
        case "noop": return .noop
        case "logout": return .logout
        case "select": return .select(IMAPSelection(name))
        case "close": return .close
        case "list": return .list(IMAPListRequest(status: words.contains("status") ? [.messages] : []))
        case "status": return .status(name, [.messages])
        case "search": return .search(IMAPSearchRequest(.all))
        case "find": return .search(IMAPSearchRequest(.text(Array(words[1].utf8))))
        case "seqsearch": return .search(IMAPSearchRequest(.all, isUID: false))
        case "fetch": return .fetch(IMAPFetchRequest(uids, [.flags]))
        case "body": return .fetch(IMAPFetchRequest(uids, [.section(IMAPSection())]))
        case "store": return .store(IMAPStoreRequest(uids, .add, IMAPFlags(MessageFlags([.seen]))))
        case "copy": return .copy(uids, to: name)
        case "move": return .move(uids, to: name)
        case "append": return .append(IMAPAppend(.inbox, octets: UInt64(words[1]) ?? 0))
        case "idle": return .idle
        case "notify": return .notify(IMAPNotifyRequest(wantsStatus: false, [.init(.personal, [.messageNew])]))
        default: preconditionFailure("no such command: \(words)")
        }
    }

    /// One line that was sent; what has no end is marked.
    mutating func takeLine() -> String {
        guard let end = output.bytes.firstIndex(of: 10) else { return takeRest() + " (no line's end)" }
        let line = output.bytes.extracting(0..<end).repairedUTF8String()
        output.consume(end + 1)
        return line.utf8.last == 13 ? String(decoding: line.utf8.dropLast(), as: UTF8.self) : "\(line) (without CR)"
    }

    mutating func takeRest() -> String {
        defer { output.removeAll() }
        return output.bytes.repairedUTF8String()
    }

    static func text(_ failure: IMAPClientFailure) -> String {
        switch failure {
        case .refused(let phase, let status): "refused \(phase.rawValue) \(Said.status(status))"
        case .bye(let status): "bye \(Said.status(status))"
        case .syntax(let phase, let error): "syntax \(phase.rawValue) \(error)"
        case .connectionLost(let phase): "lost \(phase.rawValue)"
        case .timedOut(let phase): "timeout \(phase.rawValue)"
        case .unsolicited(let phase): "unsolicited \(phase.rawValue)"
        case .preauthenticated: "preauthenticated"
        case .tlsNotOffered: "tlsNotOffered"
        case .injectedBeforeTLS: "injectedBeforeTLS"
        case .noCommonMechanism: "noCommonMechanism"
        case .authentication(let error): "authentication \(error)"
        case .tooMuchBeforeLogin: "tooMuchBeforeLogin"
        case .tooManyUnreadable: "tooManyUnreadable"
        case .badCompression: "badCompression"
        }
    }
}
