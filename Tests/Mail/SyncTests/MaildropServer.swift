// SPDX-License-Identifier: Apache-2.0

import Runtime
import Sockets
import Transport
import Wire

/// A POP3 server with one maildrop, which does what a test wants.
final class MaildropServer: Sendable {
    struct Message: Hashable, Sendable {
        var uid: String
        var octets: [UInt8]
        /// What LIST says of it, where that is not true.
        var told: Int?

        init(_ uid: String, _ text: String, told: Int? = nil) {
            self.uid = uid
            octets = Array(text.utf8)
            self.told = told
        }
    }

    enum Answer: Sendable {
        /// As it should be.
        case right
        case say(String)
        case drop
    }

    /// What becomes of QUIT.
    enum Quit: Sendable {
        case right
        /// The connection breaks before anything is deleted, or after.
        case dropBefore, dropAfter
    }

    struct Script: Sendable {
        var capabilities = ["USER", "UIDL", "RESP-CODES"]
        var hasUniqueIDs = true
        /// To PASS, by how many came.
        var login: @Sendable (Int) -> Answer = { _ in .right }
        /// To RETR, by unique-id and how often that was asked for.
        var retrieve: @Sendable (String, Int) -> Answer = { _, _ in .right }
        /// By how many sessions were ended.
        var quit: @Sendable (Int) -> Quit = { _ in .right }
    }

    private struct State {
        var messages: [Message]
        var script: Script
        var logins = 0
        var quits = 0
        var retrieved: [String] = []
        var sessions = 0
        var mostSessions = 0
    }

    private let listener: Listener
    private let state: Lock<State>

    init(_ messages: [Message], _ script: Script, loops: [EventLoop]) throws {
        let state = Lock(State(messages: messages, script: script))
        self.state = state
        listener = try Listener.bind(.loopback(port: 0), loops: loops) { connection in
            try? await Dialogue(connection, state).run()
        }
    }

    var port: UInt16 { listener.localAddress.port ?? 0 }
    var uids: [String] { state.withLock { $0.messages.map(\.uid) } }
    /// Unique-ids of all that was asked for, in its order.
    var retrieved: [String] { state.withLock { $0.retrieved } }
    var logins: Int { state.withLock { $0.logins } }
    /// That were logged in at one time.
    var mostSessions: Int { state.withLock { $0.mostSessions } }

    func add(_ message: Message) { state.withLock { $0.messages.append(message) } }
    func change(_ body: (inout [Message]) -> Void) { state.withLock { body(&$0.messages) } }
    func script(_ body: (inout Script) -> Void) { state.withLock { body(&$0.script) } }
    func stop() async { await listener.drain(milliseconds: 0) }

    private final class Dialogue {
        private let connection: Connection
        private let state: Lock<State>
        private var input = ByteBuffer()
        /// As they were at the login.
        private var messages: [Message] = []
        private var marked: Set<Int> = []
        private var isIn = false

        private struct Over: Error {}

        init(_ connection: Connection, _ state: Lock<State>) {
            self.connection = connection
            self.state = state
            connection.setDeadline(milliseconds: 60_000)
        }

        func run() async throws {
            defer { if isIn { state.withLock { $0.sessions -= 1 } } }
            try await say("+OK ready")
            while true { try await obey(try await line()) }
        }

        private func obey(_ line: String) async throws {
            let words = line.split(separator: " ").map(String.init)
            let number = words.count > 1 ? Int(words[1]) ?? 0 : 0
            switch words.first ?? "" {
            case "CAPA": try await list(state.withLock { $0.script.capabilities })
            case "USER", "NOOP": try await say("+OK")
            case "PASS": try await logIn()
            case "STAT":
                try await say("+OK \(messages.count) \(messages.reduce(0) { $0 + ($1.told ?? $1.octets.count) })")
            case "LIST":
                try await list(messages.enumerated().map { "\($0 + 1) \($1.told ?? $1.octets.count)" })
            case "UIDL":
                guard state.withLock({ $0.script.hasUniqueIDs }) else { return try await say("-ERR what is that?") }
                try await list(messages.enumerated().map { "\($0 + 1) \($1.uid)" })
            case "RETR": try await retrieve(number)
            case "DELE":
                guard messages.indices.contains(number - 1) else { return try await say("-ERR no such message") }
                marked.insert(number - 1)
                try await say("+OK")
            case "QUIT": try await quit()
            default: try await say("-ERR what?")
            }
        }

        private func logIn() async throws {
            let answer = state.withLock { state in
                state.logins += 1
                return state.script.login(state.logins)
            }
            guard try await isRight(answer) else { return }
            messages = state.withLock { state in
                state.sessions += 1
                state.mostSessions = max(state.mostSessions, state.sessions)
                return state.messages
            }
            isIn = true
            try await say("+OK in")
        }

        private func retrieve(_ number: Int) async throws {
            guard messages.indices.contains(number - 1) else { return try await say("-ERR no such message") }
            let message = messages[number - 1]
            let answer = state.withLock { state in
                state.retrieved.append(message.uid)
                return state.script.retrieve(message.uid, state.retrieved.count { $0 == message.uid })
            }
            guard try await isRight(answer) else { return }
            var output = ByteBuffer(Array("+OK\r\n".utf8))
            var isLineStart = true
            for octet in message.octets {
                if isLineStart, octet == ASCII.dot { output.append(ASCII.dot) }
                output.append(octet)
                isLineStart = octet == ASCII.lf
            }
            output.append(Array((isLineStart ? ".\r\n" : "\r\n.\r\n").utf8))
            try await connection.write(&output)
        }

        private func quit() async throws {
            let kind = state.withLock { state in
                state.quits += 1
                return state.script.quit(state.quits)
            }
            if case .dropBefore = kind { throw Over() }
            let gone = Set(marked.map { messages[$0] })
            state.withLock { state in state.messages.removeAll { gone.contains($0) } }
            if case .dropAfter = kind { throw Over() }
            try await say("+OK bye")
            throw Over()
        }

        private func isRight(_ answer: Answer) async throws -> Bool {
            switch answer {
            case .right: return true
            case .say(let text):
                try await say(text)
                return false
            case .drop: throw Over()
            }
        }

        private func list(_ lines: [String]) async throws {
            try await say((["+OK"] + lines + ["."]).joined(separator: "\r\n"))
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
