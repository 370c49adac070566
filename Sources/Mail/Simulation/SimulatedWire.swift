// SPDX-License-Identifier: Apache-2.0

import Sockets
import TLS
import Transport
import Wire

/// One connection of a simulated server: lines and octets, and what goes wrong with them in any protocol.
final class SimulatedWire {
    struct Ended: Error {}

    let connection: Connection
    let misbehaviours: Set<Misbehaviour>
    private var input = ByteBuffer()
    private var output = ByteBuffer()
    private static let longest = 64 << 20

    init(_ connection: Connection, _ misbehaviours: Set<Misbehaviour>) {
        self.connection = connection
        self.misbehaviours = misbehaviours
        connection.setDeadline(milliseconds: nil)
    }

    var isTLS: Bool { connection.isTLS }

    func does(_ misbehaviour: Misbehaviour) -> Bool { misbehaviours.contains(misbehaviour) }

    /// Whether the connection is one that a protocol can be spoken on.
    func isGreeted(_ service: SimulatedServer.Service) async throws -> Bool {
        if does(.closesAtOnce) { return false }
        if does(.saysNothing) { try await waitForever() }
        if does(.greetsWithoutEnd) { try await flood(service == .imap ? "* OK " : "220-", then: "x") }
        if does(.sendsZeros) { try await flood("", then: "\0") }
        if does(.speaksHTTP) {
            try await say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return false
        }
        if does(.greetsWithRefusal) {
            let words = "Too busy, come again later"
            switch service {
            case .imap: try await say("* BYE \(words)\r\n")
            case .pop3: try await say("-ERR [SYS/TEMP] \(words)\r\n")
            case .smtp: try await say("421 4.3.2 \(words)\r\n")
            }
            return false
        }
        return true
    }

    // MARK: Saying

    func put(_ text: String) { output.append(utf8: text) }

    func put(_ octets: [UInt8]) { output.append(octets) }

    func say(_ text: String) async throws {
        put(text)
        try await flush()
    }

    func flush() async throws {
        var octets = output.array()
        output.removeAll()
        if does(.endsLinesWithLF) { octets.removeAll { $0 == ASCII.cr } }
        if does(.sendsNUL), let end = octets.firstIndex(of: ASCII.cr) { octets.insert(0, at: end) }
        if does(.drips) {
            for octet in octets {
                try await send([octet])
                try await connection.loop.sleep(milliseconds: 200)
            }
        } else {
            try await send(octets)
        }
    }

    private func send(_ octets: [UInt8]) async throws {
        var buffer = ByteBuffer(octets)
        try await connection.write(&buffer)
    }

    /// Until the client is gone.
    func flood(_ beginning: String, then text: String) async throws {
        try await send(Array(beginning.utf8))
        let octets = Array(String(repeating: text, count: 1 + 16_384 / max(1, text.utf8.count)).utf8)
        while true { try await send(octets) }
    }

    /// Until the client is gone.
    func waitForever() async throws -> Never {
        while true {
            try await fill()
            input.removeAll()
        }
    }

    func startTLS(_ context: TLSServerContext) async throws {
        try await connection.startTLS(context, unread: input)
    }

    func end() throws -> Never {
        connection.close()
        throw Ended()
    }

    // MARK: Hearing

    /// The next line without its end.
    func line() async throws -> [UInt8] {
        var searched = 0
        while true {
            if let end = input.bytes.firstIndex(of: ASCII.lf, from: searched) {
                var line = input.bytes.extracting(0..<end).array()
                input.consume(end + 1)
                if line.last == ASCII.cr { line.removeLast() }
                return line
            }
            searched = input.count
            guard searched < Self.longest else { throw Ended() }
            try await fill()
        }
    }

    func octets(_ count: Int) async throws -> [UInt8] {
        guard count <= Self.longest else { throw Ended() }
        while input.count < count { try await fill() }
        let octets = input.bytes.extracting(0..<count).array()
        input.consume(count)
        return octets
    }

    /// Whether something came within the time.
    func hears(within milliseconds: Int) async throws -> Bool {
        guard input.isEmpty else { return true }
        connection.setDeadline(milliseconds: milliseconds)
        defer { connection.setDeadline(milliseconds: nil) }
        do throws(IOError) {
            guard try await connection.read(into: &input) > 0 else { throw IOError.closed }
            return true
        } catch {
            if error == .timeout { return false }
            throw error
        }
    }

    private func fill() async throws {
        guard try await connection.read(into: &input) > 0 else { throw Ended() }
    }
}
