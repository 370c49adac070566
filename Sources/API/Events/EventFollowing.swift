// SPDX-License-Identifier: Apache-2.0

import Accounts
import HTTP
import HTTPServer
import JSON
import Runtime
import Sockets
import Storage
import Wire

/// A page of events, waited for if need be, or a stream of them.
struct EventFollowing {
    let call: Call
    let feed: EventFeed
    let query: EventQuery

    private static let offers: [StaticString] = ["application/json", "text/event-stream"]

    /// Answers as `Accept` asks.
    static func respond(_ call: Call, _ feed: EventFeed) async throws {
        var parameters = call.query
        let query = EventQuery(&parameters, of: feed)
        try parameters.finish()
        guard let choice = AcceptNegotiation.choose(among: offers, call.exchange.fields) else {
            throw APIProblem(.notAcceptable, "not_acceptable", "Events are JSON or text/event-stream.")
        }
        let following = Self(call: call, feed: feed, query: query)
        try await choice == 0 ? following.respondWithPage() : following.respondWithStream()
    }

    // MARK: A page

    private func respondWithPage() async throws {
        let start = query.start
        let place = try await call.store.read { [feed] in try feed.begin(at: start, in: $0) }
        var batch = try await read(behind: place, limit: query.limit, as: .items)
        if batch.count == 0, batch.isAtEnd, !batch.isOver, query.waitMilliseconds > 0, call.exchange.method != .head {
            batch = try await waitForPage(behind: batch.place)
        }
        try await respond(batch)
    }

    /// The first page that is not empty, or an empty one when the time is up or the client or we are about to go.
    private func waitForPage(behind start: Int64) async throws -> EventBatch {
        let waiter = try await enter()
        defer { call.api.eventWaiters.remove(waiter) }
        call.exchange.onInterruption { waiter.wake() }
        try await call.exchange.rest()
        let end = waiter.loop.time(afterMilliseconds: query.waitMilliseconds)
        var place = start
        while true {
            if waiter.isRevoked { throw APIProblem.invalidToken }
            let batch = try await read(behind: place, limit: query.limit, as: .items)
            let now = waiter.loop.now
            let isDue = batch.count > 0 || batch.isOver || call.exchange.isInterrupted || now >= end
            if isDue { return batch }
            place = batch.place
            if batch.isAtEnd {
                await waiter.wait(milliseconds: Int((end - now) / 1_000_000) + 1)
            } else {
                await waiter.loop.nextTurn()
            }
        }
    }

    private func respond(_ batch: consuming EventBatch) async throws {
        var buffer = ByteBuffer(capacity: batch.octets.count + 80)
        buffer.append("{\"items\":[")
        buffer.append(batch.octets.bytes)
        buffer.append("],\"next\":")
        feed.append(batch.place, asJSON: true, to: &buffer)
        buffer.append("}")
        var fields = HTTPFields()
        fields.add("Cache-Control", "no-store")
        fields.add("Vary", "Accept")
        try await call.respond(json: buffer, fields: fields)
    }

    // MARK: A stream

    /// Where a stream begins: behind the last event that the client has, which a browser tells when it connects again.
    private func streamStart() throws -> EventQuery.Start {
        guard let id = try call.exchange.fields.single("Last-Event-ID"), !id.isEmpty else { return query.start }
        guard let place = feed.place(Array(id)) else {
            throw APIProblem.invalidParameter("Last-Event-ID", "invalid", "must be the id of an event of this stream")
        }
        return .after(place)
    }

    private func respondWithStream() async throws {
        let start = try streamStart()
        let place = try await call.store.read { [feed] in try feed.begin(at: start, in: $0) }
        let waiter = try await enter()
        defer { call.api.eventWaiters.remove(waiter) }
        var response = HTTPResponse(.ok, contentType: "text/event-stream")
        response.fields.add("Cache-Control", "no-store")
        response.fields.add("Vary", "Accept")
        // nginx would gather the answer before it hands it on.
        response.fields.add("X-Accel-Buffering", "no")
        call.exchange.onInterruption { waiter.wake() }
        try await call.exchange.stream(response, length: nil) { writer in
            var stream = EventStream(following: self, waiter: waiter, place: place)
            try await stream.run(&writer)
        }
    }

    // MARK: Both

    func read(behind place: Int64, limit: Int, as form: EventForm) async throws -> EventBatch {
        let (feed, types) = (feed, query.types)
        return try await call.store.read {
            try feed.read(behind: place, types, limit: limit, as: form, in: $0)
        }
    }

    /// Registers the caller among those who wait; 429 where that are too many.
    private func enter() async throws -> EventWaiter {
        guard let loop = EventLoop.current, let grant = call.caller.grant else {
            throw APIProblem(.internalServerError, "internal_error")
        }
        let waiter = EventWaiter(on: loop, accounts: feed.accounts, token: grant.id)
        guard call.api.eventWaiters.add(waiter) else {
            var problem = APIProblem(
                .tooManyRequests,
                "too_many_streams",
                "The token has as many streams and waiting requests as it may have."
            )
            problem.fields.add("Retry-After", "5")
            throw problem
        }
        do {
            // A token revoked before the waiter was there to be told is found out here.
            _ = try await call.api.authenticate(call.exchange, for: .read)
        } catch {
            call.api.eventWaiters.remove(waiter)
            throw error
        }
        if grant.expiresAt != nil {
            let clock = call.api.clock
            waiter.watchExpiry { grant.isExpired(at: Timestamp(milliseconds: clock.now())) }
        }
        return waiter
    }
}
