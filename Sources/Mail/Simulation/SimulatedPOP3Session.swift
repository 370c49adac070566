// SPDX-License-Identifier: Apache-2.0

import TLS
import Wire

/// One POP3 connection (RFC 1939, with CAPA, STLS and UIDL where the server is not bare) to the inbox.
final class SimulatedPOP3Session {
    private let wire: SimulatedWire
    private let server: SimulatedServer
    private var name: [UInt8] = []
    private var isLoggedIn = false
    private var commands = 0
    /// The maildrop as it was at the login.
    private var messages: [SimulatedMailbox.Message] = []
    private var deleted: Set<Int> = []

    init(_ wire: SimulatedWire, _ server: SimulatedServer) {
        self.wire = wire
        self.server = server
    }

    func run() async throws {
        try await wire.say("+OK Ready\r\n")
        while true {
            let line = try await wire.line()
            server.count { $0.commands += 1 }
            commands += 1
            var words = line.split(separator: ASCII.space, maxSplits: 2).map(Array.init)[...]
            let verb = String(decoding: (words.popFirst() ?? []).map(ASCII.uppercased), as: UTF8.self)
            if isLoggedIn { try await disturb() }
            try await perform(verb, Array(words))
            try await wire.flush()
            if verb == "QUIT" { return }
        }
    }

    private func disturb() async throws {
        if wire.does(.stopsAnswering) { try await wire.waitForever() }
        if wire.does(.cutsNowAndThen), commands % 7 == 0 { try wire.end() }
        if wire.does(.floodsBetweenAnswers) { try await wire.flood("", then: "rubbish\r\n") }
        if wire.does(.saysByeAmidst) {
            try await wire.say("-ERR [SYS/TEMP] Shutting down\r\n")
            try wire.end()
        }
    }

    private func perform(_ verb: String, _ arguments: [[UInt8]]) async throws {
        switch verb {
        case "CAPA" where !server.configuration.isBare: try await capabilities()
        case "STLS": try await startTLS()
        case "USER":
            name = arguments.first ?? []
            wire.put(wire.does(.offersNoMechanism) ? "-ERR Not here\r\n" : "+OK\r\n")
        case "PASS": try await logIn(arguments.first ?? [])
        case "QUIT": try await quit()
        case _ where !isLoggedIn: wire.put("-ERR Log in first\r\n")
        case _ where wire.does(.saysBadToAll): wire.put("-ERR What?\r\n")
        case "NOOP": wire.put("+OK\r\n")
        case "RSET":
            deleted = []
            wire.put("+OK\r\n")
        case "STAT":
            let left = messages.indices.filter { !deleted.contains($0) }
            wire.put("+OK \(left.count) \(left.reduce(0) { $0 + messages[$1].octets.count })\r\n")
        case "LIST": list(arguments) { "\(wire.does(.tellsWrongSizes) ? .max : UInt64($0.octets.count))" }
        case "UIDL" where !server.configuration.isBare && !wire.does(.lacksUIDL):
            list(arguments) { wire.does(.repeatsUIDL) ? "same" : "uid\($0.uid)" }
        case "RETR", "TOP": try await retrieve(verb, arguments)
        case "DELE":
            guard let index = index(arguments) else { return wire.put("-ERR No such message\r\n") }
            deleted.insert(index)
            wire.put("+OK\r\n")
        default: wire.put("-ERR Not known here\r\n")
        }
    }

    private func capabilities() async throws {
        if wire.does(.announcesWithoutEnd) { try await wire.flood("+OK\r\n", then: "X-CAPABILITY\r\n") }
        wire.put("+OK\r\nTOP\r\nUSER\r\nRESP-CODES\r\nPIPELINING\r\n")
        if !wire.does(.lacksUIDL) { wire.put("UIDL\r\n") }
        if server.configuration.tls != nil, !wire.isTLS, !wire.does(.lacksStartTLS) { wire.put("STLS\r\n") }
        wire.put(".\r\n")
    }

    private func startTLS() async throws {
        guard let context = server.configuration.tls, !wire.isTLS, !wire.does(.refusesStartTLS) else {
            return wire.put("-ERR Not now\r\n")
        }
        wire.put("+OK Begin\r\n")
        if wire.does(.injectsBehindStartTLS) { wire.put("+OK Injected\r\n") }
        try await wire.flush()
        if wire.does(.answersStartTLSInClear) { try await wire.flood("", then: "+OK Still in the clear\r\n") }
        if wire.does(.injectsBehindStartTLS) { try await wire.waitForever() }
        try await wire.startTLS(context)
    }

    private func logIn(_ password: [UInt8]) async throws {
        server.count { $0.clearLogins += wire.isTLS ? 0 : 1 }
        if wire.does(.hangsAtLogin) { try await wire.waitForever() }
        if wire.does(.isUnavailableAtLogin) { return wire.put("-ERR [SYS/TEMP] Not possible just now\r\n") }
        if wire.does(.isLocked) { return wire.put("-ERR [IN-USE] The maildrop is in use\r\n") }
        if wire.does(.hasTooManyConnections) { return wire.put("-ERR [LOGIN-DELAY] Too often\r\n") }
        let configuration = server.configuration
        guard name == Array(configuration.username.utf8), server.accepts(password),
            !wire.does(.refusesLogin)
        else { return wire.put("-ERR [AUTH] That is not right\r\n") }
        server.count { $0.logins += 1 }
        isLoggedIn = true
        messages = server.mailbox.folder(SimulatedMailbox.inbox)?.messages ?? []
        if wire.does(.forgetsMessages), commands % 2 == 0 { messages = messages.filter { $0.uid % 2 == 0 } }
        wire.put("+OK \(messages.count) messages\r\n")
        try await wire.flush()
        if wire.does(.cutsAfterLogin) { try wire.end() }
    }

    /// The place of a message that is named by its number.
    private func index(_ arguments: [[UInt8]]) -> Int? {
        guard let first = arguments.first, let number = StrictInteger.decimal(first, maximum: 1 << 31), number > 0,
            number <= messages.count, !deleted.contains(Int(number) - 1)
        else { return nil }
        return Int(number) - 1
    }

    private func list(_ arguments: [[UInt8]], _ text: (SimulatedMailbox.Message) -> String) {
        guard arguments.isEmpty else {
            guard let index = index(arguments) else { return wire.put("-ERR No such message\r\n") }
            return wire.put("+OK \(index + 1) \(text(messages[index]))\r\n")
        }
        wire.put("+OK\r\n")
        for index in messages.indices where !deleted.contains(index) {
            wire.put("\(index + 1) \(text(messages[index]))\r\n")
        }
        wire.put(".\r\n")
    }

    private func retrieve(_ verb: String, _ arguments: [[UInt8]]) async throws {
        guard let index = index(arguments) else { return wire.put("-ERR No such message\r\n") }
        if wire.does(.refusesRetrieval), index == 0 { return wire.put("-ERR It cannot be read\r\n") }
        wire.put("+OK\r\n")
        if wire.does(.sendsWithoutEnd) {
            try await wire.flush()
            try await wire.flood("Subject: long\r\n\r\n", then: "It goes on and on.\r\n")
        }
        var octets = messages[index].octets
        if wire.does(.changesOctets) { octets += Array("\(UInt64.random(in: 1...UInt64.max))\r\n".utf8) }
        if wire.does(.cutsInLiteral) {
            wire.put(Array(octets.prefix(octets.count / 2)))
            try await wire.flush()
            try wire.end()
        }
        let limit =
            verb == "TOP" ? arguments.dropFirst().first.flatMap { StrictInteger.decimal($0, maximum: 1 << 31) } : nil
        var bodyLines: UInt64?
        for line in Self.lines(octets) {
            if let count = bodyLines {
                if let limit, count >= limit { break }
                bodyLines = count + 1
            } else if line.isEmpty {
                bodyLines = 0
            }
            if line.first == ASCII.dot { wire.put([ASCII.dot]) }
            wire.put(Array(line))
            wire.put("\r\n")
        }
        wire.put(".\r\n")
    }

    /// Without their ends.
    private static func lines(_ octets: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines = octets.split(separator: ASCII.lf, omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { $0.last == ASCII.cr ? $0.dropLast() : $0 }
    }

    private func quit() async throws {
        if wire.does(.hangsInQuit) { try await wire.waitForever() }
        let gone = Set(deleted.map { messages[$0].uid })
        if isLoggedIn {
            server.mailbox.with { $0.folders[SimulatedMailbox.inbox]?.messages.removeAll { gone.contains($0.uid) } }
        }
        wire.put("+OK Bye\r\n")
    }
}
