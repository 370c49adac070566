// SPDX-License-Identifier: Apache-2.0

import MachineSupport
import MailTypes
import SASL
import TestSupport
import Testing
import Wire

@testable import IMAP

/// Dialogues kept as files under `ClientTranscripts`: `S:` a line the server sends (`S!` without CRLF behind it; `\r \n \0`
/// and `\xHH` are escapes), `C:` a line the client sends (`C!` what stands at the end without one), `DO` a command of the
/// owner's, `SUPPLY` octets of its message, `DONE`, `TLS`, `COMPRESSION` and `LOST` what happens to the session, `=` an
/// event, `READ phase`, `TLS?`, `COMPRESSION?` and `CLOSE reason` the machine's action; `#` options.
@Suite struct IMAPClientMachineTests {
    static func dialogues() throws -> [Dialogue] { try Dialogue.all(in: "ClientTranscripts") }

    @Test func thereAreDialogues() throws { #expect(try Self.dialogues().count >= 40) }

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
                let event = client.events.isEmpty ? "nothing" : client.events.removeFirst()
                #expect(event == rest)
            case .other(let word, let rest) where ["READ", "CLOSE", "TLS?", "COMPRESSION?"].contains(word):
                #expect(client.output.takeRest().isEmpty)
                #expect(client.lastAction == (rest.isEmpty ? word : "\(word) \(rest)"))
            case .other(let word, let rest): try client.perform(word, rest)
            }
        }
        #expect(client.output.takeRest().isEmpty)
        #expect(client.events.isEmpty, "\(client.events)")
    }

    @Test func aFloodBeforeLoginIsNotListenedTo() {
        var client = ClientUnderTest(["tls"])
        client.run()
        client.receive(Array("* OK hello\r\n".utf8))
        for _ in 0..<10_000 where !client.lastAction.hasPrefix("CLOSE") {
            client.receive(Array("* OK and another thing\r\n".utf8))
        }
        #expect(client.lastAction == "CLOSE tooMuchBeforeLogin")
    }

    @Test func aServerThatOnlyTalksNonsenseIsGivenUp() {
        var client = ClientUnderTest(["ready"])
        client.run()
        client.becomeReady()
        for _ in 0..<1_000 where !client.lastAction.hasPrefix("CLOSE") {
            client.receive(Array("* 1 FETCH (UID (\r\n".utf8))
        }
        #expect(client.lastAction == "CLOSE tooManyUnreadable")
    }

    @Test func aPasswordThatNoStringHoldsIsNotSent() throws {
        var client = ClientUnderTest(["tls", "badpassword"])
        client.run()
        client.receive(Array("* OK [CAPABILITY IMAP4rev1] hello\r\n".utf8))
        #expect(client.lastAction == "CLOSE noCommonMechanism")
        #expect(client.output.takeRest().isEmpty)
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
        configuration.credentials = SASLClientCredentials(options: options)
        machine = IMAPClientMachine(
            configuration,
            isTLS: options.contains("tls"),
            isVerified: options.contains("tls") && !options.contains("unverified")
        )
    }

    /// A session without a login, whose first command is A1.
    mutating func becomeReady(_ capabilities: String = "IMAP4rev1") {
        receive(Array("* OK [CAPABILITY \(capabilities)] hello\r\n".utf8))
        events = []
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
            case .startCompression:
                lastAction = "COMPRESSION?"
                return
            case .derive(let key):
                machine.derived(key.saltedPassword(), &output)
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
        case "SUPPLY": machine.supply(Dialogue.unescaped(rest).span, &output)
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
