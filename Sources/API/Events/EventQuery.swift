// SPDX-License-Identifier: Apache-2.0

import HTTP
import Storage
import Wire

/// What of a log is asked for.
struct EventQuery: Sendable {
    /// Where to begin.
    enum Start: Sendable {
        /// With the oldest event that is kept.
        case oldest
        /// With what happens from now on.
        case newest
        case after(Int64)
    }

    static let maximumWaitSeconds: UInt64 = 60
    static let maximumLimit: UInt64 = 1000

    let start: Start
    /// How long an answer waits for the first event, where there is none yet.
    let waitMilliseconds: Int
    let limit: Int
    let types: EventTypes

    init(_ query: inout QueryReader, of feed: EventFeed) {
        let after = query.octets("after")
        switch after {
        case nil: start = .oldest
        case let text? where text.span.equals("newest"): start = .newest
        case let text?:
            let place = feed.place(text)
            if place == nil { query.fail("after", "invalid", "must be what an answer gave as next, or newest") }
            start = place.map { .after($0) } ?? .oldest
        }
        waitMilliseconds = (query.integer("wait", in: 0...Self.maximumWaitSeconds) ?? 0) * 1000
        limit = query.integer("limit", in: 1...Self.maximumLimit) ?? 100
        types = EventTypes(&query)
    }
}

/// The types of events that somebody wants.
struct EventTypes: Sendable {
    /// Nil for all.
    private let words: [[UInt8]]?

    /// Reads `type`: types with commas between them; `folder.*` stands for all that begin so.
    init(_ query: inout QueryReader) {
        guard let elements = query.list("type", maximum: 50) else {
            words = nil
            return
        }
        var words: [[UInt8]] = []
        for element in elements {
            let meant = Self.all.filter { Self.covers(element, $0) }
            if meant.isEmpty {
                query.fail("type", "unknown", "must name types of events, such as message.received or folder.*")
            }
            words += meant
        }
        self.words = words
    }

    private static let all = EventType.allCases.map { Array($0.rawValue.utf8) }

    private static func covers(_ element: [UInt8], _ word: [UInt8]) -> Bool {
        guard element.suffix(2).elementsEqual([ASCII.dot, ASCII.asterisk]) else { return element == word }
        return element.count > 2 && word.starts(with: element.dropLast())
    }

    func contains(_ type: Span<UInt8>) -> Bool {
        guard let words else { return true }
        return words.contains(type.array())
    }
}
