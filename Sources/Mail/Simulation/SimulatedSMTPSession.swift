// SPDX-License-Identifier: Apache-2.0

import TLS
import Wire

/// One SMTP connection (RFC 5321, with AUTH PLAIN and PIPELINING where the server is not bare); what is taken is put into
/// the inbox.
final class SimulatedSMTPSession {
    private let wire: SimulatedWire
    private let server: SimulatedServer
    private var isLoggedIn = false
    private var commands = 0
    private var recipients = 0

    init(_ wire: SimulatedWire, _ server: SimulatedServer) {
        self.wire = wire
        self.server = server
    }

    func run() async throws {
        try await wire.say("220 simulated.example ESMTP\r\n")
        while true {
            let line = try await wire.line()
            server.count { $0.commands += 1 }
            commands += 1
            let words = line.split(separator: ASCII.space, maxSplits: 1).map(Array.init)
            let verb = String(decoding: (words.first ?? []).map(ASCII.uppercased), as: UTF8.self)
            if isLoggedIn { try await disturb() }
            try await perform(verb, words.count > 1 ? words[1] : [])
            try await wire.flush()
            if verb == "QUIT" { return }
        }
    }

    private func disturb() async throws {
        if wire.does(.stopsAnswering) { try await wire.waitForever() }
        if wire.does(.cutsNowAndThen), commands % 7 == 0 { try wire.end() }
        if wire.does(.floodsBetweenAnswers) { try await wire.flood("", then: "250-More\r\n") }
        if wire.does(.saysByeAmidst) {
            try await wire.say("421 4.3.2 Shutting down\r\n")
            try wire.end()
        }
    }

    private func perform(_ verb: String, _ argument: [UInt8]) async throws {
        switch verb {
        case "EHLO" where server.configuration.isBare: wire.put("502 5.5.1 Not known here\r\n")
        case "EHLO": try await hello()
        case "HELO": wire.put("250 simulated.example\r\n")
        case "NOOP", "RSET":
            recipients = 0
            wire.put("250 2.0.0 OK\r\n")
        case "QUIT":
            if wire.does(.hangsInQuit) { try await wire.waitForever() }
            wire.put("221 2.0.0 Bye\r\n")
        case "STARTTLS": try await startTLS()
        case "AUTH": try await logIn(argument)
        case _ where wire.does(.saysBadToAll) && isLoggedIn: wire.put("500 5.5.2 What?\r\n")
        case "MAIL": wire.put("250 2.1.0 OK\r\n")
        case "RCPT": recipient()
        case "DATA": try await data()
        default: wire.put("502 5.5.1 Not known here\r\n")
        }
    }

    private func hello() async throws {
        if wire.does(.announcesWithoutEnd) { try await wire.flood("", then: "250-X-EXTENSION\r\n") }
        var names = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 67108864"]
        if server.configuration.tls != nil, !wire.isTLS, !wire.does(.lacksStartTLS) { names.append("STARTTLS") }
        names.append(wire.does(.offersNoMechanism) ? "HELP" : "AUTH PLAIN")
        wire.put("250-simulated.example\r\n")
        for name in names.dropLast() { wire.put("250-\(name)\r\n") }
        wire.put("250 \(names.last ?? "HELP")\r\n")
    }

    private func startTLS() async throws {
        guard let context = server.configuration.tls, !wire.isTLS, !wire.does(.refusesStartTLS) else {
            return wire.put("454 4.7.0 Not now\r\n")
        }
        wire.put("220 2.0.0 Begin\r\n")
        if wire.does(.injectsBehindStartTLS) { wire.put("250 2.0.0 Injected\r\n") }
        try await wire.flush()
        if wire.does(.answersStartTLSInClear) { try await wire.flood("", then: "250 Still in the clear\r\n") }
        if wire.does(.injectsBehindStartTLS) { try await wire.waitForever() }
        try await wire.startTLS(context)
    }

    private func logIn(_ argument: [UInt8]) async throws {
        let words = argument.split(separator: ASCII.space).map(Array.init)
        guard let mechanism = words.first, ASCII.equalsIgnoringCase(mechanism, "PLAIN") else {
            return wire.put("504 5.5.4 No such mechanism\r\n")
        }
        if wire.does(.challengesWithoutEnd) {
            while true {
                try await wire.say("334 \(String(repeating: "QUFB", count: 1000))\r\n")
                _ = try await wire.line()
            }
        }
        if words.count == 1 { try await wire.say("334 \r\n") }
        let response = try await words.count > 1 ? words[1] : wire.line()
        server.count { $0.clearLogins += wire.isTLS ? 0 : 1 }
        if wire.does(.hangsAtLogin) { try await wire.waitForever() }
        if wire.does(.isUnavailableAtLogin) { return wire.put("454 4.7.0 Not possible just now\r\n") }
        if wire.does(.hasTooManyConnections) {
            try await wire.say("421 4.7.0 Too many connections\r\n")
            try wire.end()
        }
        let configuration = server.configuration
        guard let offered = SimulatedLogin.plain(response), offered.name == Array(configuration.username.utf8),
            server.accepts(offered.password), !wire.does(.refusesLogin)
        else { return wire.put("535 5.7.8 That is not right\r\n") }
        server.count { $0.logins += 1 }
        isLoggedIn = true
        wire.put("235 2.7.0 Welcome\r\n")
        try await wire.flush()
        if wire.does(.cutsAfterLogin) { try wire.end() }
    }

    private func recipient() {
        if wire.does(.refusesRecipients) { return wire.put("550 5.1.1 No such user\r\n") }
        if wire.does(.defersRecipients) { return wire.put("450 4.2.0 Greylisted\r\n") }
        recipients += 1
        wire.put("250 2.1.5 OK\r\n")
    }

    private func data() async throws {
        guard recipients > 0 else { return wire.put("554 5.5.1 No valid recipients\r\n") }
        try await wire.say("354 Go on\r\n")
        if wire.does(.closesWhileSent) {
            try await wire.say("421 4.3.2 Shutting down\r\n")
            try wire.end()
        }
        var message: [UInt8] = []
        while case let line = try await wire.line(), line != [ASCII.dot] {
            message += line.first == ASCII.dot ? line.dropFirst() : line[...]
            message += [ASCII.cr, ASCII.lf]
        }
        if wire.does(.hangsAfterData) { try await wire.waitForever() }
        if wire.does(.cutsAfterData) { try wire.end() }
        if wire.does(.defersData) { return wire.put("451 4.3.0 Come again\r\n") }
        if wire.does(.isOverQuota) { return wire.put("552 5.2.2 No room\r\n") }
        server.mailbox.deliver(message)
        let taken = recipients
        server.count {
            $0.messages += 1
            $0.recipients += taken
        }
        recipients = 0
        wire.put("250 2.0.0 Taken\r\n")
    }
}
