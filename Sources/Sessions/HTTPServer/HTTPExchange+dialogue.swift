// SPDX-License-Identifier: Apache-2.0

import HTTP
import Logging
import Runtime
import Sockets
import Transport
import Wire

/// The driver of a connection while it is busy: reads heads, calls the application, writes the answers in order.
///
///     head whole ─→ prepare ─→ application ─→ answer in `output` ─→ rest of the body ─→ next head
///                                                  └─ sent when no whole head is left in `input`
extension HTTPExchange {
    enum Outcome { case idle, closed }

    private var configuration: HTTPServerConfiguration { _read { yield server.configuration } }

    /// Reads and serves what has come, until nothing is left of it (``Outcome/idle``) or the connection has ended.
    func run() async -> Outcome {
        let outcome = (try? await serveRequests()) ?? .closed
        if outcome == .closed || receivedOctets > Self.keptOctets || sentOctets > Self.keptOctets { tidy() }
        return outcome
    }

    /// Buffers that grew beyond this are not kept.
    private static var keptOctets: Int { 65_536 }

    private func tidy() {
        parser.reset()
        input.removeAll(keepingCapacity: input.capacity <= Self.keptOctets)
        output.removeAll(keepingCapacity: output.capacity <= Self.keptOctets)
    }

    private func serveRequests() async throws(IOError) -> Outcome {
        var isHeadTimed = false
        // Nearly always what woke us is there: then nothing needs to be able to wait.
        var count = try connection.readNow(into: &input)
        if count == nil { count = try await connection.read(into: &input) }
        guard count != 0 else { return .closed }
        while true {
            let length: Int?
            do throws(HTTPProblem) { length = try parser.parse(input.bytes) } catch { return try await refuse(error) }
            if let length {
                isHeadTimed = false
                input.consume(length)
                guard try await serveRequest() else { return .closed }
                parser.reset()
                if !input.isEmpty { continue }
                try await sendAll()
                return .idle
            }
            try await flush()
            // Empty lines before a request are no request.
            if input.isEmpty { return .idle }
            if !isHeadTimed { connection.setDeadline(milliseconds: configuration.headerMilliseconds) }
            isHeadTimed = true
            do throws(IOError) {
                guard try await connection.read(into: &input) > 0 else { return try await refuse(.badBodyEnd) }
            } catch .timeout {
                return try await refuse(.headerTimeout)
            }
        }
    }

    /// As ``flush()``; nearly always the kernel takes it all, and then nothing needs to be able to wait.
    @inline(__always)
    private func sendAll() async throws(IOError) {
        guard !output.isEmpty else { return }
        // The application may have taken longer than the deadline that was set: a new one lets the answer out.
        connection.setDeadline(milliseconds: configuration.writeStallMilliseconds)
        if try !connection.writeNow(&output) { try await flush() }
    }

    /// Answers a message whose head could not be read, and ends the connection.
    private func refuse(_ problem: HTTPProblem) async throws(IOError) -> Outcome {
        server.observer?.rejected(reason: problem.code)
        parser.abandon()
        beginRequest()
        keepsAlive = false
        isBodyRead = true
        try await respond(problem)
        try await end(lingering: true)
        return .closed
    }

    /// Sends what is left and closes, where need be `lingering`, so that the last answer is not lost to a reset.
    private func end(lingering: Bool) async throws(IOError) {
        try await flush()
        if lingering { await connection.closeLingering() } else { connection.close() }
    }

    private func beginRequest() {
        outline = parser.head.outline
        keepsAlive = outline.keepsAlive
        receivedOctets = 0
        windowOctets = 0
        windowNanoseconds = 0
        isContinued = false
        if !decodedQuery.isEmpty { decodedQuery = QueryParameters() }
        template = nil
        bodyLimit = configuration.maximumBodyOctets
        isOriginAllowed = false
        if madeRequestID != nil { madeRequestID = nil }
        if !addedLines.isEmpty { addedLines.removeAll() }
        if callerName != nil { callerName = nil }
        isPathSecret = false
        answer = .none
        sentOctets = 0
        chunksBody = false
        remainingOctets = nil
        isWatched = false
    }

    /// False when the connection has ended, or must.
    private func serveRequest() async throws(IOError) -> Bool {
        beginRequest()
        let started = server.measures ? server.clock.monotonic() : 0
        isBodyRead = outline.framing == .none
        if !isBodyRead { body = HTTPBodyDecoder(outline.framing, limits: configuration.requestLimits) }
        do {
            let isAnswered = try isPlain() ? false : await prepare()
            if !isAnswered { try await server.application.handle(self) }
            if answer == .none { throw HTTPProblem.unforeseen }
        } catch let error as IOError {
            throw error
        } catch {
            try await respond(toFailure: error)
        }
        guard answer == .done else {
            server.observer?.rejected(reason: "answer_cut")
            return false
        }
        let canGoOn = isBodyRead ? keepsAlive : try await drainBody()
        if isWatched { connection.onInterruption(nil) }
        if server.measures { report(started) }
        if !canGoOn { try await end(lingering: mayComeMore) }
        return canGoOn
    }

    /// A client that asked for the end itself should send nothing more (RFC 9112 §9.6).
    ///
    /// One that does so all the same gets its answer: what leaves in the first flight arrives before any reset, a larger
    /// answer would be cut off by it.
    private var mayComeMore: Bool {
        outline.keepsAlive || !isBodyRead || !input.isEmpty || connection.hasInput
            || sentOctets > Self.firstFlightOctets
    }
    private static var firstFlightOctets: UInt64 { 8_192 }

    private func respond(toFailure error: any Error) async throws(IOError) {
        let problem = error as? HTTPProblem
        if answer != .none || problem == nil { logFailure(error) }
        if answer == .none { try await respond(problem ?? .unforeseen) }
    }

    private func logFailure(_ error: any Error) {
        server.logger.error(
            "request failed",
            metadata: [
                "request_id": "\(String(decoding: requestID, as: UTF8.self))", "error": "\(error)",
                "route": "\(template.map { "\($0)" } ?? "-")",
            ]
        )
    }

    private func report(_ started: UInt64) {
        let duration = server.clock.monotonic() &- started
        server.observer?.finished(
            method: outline.method,
            route: template,
            status: status,
            received: receivedOctets,
            sent: sentOctets,
            nanoseconds: duration
        )
        if server.logsRequests { logRequest(duration) }
    }

    /// The path is as it came, so that what was asked can be seen, unless it has a secret in it; a query is not written, since it
    /// may hold what people look for.
    private func logRequest(_ duration: UInt64) {
        let route: Logger.MetadataValue = "\(template.map { "\($0)" } ?? "-")"
        var facts: Logger.Metadata = [
            "request_id": "\(String(decoding: requestID, as: UTF8.self))",
            "method": "\(outline.method.name)", "route": route,
            "path": isPathSecret ? route : "\(path.span.repairedUTF8String())",
            "code": .stringConvertible(status.code), "received": .stringConvertible(receivedOctets),
            "sent": .stringConvertible(sentOctets), "duration_us": .stringConvertible(duration / 1000),
            "remote": "\(connection.peer)",
        ]
        if let callerName { facts["token"] = "\(callerName)" }
        server.accessLogger.log(level: server.accessLevel, "request", metadata: facts)
    }

    // MARK: What is decided before the application sees the request

    /// Whether nothing but the host needs to be looked at, as for most requests.
    private func isPlain() throws(HTTPProblem) -> Bool {
        if !server.hosts.isEmpty { try checkHost() }
        guard !outline.hasQuery, outline.originLine == nil, outline.framing != .chunked else {
            return false
        }
        switch outline.method {
        case .get, .head, .post, .put, .patch, .delete, .options, .trace, .query: return true
        case .connect, .other: return false
        }
    }

    /// True when the request was answered.
    private func prepare() async throws -> Bool {
        if let text = parser.head.query, !text.isEmpty { decodedQuery = try QueryParameters(parsing: text.span) }
        if let origin { isOriginAllowed = isListed(origin) }
        switch outline.method {
        case .connect, .other: throw HTTPProblem.unknownMethod
        case .options:
            if isOriginAllowed, parser.head.fields.contains("Access-Control-Request-Method") {
                try await respondToPreflight()
                return true
            }
            try await checkFrame()
            return false
        case .get, .head:
            try await checkFrame()
            return false
        // TRACE and QUERY are known and served nowhere: the application answers 405, with those methods that are.
        case .post, .put, .patch, .delete, .trace, .query: return false
        }
    }

    /// A chunked body has no meaning here (RFC 9110 §9.3.1), but a frame, which must be right: it is read and forgotten.
    private func checkFrame() async throws(HTTPProblem) {
        if outline.framing == .chunked { try await settleBody() }
    }

    /// A name that is not ours is a page in somebody's browser that made its own name point here.
    private func checkHost() throws(HTTPProblem) {
        let head = parser.head.host
        let host = head.span
        let last = loop.lastHost
        if host.count > 0, host.equals(last.span) { return }
        var colon = host.count
        if host.count > 0, host[host.count - 1] != ASCII.closeBracket {
            while colon > 0, host[colon - 1] != ASCII.colon { colon -= 1 }
            colon = colon > 0 ? colon - 1 : host.count
        }
        for own in server.hosts
        where ASCII.equalsIgnoringCase(host, own.span)
            || ASCII.equalsIgnoringCase(host.extracting(0..<colon), own.span)
        {
            loop.lastHost = Array(head)
            return
        }
        throw .misdirected
    }

    private func isListed(_ origin: ArraySlice<UInt8>) -> Bool { server.origins.contains { $0[...] == origin } }

    private func respondToPreflight() async throws(IOError) {
        var response = HTTPResponse(.noContent)
        response.fields.add("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
        let allowed = configuration.allowedFields.joined(separator: ", ")
        do throws(HTTPFields.UnsafeValue) {
            try response.fields.add("Access-Control-Allow-Headers", allowed.utf8)
        } catch { preconditionFailure("a configured field name holds a control") }
        response.fields.add("Access-Control-Max-Age", "600")
        try await respond(response, body: ByteBuffer())
    }

    // MARK: The request's identity

    /// `X-Request-Id`: the client's where that is 1…128 of letters, digits and `-._~+/=:`, else ours.
    package var requestID: [UInt8] {
        if let clientRequestID { return Array(clientRequestID) }
        if let madeRequestID { return madeRequestID }
        let made = loop.nextRequestID()
        madeRequestID = made
        return made
    }

    /// The client's own, where it is fit to be echoed and logged.
    private var clientRequestID: ArraySlice<UInt8>? {
        guard let line = outline.requestIDLine else { return nil }
        let value = parser.head.fields.value(at: line)
        guard (1...128).contains(value.count), value.allSatisfy(Self.mayIdentify) else { return nil }
        return value
    }

    private static func mayIdentify(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x2B, 0x2D...0x2F, 0x3A, 0x3D, 0x5F, 0x7E: true
        default: ASCII.isAlphanumeric(byte)
        }
    }

    /// As ``requestID``, for an answer whose request may never have been asked for its own.
    func requestID(forOutput: ()) -> [UInt8] {
        if outline.requestIDLine == nil, madeRequestID == nil, !server.logsRequests { return loop.nextRequestID() }
        return requestID
    }
}
