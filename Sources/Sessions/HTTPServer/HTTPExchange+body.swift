// SPDX-License-Identifier: Apache-2.0

package import HTTP
import Runtime
import Sockets
import Transport
package import Wire

/// Reading the request's body.
extension HTTPExchange {
    private var configuration: HTTPServerConfiguration { _read { yield server.configuration } }

    /// Whether the request's framing says that there is a body.
    package var hasBody: Bool { outline.framing != .none }

    /// The fields behind a chunked body, once it was read to its end.
    package var trailers: HTTPFields { body.trailers }

    /// The whole body; 413 where it has more octets than `limit`.
    package func collectBody(limit: Int) async throws(HTTPProblem) -> [UInt8] {
        bodyLimit = min(bodyLimit, UInt64(limit))
        var buffer = ByteBuffer()
        while try await readBody(into: &buffer) > 0 {}
        return buffer.array()
    }

    /// Appends the next octets of the body; 0 at its end.
    ///
    /// Before the first wait a client that asked for it is told to go on.
    ///
    /// Throws an ``HTTPProblem``: 413 beyond ``maximumBodyOctets``, 408 where it comes too slowly, 400 where its framing is
    /// wrong or the client has gone. A chunked body of a GET, HEAD or OPTIONS was thrown away and reads as empty.
    package func readBody(into buffer: inout ByteBuffer) async throws(HTTPProblem) -> Int {
        guard answer != .done else { return 0 }
        while !isBodyRead {
            let octets = try takeBody(into: &buffer)
            if octets > 0 { return octets }
            if !isBodyRead { try await readMore() }
        }
        return 0
    }

    /// Moves what has come of the body; a body that is too large is refused as soon as that is known.
    private func takeBody(into buffer: inout ByteBuffer) throws(HTTPProblem) -> Int {
        var taken = 0
        while true {
            var offset = 0
            do throws(HTTPProblem) {
                let step = try body.next(input.bytes, &offset)
                if case .data(let range) = step { buffer.append(input.bytes.extracting(range)) }
                input.consume(offset)
                switch step {
                case .data(let range):
                    taken += range.count
                    receivedOctets += UInt64(range.count)
                    try checkSize()
                case .needsInput:
                    try checkSize()
                    return taken
                case .end:
                    isBodyRead = true
                    return taken
                }
            } catch {
                giveUpBody()
                throw error
            }
        }
    }

    private func checkSize() throws(HTTPProblem) {
        let (known, overflow) = receivedOctets.addingReportingOverflow(body.announced)
        guard !overflow, known <= bodyLimit else { throw .bodyTooLarge }
    }

    /// Waits for more octets.
    ///
    /// Only the waiting counts against the client, not the time the application takes.
    private func readMore() async throws(HTTPProblem) {
        let window = UInt64(configuration.bodyWindowMilliseconds) * 1_000_000
        let minimum = configuration.minimumBodyOctetsPerSecond * configuration.bodyWindowMilliseconds / 1000
        if windowOctets >= minimum || windowNanoseconds >= window {
            windowOctets = 0
            windowNanoseconds = 0
        }
        do throws(IOError) {
            try await sendContinue()
            let started = server.clock.monotonic()
            let octets = try await read(within: Int((window - windowNanoseconds) / 1_000_000) + 1)
            windowNanoseconds += min(server.clock.monotonic() &- started, window - windowNanoseconds)
            windowOctets += octets
            if octets > 0 { return }
        } catch .timeout {
            giveUpBody()
            throw .bodyTimeout
        } catch {}
        giveUpBody()
        throw .badBodyEnd
    }

    private func sendContinue() async throws(IOError) {
        if outline.expectsContinue, !isContinued, receivedOctets == 0, answer == .none {
            output.append("HTTP/1.1 100 Continue\r\n\r\n")
        }
        isContinued = true
        try await flush()
    }

    private func read(within milliseconds: Int) async throws(IOError) -> Int {
        connection.setDeadline(milliseconds: milliseconds)
        let octets = try await connection.read(into: &input)
        connection.setDeadline(milliseconds: nil)
        return octets
    }

    private func giveUpBody() {
        isBodyRead = true
        keepsAlive = false
    }

    // MARK: A body that nobody wants

    /// Throws away what has come of a body that the application left, before the answer is written: so that the answer can
    /// say whether the connection goes on, and that a body whose framing is wrong is answered with 400, whoever wants it.
    ///
    /// For chunks it waits a little; a length cannot be wrong. A client that waits for 100 will send its body or not: nobody
    /// can tell, and the connection ends.
    func settleBody() async throws(HTTPProblem) {
        guard !isBodyRead else { return }
        bodyLimit = .max
        var discarded = ByteBuffer()
        let isAwaited = outline.expectsContinue && !isContinued
        let first = receivedOctets
        _ = try takeBody(into: &discarded)
        if outline.framing == .chunked, !isAwaited {
            let end = server.clock.monotonic() &+ UInt64(configuration.drainedBodyMilliseconds) * 1_000_000
            while !isBodyRead, receivedOctets - first <= configuration.drainedBodyOctets {
                discarded.removeAll()
                guard await readSome(until: end) else { break }
                _ = try takeBody(into: &discarded)
            }
        }
        guard !isBodyRead else { return }
        if isAwaited || outline.framing == .chunked || body.announced > configuration.drainedBodyOctets {
            keepsAlive = false
        }
    }

    /// False where nothing came in time, or the connection has ended.
    private func readSome(until end: UInt64) async -> Bool {
        let now = server.clock.monotonic()
        guard now < end else { return false }
        do throws(IOError) {
            try await flush()
            return try await read(within: Int((end - now) / 1_000_000) + 1) > 0
        } catch {
            return false
        }
    }

    /// Reads the rest of a small body behind the answer, and forgets it; false where the connection cannot go on.
    func drainBody() async throws(IOError) -> Bool {
        try await flush()
        guard keepsAlive else { return false }
        bodyLimit = receivedOctets + configuration.drainedBodyOctets
        var discarded = ByteBuffer()
        do throws(HTTPProblem) {
            while !isBodyRead {
                _ = try takeBody(into: &discarded)
                discarded.removeAll()
                if !isBodyRead { try await readMore() }
            }
        } catch { return false }
        return keepsAlive
    }
}
