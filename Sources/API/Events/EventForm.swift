// SPDX-License-Identifier: Apache-2.0

import JSON
import Storage
import Wire

/// How events are written in an answer.
enum EventForm: Sendable {
    /// As the elements of a JSON array, with commas between them.
    case items
    /// As the events of `text/event-stream`.
    case stream

    func append(
        _ event: borrowing EventView,
        place: Int64,
        of feed: EventFeed,
        isFirst: Bool,
        to buffer: inout ByteBuffer
    ) throws {
        switch self {
        case .items:
            if !isFirst { buffer.append(ASCII.comma) }
            try append(event, to: &buffer)
        case .stream:
            Self.append(id: place, of: feed, to: &buffer)
            buffer.append("event: ")
            buffer.append(event.type)
            buffer.append("\ndata: ")
            try append(event, to: &buffer)
            buffer.append("\n\n")
        }
    }

    /// The line that tells a client where to go on when the connection is lost.
    static func append(id place: Int64, of feed: EventFeed, to buffer: inout ByteBuffer) {
        buffer.append("id: ")
        feed.append(place, asJSON: false, to: &buffer)
        buffer.append(ASCII.lf)
    }

    private func append(_ event: borrowing EventView, to buffer: inout ByteBuffer) throws {
        var octets = ByteBuffer()
        swap(&octets, &buffer)
        var writer = JSONWriter(into: octets)
        try event.write(to: &writer)
        octets = writer.finish()
        swap(&octets, &buffer)
    }
}
