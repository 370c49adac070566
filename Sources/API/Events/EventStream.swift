// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import Sockets
import Storage
import Wire

/// One stream of events (`text/event-stream`, WHATWG HTML §9.2) from its first line to its last.
struct EventStream: ~Copyable {
    private let following: EventFollowing
    private let waiter: EventWaiter
    /// Up to where everything was read.
    private var place: Int64
    /// The place that the client knows.
    private var told: Int64

    /// Events read at a time; what was read is sent before more is.
    private static let batch = 100
    /// What the client should wait before it connects again.
    private static let retryMilliseconds = 2000

    init(following: EventFollowing, waiter: EventWaiter, place: Int64) {
        self.following = following
        self.waiter = waiter
        self.place = place
        told = place
    }

    private var exchange: HTTPExchange { following.call.exchange }

    /// Sends events until the client goes, the token or the account ends, or the server stops.
    mutating func run(_ writer: inout HTTPBodyWriter) async throws {
        let exchange = exchange
        var isSending = false
        // A client that reads slowly has what its token allowed, and gets no more.
        waiter.onRevocation = { if isSending { exchange.cut() } }
        var octets = ByteBuffer()
        octets.append("retry: ")
        octets.append(decimal: UInt64(Self.retryMilliseconds))
        octets.append(ASCII.lf)
        tell(&octets)
        while true {
            let end = try await gather(&octets)
            isSending = true
            try await writer.write(&octets)
            if end == .over || end == .atEnd { try await writer.rest() } else { try await writer.flush() }
            isSending = false
            switch end {
            case .over: return
            case .more: await waiter.loop.nextTurn()
            case .atEnd:
                octets.removeAll(keepingCapacity: false)
                await waiter.wait(milliseconds: following.call.api.configuration.eventKeepAliveMilliseconds)
                if !waiter.wasWoken { keepAlive(&octets) }
            }
        }
    }

    private enum Progress { case more, atEnd, over }

    /// Appends what there is to be sent next, and how it goes on behind that.
    private mutating func gather(_ octets: inout ByteBuffer) async throws -> Progress {
        if waiter.isRevoked { return finish("the token has ended", &octets) }
        let isStopping = exchange.isInterrupted
        let found: EventBatch
        do {
            found = try await following.read(behind: place, limit: Self.batch, as: .stream)
        } catch let error as StoreError {
            // The client connects again and is told by a status what it is.
            return finish("interrupted: \(error)", &octets)
        } catch let problem as APIProblem {
            return finish("interrupted: \(problem.code)", &octets)
        }
        place = found.place
        if found.count > 0 {
            octets.append(found.octets.bytes)
            told = place
        }
        if found.isOver { return finish("the account is deleted", &octets) }
        if isStopping { return finish("the server is stopping", &octets) }
        return found.isAtEnd ? .atEnd : .more
    }

    /// Tells the client where it is, with a reason for the end in a comment.
    private mutating func finish(_ reason: String, _ octets: inout ByteBuffer) -> Progress {
        octets.append(": ")
        octets.append(utf8: reason)
        octets.append(ASCII.lf)
        tell(&octets)
        return .over
    }

    /// A comment, so that nobody in between takes the connection for dead; with the place, where a filter let nothing through
    /// since it was last told.
    private mutating func keepAlive(_ octets: inout ByteBuffer) {
        octets.append(": keep-alive\n")
        if told == place { octets.append(ASCII.lf) } else { tell(&octets) }
    }

    /// An id without data moves the client's place and is no event to it.
    private mutating func tell(_ octets: inout ByteBuffer) {
        EventForm.append(id: place, of: following.feed, to: &octets)
        octets.append(ASCII.lf)
        told = place
    }
}
