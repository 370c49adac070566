// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import Transport
import Wire

/// A server that takes mail, or does not, as a test wants.
final class MailTaker: Sendable {
    /// What it does when a command has come.
    enum Answer: Sendable {
        case say(String)
        /// Says this and closes.
        case hangUp(String)
        /// Closes without a word.
        case drop
        /// Says nothing, as long as the other side stays.
        case silent
    }

    struct Taken: Hashable, Sendable {
        let recipients: [String]
        let text: String
    }

    struct Script: Sendable {
        /// The greeting of the n-th connection, from 1.
        var greeting: @Sendable (Int) -> Answer = { _ in .say("220 taker.example ESMTP") }
        var extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8"]
        var auth: @Sendable () -> Answer = { .say("235 2.7.0 in") }
        /// To RCPT, by the address and how often it was asked for.
        var rcpt: @Sendable (String, Int) -> Answer = { _, _ in .say("250 2.1.5 ok") }
        /// To the end of a text, by its subject and how often it came.
        var final: @Sendable (String, Int) -> Answer = { _, _ in .say("250 2.0.0 taken") }
    }

    private struct State {
        var taken: [Taken] = []
        var connections = 0
        var logins = 0
        var asked: [String: Int] = [:]
        var ended: [String: Int] = [:]
        var open = 0
        var mostOpen = 0
    }

    let listener: Listener
    private let state: Lock<State>

    init(_ script: Script, loops: [EventLoop]) throws {
        let state = Lock(State())
        self.state = state
        listener = try Listener.bind(.loopback(port: 0), loops: loops) { connection in
            let number = state.withLock { state in
                state.connections += 1
                state.open += 1
                state.mostOpen = max(state.mostOpen, state.open)
                return state.connections
            }
            try? await Dialogue(connection, script, state).run(number)
            state.withLock { $0.open -= 1 }
        }
    }

    var port: UInt16 { listener.localAddress.port ?? 0 }
    /// What it has taken: said yes to, or said nothing to the end of.
    var taken: [Taken] { state.withLock { $0.taken } }
    var connections: Int { state.withLock { $0.connections } }
    var mostOpen: Int { state.withLock { $0.mostOpen } }
    var logins: Int { state.withLock { $0.logins } }

    private final class Dialogue {
        private let connection: Connection
        private let script: Script
        private let state: Lock<State>
        private var input = ByteBuffer()
        private var recipients: [String] = []

        private struct Over: Error {}

        init(_ connection: Connection, _ script: Script, _ state: Lock<State>) {
            self.connection = connection
            self.script = script
            self.state = state
            connection.setDeadline(milliseconds: 60_000)
        }

        func run(_ number: Int) async throws {
            try await answer(script.greeting(number))
            while true { try await obey(try await line()) }
        }

        private func obey(_ line: String) async throws {
            switch line.prefix(4).uppercased() {
            case "EHLO":
                let lines = ["taker.example"] + script.extensions
                for (index, text) in lines.enumerated() {
                    try await say("250\(index == lines.count - 1 ? " " : "-")\(text)")
                }
            case "AUTH":
                state.withLock { $0.logins += 1 }
                try await answer(script.auth())
            case "MAIL":
                recipients = []
                try await say("250 2.1.0 ok")
            case "RCPT":
                let address = String(line.dropFirst(9).prefix { $0 != ">" })
                let turn = state.withLock { state in
                    state.asked[address, default: 0] += 1
                    return state.asked[address] ?? 0
                }
                let reply = script.rcpt(address, turn)
                if case .say(let text) = reply, text.hasPrefix("2") { recipients.append(address) }
                try await answer(reply)
            case "DATA":
                guard !recipients.isEmpty else { return try await say("554 5.5.1 nobody to take it") }
                try await say("354 go")
                try await take()
            case "RSET": try await say("250 2.0.0 ok")
            case "QUIT":
                try await say("221 2.0.0 bye")
                throw Over()
            default: try await say("500 5.5.2 what?")
            }
        }

        private func take() async throws {
            var text = ""
            while case let line = try await line(), line != "." { text += line + "\n" }
            let subject =
                text.split(separator: "\n").first { $0.hasPrefix("Subject: ") }.map { String($0.dropFirst(9)) } ?? ""
            let turn = state.withLock { state in
                state.ended[subject, default: 0] += 1
                return state.ended[subject] ?? 0
            }
            let reply = script.final(subject, turn)
            let isTaken: Bool
            switch reply {
            case .say(let words), .hangUp(let words): isTaken = words.hasPrefix("2")
            case .drop, .silent: isTaken = true
            }
            if isTaken { state.withLock { $0.taken.append(Taken(recipients: recipients, text: text)) } }
            try await answer(reply)
        }

        private func answer(_ answer: Answer) async throws {
            switch answer {
            case .say(let text): try await say(text)
            case .hangUp(let text):
                try await say(text)
                throw Over()
            case .drop: throw Over()
            case .silent: _ = try await line()
            }
        }

        private func say(_ text: String) async throws {
            var output = ByteBuffer(Array((text + "\r\n").utf8))
            try await connection.write(&output)
        }

        private func line() async throws -> String {
            while true {
                if let end = input.bytes.firstIndex(of: ASCII.lf) {
                    let line = input.bytes.extracting(0..<end).repairedUTF8String()
                    input.consume(end + 1)
                    return line.hasSuffix("\r") ? String(line.dropLast()) : line
                }
                guard try await connection.read(into: &input) > 0 else { throw Over() }
            }
        }
    }
}
