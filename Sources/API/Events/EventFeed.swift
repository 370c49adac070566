// SPDX-License-Identifier: Apache-2.0

import HTTP
import MailTypes
import Storage
import Wire

/// A log that somebody follows, and how a place in it is written.
enum EventFeed: Sendable {
    /// One account's; a place is the number of an event.
    case account(AccountKey, AccountID)
    /// That of some accounts, or of all (nil); a place is a position, written so that nobody counts with it.
    case accounts([AccountID]?)

    /// The accounts whose changes are news; nil for all.
    var accounts: [AccountID]? {
        switch self {
        case .account(_, let id): [id]
        case .accounts(let ids): ids
        }
    }

    /// The highest number that JSON carries exactly everywhere.
    static let maximumNumber: UInt64 = 1 << 53 - 1

    /// The place that a client names; nil for what no answer gave.
    func place(_ text: [UInt8]) -> Int64? {
        switch self {
        case .account: return StrictInteger.decimal(text.span, maximum: Self.maximumNumber).map { Int64($0) }
        case .accounts: return Page.row(text)
        }
    }

    /// Writes a place as a JSON value, or as the id of an event of a stream.
    func append(_ place: Int64, asJSON: Bool, to buffer: inout ByteBuffer) {
        switch self {
        case .account: buffer.append(decimal: UInt64(max(place, 0)))
        case .accounts:
            if asJSON { buffer.append(ASCII.quote) }
            buffer.append(Page.cursor(afterRow: place))
            if asJSON { buffer.append(ASCII.quote) }
        }
    }

    /// Where to begin; throws the problem that a place is which is no longer kept, or not given yet.
    func begin(at start: EventQuery.Start, in view: some StoreView) throws -> Int64 {
        let bounds = try bounds(in: view)
        switch start {
        case .oldest: return bounds.oldest - 1
        case .newest: return bounds.newest
        case .after(let place):
            guard place >= bounds.oldest - 1 else { throw expired(bounds) }
            guard place <= bounds.newest else { throw ahead(bounds) }
            return place
        }
    }

    private func bounds(in view: some StoreView) throws -> EventBounds {
        switch self {
        case .account(let key, _): try view.events.bounds(of: key)
        case .accounts(let ids): try view.events.positions(of: ids)
        }
    }

    /// 410, with what a client needs to start anew.
    private func expired(_ bounds: EventBounds) -> APIProblem {
        problem(
            .gone,
            "cursor_expired",
            "Some events behind it are no longer kept. List folders and messages anew, then go on after newest.",
            bounds
        )
    }

    /// 409: the log is shorter than the client knows it, as when files were put back by hand.
    private func ahead(_ bounds: EventBounds) -> APIProblem {
        problem(
            .conflict,
            "cursor_ahead",
            "No such event was given yet. List folders and messages anew, then go on after newest.",
            bounds
        )
    }

    private func problem(
        _ status: HTTPStatus,
        _ code: StaticString,
        _ detail: String,
        _ bounds: EventBounds
    ) -> APIProblem {
        func json(_ place: Int64) -> [UInt8] {
            var buffer = ByteBuffer()
            append(place, asJSON: true, to: &buffer)
            return buffer.array()
        }
        var problem = APIProblem(status, code, detail)
        if case .account = self { problem.members.append(("oldest", json(bounds.oldest))) }
        problem.members.append(("newest", json(bounds.newest)))
        return problem
    }

    // MARK: Reading

    /// Rows looked at in one read at most, so that a filter which finds little holds nobody up.
    static let rowsPerRead = 1000
    /// Octets behind which a read ends.
    private static let octetsPerRead = 65_536

    /// The next events behind a place that the filter lets through, at most `limit`, in the form of an answer.
    func read(
        behind place: Int64,
        _ types: EventTypes,
        limit: Int,
        as form: EventForm,
        in view: some StoreView
    ) throws -> EventBatch {
        var batch = EventBatch(place: place)
        var rows = 0
        try list(in: view, after: place) { event in
            rows += 1
            batch.place = self.place(of: event)
            guard types.contains(event.type) else { return true }
            try form.append(event, place: batch.place, of: self, isFirst: batch.count == 0, to: &batch.octets)
            batch.count += 1
            return batch.count < limit && batch.octets.count < Self.octetsPerRead
        }
        let bounds = try bounds(in: view)
        // Rows of nobody may lie behind the last one lent: a read that found no more than it could hold has seen them all.
        batch.isAtEnd =
            batch.place >= bounds.newest
            || (rows < Self.rowsPerRead && batch.count < limit && batch.octets.count < Self.octetsPerRead)
        batch.isOver = batch.isAtEnd && bounds.isDeleted
        return batch
    }

    private func list(
        in view: some StoreView,
        after place: Int64,
        _ body: (borrowing EventView) throws -> Bool
    ) throws {
        do {
            switch self {
            case .account(let key, _): try view.events.list(of: key, after: place, limit: Self.rowsPerRead, body)
            case .accounts(let ids):
                try view.events.list(of: ids, afterPosition: place, limit: Self.rowsPerRead, body)
            }
        } catch StoreError.cursorExpired {
            throw expired(try bounds(in: view))
        }
    }

    private func place(of event: borrowing EventView) -> Int64 {
        switch self {
        case .account: event.seq
        case .accounts: event.position
        }
    }
}

/// What one read found.
struct EventBatch: ~Copyable, Sendable {
    var octets = ByteBuffer()
    /// Events in ``octets``.
    var count = 0
    /// Where to go on.
    var place: Int64
    /// Nothing was behind ``place`` when it was read.
    var isAtEnd = false
    /// And nothing ever will be: the account is deleted.
    var isOver = false

    init(place: Int64) { self.place = place }
}
