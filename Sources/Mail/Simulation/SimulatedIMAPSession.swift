// SPDX-License-Identifier: Apache-2.0

import TLS
import Wire

/// One IMAP connection (RFC 3501, with IDLE, MOVE and UIDPLUS where the server is not bare).
final class SimulatedIMAPSession {
    typealias Command = SimulatedIMAPCommand

    let wire: SimulatedWire
    let server: SimulatedServer
    var mailbox: SimulatedMailbox { server.mailbox }
    /// The name of the mailbox that is selected.
    var selected: [UInt8]?
    /// UIDs by sequence number as the client knows them, and the flags it was told.
    var known: [(uid: UInt32, flags: [[UInt8]])] = []
    var isReadOnly = false
    var selections: UInt32 = 0
    private var isLoggedIn = false
    private var commands = 0
    /// The cuts of all connections before this one was made.
    private let cuts: Int

    init(_ wire: SimulatedWire, _ server: SimulatedServer) {
        self.wire = wire
        self.server = server
        cuts = server.cutsSoFar
    }

    func does(_ misbehaviour: Misbehaviour) -> Bool { wire.does(misbehaviour) }

    func run() async throws {
        if does(.greetsPreauthenticated) {
            isLoggedIn = true
            try await wire.say("* PREAUTH Somebody you are\r\n")
        } else {
            try await wire.say("* OK Ready\r\n")
        }
        while let command = try await next() {
            server.count { $0.commands += 1 }
            commands += 1
            try endIfCut()
            if isLoggedIn { try await disturb(command) }
            try await perform(command)
            try await wire.flush()
            if command.name == "LOGOUT" { return }
        }
    }

    func endIfCut() throws {
        if server.cutsSoFar > cuts { try wire.end() }
    }

    private func next() async throws -> Command? {
        var words: [Command.Word] = []
        while let literal = Command.split(try await wire.line(), into: &words) {
            if literal.isAwaited { try await wait(words) }
            words.append(.string(try await wire.octets(literal.octets)))
        }
        return Command(words) ?? Command([.atom([ASCII.asterisk]), .atom(Array("BAD".utf8))])
    }

    private func wait(_ words: [Command.Word]) async throws {
        if does(.hangsInAppend), words.contains(.atom(Array("APPEND".utf8))) { try await wire.waitForever() }
        try await wire.say("+ Go on\r\n")
    }

    /// What goes wrong whatever is asked.
    private func disturb(_ command: Command) async throws {
        if does(.stopsAnswering) { try await wire.waitForever() }
        if does(.cutsNowAndThen), commands % 7 == 0 { try wire.end() }
        if does(.floodsBetweenAnswers) { try await wire.flood("", then: "* 1 RECENT\r\n* OK Still here\r\n") }
        if does(.saysByeAmidst) {
            try await wire.say("* BYE Shutting down\r\n")
            try wire.end()
        }
    }

    func complete(_ command: Command, _ text: String = "OK Done") {
        if does(.answersWithOtherTags), isLoggedIn {
            wire.put("X999999 \(text)\r\n")
            return
        }
        wire.put(command.tag)
        wire.put(" \(text)\r\n")
        if does(.answersTwice), isLoggedIn {
            wire.put(command.tag)
            wire.put(" \(text)\r\n")
        }
    }

    private func perform(_ command: Command) async throws {
        switch command.name {
        case "CAPABILITY": try await capability(command)
        case "NOOP", "CHECK":
            if isLoggedIn { tellNews() }
            complete(command)
        case "LOGOUT":
            wire.put("* BYE So long\r\n")
            complete(command)
        case "STARTTLS": try await startTLS(command)
        case "LOGIN", "AUTHENTICATE": try await logIn(command)
        case _ where !isLoggedIn: complete(command, "BAD Log in first")
        case _ where does(.saysBadToAll): complete(command, "BAD What?")
        case "SELECT", "EXAMINE", "LIST", "LSUB", "STATUS", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE",
            "CLOSE":
            try await performOnFolders(command)
        default: try await performOnMessages(command)
        }
    }

    // MARK: Before the login

    private var offersTLS: Bool {
        server.configuration.tls != nil && !wire.isTLS && !does(.lacksStartTLS)
    }

    private func capability(_ command: Command) async throws {
        if does(.announcesWithoutEnd) { try await wire.flood("* CAPABILITY IMAP4rev1", then: " X-CAPABILITY") }
        var names = ["IMAP4rev1"]
        if offersTLS { names.append("STARTTLS") }
        if does(.offersNoMechanism) {
            names.append("LOGINDISABLED")
        } else {
            names += ["AUTH=PLAIN", "SASL-IR"]
            if server.configuration.takesTokens { names.append("AUTH=XOAUTH2") }
        }
        if !server.configuration.isBare { names += ["IDLE", "MOVE", "UIDPLUS"] }
        wire.put("* CAPABILITY \(names.joined(separator: " "))\r\n")
        complete(command)
    }

    private func startTLS(_ command: Command) async throws {
        guard let context = server.configuration.tls, offersTLS, !does(.refusesStartTLS) else {
            return complete(command, "NO Not now")
        }
        complete(command, "OK Begin")
        if does(.injectsBehindStartTLS) { wire.put("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] Injected\r\n") }
        try await wire.flush()
        if does(.answersStartTLSInClear) { try await wire.flood("", then: "* OK Still in the clear\r\n") }
        if does(.injectsBehindStartTLS) { try await wire.waitForever() }
        try await wire.startTLS(context)
    }

    private func logIn(_ command: Command) async throws {
        var command = command
        let offered: (name: [UInt8], password: [UInt8])?
        if command.name == "LOGIN" {
            offered = command.octets().flatMap { name in command.octets().map { (name, $0) } }
        } else {
            let mechanism = command.atom()
            guard mechanism == "PLAIN" || mechanism == "XOAUTH2" && server.configuration.takesTokens else {
                return complete(command, "NO No such mechanism")
            }
            if does(.challengesWithoutEnd) {
                while true {
                    try await wire.say("+ \(String(repeating: "QUFB", count: 1000))\r\n")
                    _ = try await wire.line()
                }
            }
            if command.words.isEmpty { try await wire.say("+ \r\n") }
            let response = try await command.words.isEmpty ? wire.line() : command.octets() ?? []
            offered = mechanism == "PLAIN" ? SimulatedLogin.plain(response) : SimulatedLogin.xoauth2(response)
        }
        server.count { $0.clearLogins += wire.isTLS ? 0 : 1 }
        if does(.hangsAtLogin) { try await wire.waitForever() }
        if does(.isUnavailableAtLogin) { return complete(command, "NO [UNAVAILABLE] Not possible just now") }
        if does(.hasTooManyConnections) { return complete(command, "NO [LIMIT] Too many connections") }
        let configuration = server.configuration
        guard let offered, offered.name == Array(configuration.username.utf8),
            server.accepts(offered.password), !does(.refusesLogin)
        else { return complete(command, "NO [AUTHENTICATIONFAILED] That is not right") }
        server.count { $0.logins += 1 }
        isLoggedIn = true
        if does(.cutsAfterLogin) {
            complete(command)
            try await wire.flush()
            try wire.end()
        }
        complete(command)
    }
}

/// What is common to the protocols' ways to log in.
enum SimulatedLogin {
    /// Name and password of an answer to SASL PLAIN (RFC 4616).
    static func plain(_ response: [UInt8]) -> (name: [UInt8], password: [UInt8])? {
        guard let message = Base64.decode(response.span) else { return nil }
        let parts = message.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        return (Array(parts[1]), Array(parts[2]))
    }

    /// Name and access token of `user=` name ^A `auth=Bearer ` token ^A ^A.
    static func xoauth2(_ response: [UInt8]) -> (name: [UInt8], password: [UInt8])? {
        guard let message = Base64.decode(response.span) else { return nil }
        let parts = message.split(separator: 1, omittingEmptySubsequences: false)
        let (user, token) = (Array("user=".utf8), Array("auth=Bearer ".utf8))
        guard parts.count == 4, parts[0].starts(with: user), parts[1].starts(with: token) else { return nil }
        return (Array(parts[0].dropFirst(user.count)), Array(parts[1].dropFirst(token.count)))
    }
}
