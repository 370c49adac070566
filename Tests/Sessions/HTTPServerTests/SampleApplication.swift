// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import Sockets
import Wire

/// One path for each thing that an application can do with an exchange.
struct SampleApplication: HTTPApplication {
    struct Mishap: Error {}

    func handle(_ exchange: HTTPExchange) async throws {
        switch String(decoding: exchange.path, as: UTF8.self) {
        case "/", "/favicon": try await answer(exchange, "hello")
        case "/method": try await answer(exchange, "\(exchange.method.name)")
        case "/path and query": try await answer(exchange, exchange.query.string("q") ?? "none")
        case "/authorization": try await answer(exchange, exchange.fields.contains("Authorization") ? "yes" : "no")
        case "/id": try await answer(exchange, String(decoding: exchange.requestID, as: UTF8.self))
        case "/collect": try await answer(exchange, "\(try await exchange.collectBody(limit: 1000).count)")
        case "/small-limit":
            exchange.maximumBodyOctets = 10
            var buffer = ByteBuffer()
            while try await exchange.readBody(into: &buffer) > 0 {}
            try await answer(exchange, "small")
        case "/trailers": try await trailers(exchange)
        case "/echo": try await echo(exchange)
        case "/count": try await count(exchange, length: nil)
        case "/count-exactly": try await count(exchange, length: 2890)
        case "/large":
            exchange.route = "/large"
            try await exchange.respond(HTTPResponse(.ok), body: ByteBuffer([UInt8](repeating: 0x61, count: 3_000_000)))
        case "/slow":
            try await EventLoop.current?.sleep(milliseconds: 250)
            try await answer(exchange, "slow")
        case "/empty": try await exchange.respond(HTTPResponse(.noContent))
        case "/problem": throw HTTPProblem(.conflict, "conflict", "Somebody else was here.")
        case "/mishap": throw Mishap()
        case "/silence": break
        case "/broken-stream":
            try await exchange.stream(HTTPResponse(.ok), length: nil) { writer in
                var piece = ByteBuffer(Array("part".utf8))
                try await writer.write(&piece)
                try await writer.flush()
                throw Mishap()
            }
        case "/short-stream":
            try await exchange.stream(HTTPResponse(.ok), length: 10) { writer in
                var piece = ByteBuffer(Array("part".utf8))
                try await writer.write(&piece)
            }
        default: throw HTTPProblem(.notFound, "not_found", "There is nothing here.")
        }
    }

    private func answer(_ exchange: HTTPExchange, _ text: String) async throws {
        try await exchange.respond(HTTPResponse(.ok, contentType: "text/plain"), body: ByteBuffer(Array(text.utf8)))
    }

    private func echo(_ exchange: HTTPExchange) async throws {
        try await exchange.stream(HTTPResponse(.ok), length: nil) { writer in
            var buffer = ByteBuffer()
            while try await exchange.readBody(into: &buffer) > 0 { try await writer.write(&buffer) }
        }
    }

    private func trailers(_ exchange: HTTPExchange) async throws {
        _ = try await exchange.collectBody(limit: 1000)
        try await answer(
            exchange,
            exchange.trailers.first("X-Sum").map { String(decoding: $0, as: UTF8.self) } ?? "none"
        )
    }

    /// The numbers from 0 to 999, in a piece each.
    private func count(_ exchange: HTTPExchange, length: UInt64?) async throws {
        try await exchange.stream(HTTPResponse(.ok, contentType: "text/plain"), length: length) { writer in
            for number in 0..<1000 {
                var piece = ByteBuffer()
                piece.append(decimal: number)
                try await writer.write(&piece)
            }
        }
    }
}
