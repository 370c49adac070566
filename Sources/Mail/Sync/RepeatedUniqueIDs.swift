// SPDX-License-Identifier: Apache-2.0

import Wire

/// Unique-ids that a listing gives to more than one message.
///
/// RFC 1939 §7 forbids them, but for identical copies of a message, which some servers name by what is in them. Those of one
/// size count as one message; of several sizes each is one by itself, known by unique-id and size. None is deleted at the server
/// while it is repeated: which of the copies was fetched, nobody can tell.
struct RepeatedUniqueIDs: Sendable {
    private var repeated: Set<[UInt8]> = []
    private var differing: Set<[UInt8]> = []

    init(_ messages: [ListedMessage]) {
        var sizes: [[UInt8]: Int64] = [:]
        for message in messages {
            guard let size = sizes.updateValue(message.size, forKey: message.uid) else { continue }
            repeated.insert(message.uid)
            if size != message.size { differing.insert(message.uid) }
        }
    }

    func contains(_ message: ListedMessage) -> Bool { repeated.contains(message.uid) }

    /// What the message is known by, and what else it may have been known by when the listing was another one.
    func names(of message: ListedMessage) -> (own: [UInt8], other: [UInt8], isOtherOfSameSizeOnly: Bool) {
        var sized = message.uid + [ASCII.space]
        var digits = ByteBuffer()
        digits.append(decimal: UInt64(clamping: message.size))
        sized += digits.array()
        return differing.contains(message.uid)
            ? (own: sized, other: message.uid, isOtherOfSameSizeOnly: true)
            : (own: message.uid, other: sized, isOtherOfSameSizeOnly: false)
    }
}
