// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import Logging
import Runtime
import Sockets
import Testing
import Transport
import Wire

/// A server with ``SampleApplication`` on a free port, for the time of one test.
struct ServerFixture: Sendable {
    let loops: EventLoopGroup
    let listener: Listener
    let observer: RecordingObserver

    static func run(
        _ change: (inout HTTPServerConfiguration) -> Void = { _ in },
        _ body: (ServerFixture) async throws -> Void
    ) async throws {
        var configuration = HTTPServerConfiguration()
        change(&configuration)
        let observer = RecordingObserver()
        var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        let server = HTTPServer(
            configuration: configuration,
            application: SampleApplication(),
            observer: observer,
            clock: Clock(now: { 784_111_777_000 }, monotonic: Clock.system.monotonic),
            logger: logger
        )
        let loops = try EventLoopGroup(count: 1)
        let listener = try Listener.bind(.loopback(port: 0), loops: loops.loops) { await server.serve($0) }
        let fixture = ServerFixture(loops: loops, listener: listener, observer: observer)
        do {
            try await body(fixture)
        } catch {
            await listener.drain(milliseconds: 100)
            loops.stop()
            throw error
        }
        await listener.drain(milliseconds: 1000)
        loops.stop()
    }

    /// Runs `dialogue` on the server's loop with a connection of its own.
    func connect<R: Sendable>(_ dialogue: @escaping @Sendable (RawClient) async throws -> R) async throws -> R {
        let loop = loops.loops[0]
        let address = listener.localAddress
        return try await Task(executorPreference: loop) {
            let client = RawClient(try await Connection.connect(to: address, on: loop, milliseconds: 2000))
            defer { client.connection.close() }
            return try await dialogue(client)
        }.value
    }

    /// Sends the text, ends the sending side, and reads all answers.
    func talk(_ text: String, step: Int = .max) async throws -> [Answer] {
        try await connect { client in
            try await client.send(text, step: step)
            client.connection.shutdownWrite()
            return try Answer.parse(try await client.readToEnd(), methods: Answer.methods(in: text))
        }
    }
}

/// One connection, in octets.
final class RawClient {
    let connection: Connection
    private var buffer = ByteBuffer()

    init(_ connection: Connection) {
        self.connection = connection
        connection.setDeadline(milliseconds: 5000)
    }

    func send(_ text: String, step: Int = .max) async throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            var piece = ByteBuffer(Array(rest.prefix(step)))
            rest = rest.dropFirst(step)
            try await connection.write(&piece)
        }
    }

    func readToEnd() async throws -> [UInt8] {
        while try await connection.read(into: &buffer) > 0 {}
        return buffer.array()
    }

    /// Reads until the text has come, and returns everything up to its end.
    func read(until text: String) async throws -> String {
        while true {
            let have = String(decoding: buffer.array(), as: UTF8.self)
            if let range = have.firstRange(of: text) {
                buffer.removeAll()
                return String(have[..<range.upperBound])
            }
            guard try await connection.read(into: &buffer) > 0 else { throw IOError.endOfStream }
        }
    }
}

/// What an answer says, as a client would read it.
struct Answer: Equatable, Sendable {
    var status: Int
    var fields: [String: String] = [:]
    var body = ""
    /// The connection ended within the body.
    var isCut = false

    struct Malformed: Error {}

    /// The methods of the requests, so far as they can be told: an answer to HEAD has no body.
    static func methods(in text: String) -> [String] {
        text.split(separator: "\r\n").filter { $0.contains(" HTTP/1.") }.map { String($0.prefix { $0 != " " }) }
    }

    static func parse(_ octets: [UInt8], methods: [String] = []) throws -> [Answer] {
        var rest = octets[...]
        var answers: [Answer] = []
        var methods = methods[...]
        while !rest.isEmpty {
            var answer = try head(&rest)
            if answer.status != 100 {
                if methods.popFirst() != "HEAD" { readBody(&answer, &rest) }
                answers.append(answer)
            }
        }
        return answers
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) throws -> String {
        guard let end = rest.firstIndex(of: 10), end > rest.startIndex, rest[end - 1] == 13 else { throw Malformed() }
        defer { rest = rest[(end + 1)...] }
        return String(decoding: rest[..<(end - 1)], as: UTF8.self)
    }

    private static func head(_ rest: inout ArraySlice<UInt8>) throws -> Answer {
        let status = try line(&rest).split(separator: " ")
        guard status.count >= 2, status[0] == "HTTP/1.1", let code = Int(status[1]) else { throw Malformed() }
        var answer = Answer(status: code)
        while case let text = try line(&rest), !text.isEmpty {
            guard let colon = text.firstIndex(of: ":") else { throw Malformed() }
            answer.fields[text[..<colon].lowercased()] = String(text[text.index(colon, offsetBy: 2)...])
        }
        return answer
    }

    private static func readBody(_ answer: inout Answer, _ rest: inout ArraySlice<UInt8>) {
        if answer.status == 204 || answer.status == 304 { return }
        if answer.fields["transfer-encoding"] == "chunked" {
            while let text = try? line(&rest), let size = Int(text, radix: 16) {
                answer.body += String(decoding: rest.prefix(size), as: UTF8.self)
                rest = rest.dropFirst(size + 2)
                if size == 0 { return }
            }
            answer.isCut = true
            rest = []
        } else {
            let length = answer.fields["content-length"].flatMap { Int($0) } ?? rest.count
            answer.isCut = rest.count < length
            answer.body = String(decoding: rest.prefix(length), as: UTF8.self)
            rest = rest.dropFirst(length)
        }
    }
}

final class RecordingObserver: HTTPObserver {
    struct Finished: Equatable, Sendable {
        var method: HTTPMethod
        var route: String?
        var status: UInt16
        var received: UInt64
        var sent: UInt64
    }

    let finishedRequests = Lock<[Finished]>([])
    let rejections = Lock<[String]>([])

    func finished(
        method: HTTPMethod,
        route: StaticString?,
        status: HTTPStatus,
        received: UInt64,
        sent: UInt64,
        nanoseconds: UInt64
    ) {
        let entry = Finished(
            method: method,
            route: route.map { "\($0)" },
            status: status.code,
            received: received,
            sent: sent
        )
        finishedRequests.withLock { $0.append(entry) }
    }

    func rejected(reason: StaticString) { rejections.withLock { $0.append("\(reason)") } }
}
