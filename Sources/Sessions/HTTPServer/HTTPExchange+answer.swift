// SPDX-License-Identifier: Apache-2.0

package import HTTP
import Runtime
package import Sockets
import Transport
package import Wire

/// Writing the answer.
extension HTTPExchange {
    /// Bodies up to this are copied behind their head; larger ones are sent from where they are.
    private static var copiedOctets: Int { 16_384 }
    /// Answers to pipelined requests wait for each other up to this.
    private static var gatheredOctets: Int { 65_536 }

    /// The most that one deadline is given for.
    private static var pieceOctets: Int { 262_144 }

    private var configuration: HTTPServerConfiguration { _read { yield server.configuration } }

    /// Whether an answer was begun: there can be one only.
    package var hasResponded: Bool { answer != .none }

    /// Answers with a problem document.
    package func respond(_ problem: HTTPProblem) async throws(IOError) {
        if problem.closesConnection { keepsAlive = false }
        var document = ByteBuffer()
        problem.appendJSON(to: &document, requestID: requestID.span)
        let response = HTTPResponse(
            problem.status,
            contentType: "application/problem+json",
            fields: problem.fields
        )
        try await respond(response, body: document)
    }

    /// Answers without a body.
    package func respond(_ response: HTTPResponse) async throws(IOError) {
        try await respond(response, body: ByteBuffer())
    }

    /// Answers with these octets; for HEAD they are counted and not sent.
    package func respond(_ response: borrowing HTTPResponse, body: consuming ByteBuffer) async throws(IOError) {
        precondition(answer == .none, "a request has one answer")
        if !isBodyRead {
            do throws(HTTPProblem) { try await settleBody() } catch { return try await respond(error) }
        }
        let isBodySent = outline.method != .head && !response.status.forbidsBody
        let isCopied = isBodySent && body.count <= Self.copiedOctets
        let framing = response.status.forbidsBody ? HTTPAnswerFraming.none : .length(UInt64(body.count))
        let waiting = begin(response, framing, body.bytes.extracting(first: isCopied ? body.count : 0))
        answer = .done
        if isBodySent, !isCopied {
            sentOctets += UInt64(body.count)
            try await send(&body)
        } else if waiting >= Self.gatheredOctets {
            try await flush()
        }
    }

    /// Answers with a body that is produced as it is sent: chunked where `length` is nil, else of exactly that many octets.
    ///
    /// `produce` is not called for HEAD. Where it throws, the connection ends so that the client sees the body is cut.
    package func stream(
        _ response: HTTPResponse,
        length: UInt64?,
        _ produce: (inout HTTPBodyWriter) async throws -> Void
    ) async throws {
        precondition(answer == .none, "a request has one answer")
        if response.status.forbidsBody || outline.method == .head {
            try await settleBody()
            begin(response, response.status.forbidsBody ? .none : length.map { .length($0) } ?? .chunked)
            answer = .done
            return
        }
        let framing = length.map { HTTPAnswerFraming.length($0) } ?? (outline.minorVersion == 0 ? .close : .chunked)
        if framing == .close { keepsAlive = false }
        chunksBody = framing == .chunked
        remainingOctets = length
        begin(response, framing)
        answer = .streaming
        var writer = HTTPBodyWriter(exchange: self)
        try await produce(&writer)
        if chunksBody { output.append("0\r\n\r\n") }
        guard remainingOctets ?? 0 == 0 else { throw HTTPLengthMismatch() }
        answer = .done
    }

    func writeBody(_ buffer: inout ByteBuffer) async throws(IOError) {
        guard !buffer.isEmpty else { return }
        if let remainingOctets {
            precondition(UInt64(buffer.count) <= remainingOctets, "more octets than the answer's length")
            self.remainingOctets = remainingOctets - UInt64(buffer.count)
        }
        sentOctets += UInt64(buffer.count)
        if chunksBody { output.appendChunkSize(buffer.count) }
        if buffer.count <= Self.copiedOctets {
            output.append(buffer.bytes)
            buffer.removeAll()
        } else {
            try await send(&buffer)
        }
        if chunksBody { output.appendLineEnd() }
        if output.count >= Self.copiedOctets { try await flush() }
    }

    /// Sends what waits.
    ///
    /// The deadline stays, for whoever waits next to set another.
    func flush() async throws(IOError) {
        guard !output.isEmpty else { return }
        connection.setDeadline(milliseconds: configuration.writeStallMilliseconds)
        try await connection.write(&output)
    }

    /// Sends the answers that wait, and lets go of the memory that the connection's buffers hold: before an answer waits for
    /// something else than the client.
    package func rest() async throws(IOError) {
        try await flush()
        connection.setDeadline(milliseconds: nil)
        if output.isEmpty { output.removeAll(keepingCapacity: false) }
        if input.isEmpty { input.removeAll(keepingCapacity: false) }
    }

    /// Ends the connection at once; what is being sent fails.
    package func cut() { connection.socket.fail(.cancelled) }

    /// Sends what waits and the body behind it; a large one in pieces, each with its own deadline.
    private func send(_ body: inout ByteBuffer) async throws(IOError) {
        while body.count > Self.pieceOctets {
            output.append(body.bytes.extracting(0..<Self.gatheredOctets))
            body.consume(Self.gatheredOctets)
            try await flush()
        }
        connection.setDeadline(milliseconds: configuration.writeStallMilliseconds)
        try await connection.write(&output, &body)
    }

    /// Writes the head, and a small body, behind what waits to be sent; returns how much waits now.
    ///
    /// The buffer is taken out of the exchange meanwhile, because each touch of it there is checked for exclusivity.
    @discardableResult
    private func begin(
        _ response: borrowing HTTPResponse,
        _ framing: HTTPAnswerFraming,
        _ body: Span<UInt8> = Span()
    ) -> Int {
        status = response.status
        if connection.isDraining { keepsAlive = false }
        var buffer = ByteBuffer()
        swap(&buffer, &output)
        let before = buffer.count
        let date = loop.dateLine(connection.loop.now, server.clock)
        buffer.appendHead(response, framing: framing, dateLine: date, requestID: requestID(forOutput: ()))
        if !server.origins.isEmpty || isOriginAllowed { appendCORS(to: &buffer) }
        if !addedLines.isEmpty { buffer.append(addedLines.bytes) }
        if keepsAlive, outline.minorVersion == 1 {
            buffer.append("\r\n")
        } else {
            buffer.append(keepsAlive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n")
        }
        buffer.append(body)
        let waiting = buffer.count
        sentOctets += UInt64(waiting - before)
        swap(&buffer, &output)
        return waiting
    }

    private func appendCORS(to buffer: inout ByteBuffer) {
        buffer.append("Vary: Origin\r\n")
        guard isOriginAllowed, let origin else { return }
        buffer.append("Access-Control-Allow-Origin: ")
        buffer.append(origin)
        if !server.exposedFields.isEmpty {
            buffer.append("\r\nAccess-Control-Expose-Headers: ")
            buffer.append(server.exposedFields)
        }
        buffer.append("\r\n")
    }
}

/// Sends the body of a streamed answer.
package struct HTTPBodyWriter: ~Copyable {
    let exchange: HTTPExchange

    /// Sends and consumes the octets; small runs wait for more until ``flush()``.
    ///
    /// An ``IOError`` means that the client has gone.
    package mutating func write(_ buffer: inout ByteBuffer) async throws(IOError) {
        try await exchange.writeBody(&buffer)
        // The producer may wait for something else now, as long as it likes.
        if exchange.output.isEmpty { exchange.connection.setDeadline(milliseconds: nil) }
    }

    /// Sends what waits.
    ///
    /// Call it before waiting for anything.
    package mutating func flush() async throws(IOError) {
        try await exchange.flush()
        exchange.connection.setDeadline(milliseconds: nil)
    }
}

extension HTTPBodyWriter {
    /// As ``flush()``, and lets go of the memory that the connection's buffers hold: before a wait that may be long.
    package mutating func rest() async throws(IOError) { try await exchange.rest() }
}

/// A streamed answer ended before the length it had announced.
package struct HTTPLengthMismatch: Error {}
