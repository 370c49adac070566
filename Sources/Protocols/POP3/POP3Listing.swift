// SPDX-License-Identifier: Apache-2.0

import Wire

/// One line about one message, in an answer to LIST or UIDL.
package struct POP3Listing: Hashable, Sendable {
    /// From 1, within this session.
    package let number: UInt32
    package let value: Value

    package enum Value: Hashable, Sendable {
        /// Octets, about.
        case size(UInt64)
        /// What names the message across sessions (RFC 1939 §7).
        case uniqueID([UInt8])
    }

    /// RFC 1939 §7 has 70 octets; servers send more.
    package static let maximumUniqueIDOctets = 255

    /// ```
    /// scan-listing = message-number SP message-size [ SP text ]       ; RFC 1939 §5
    /// unique-id-listing = message-number SP unique-id                 ; unique-id = 1*70( %x21-7E )
    /// ```
    /// Blanks between the two may be several, and text behind either is passed over.
    init?(_ line: [UInt8], isUniqueID: Bool) {
        let words = line.split(whereSeparator: ASCII.isBlank)
        guard words.count >= 2,
            let number = StrictInteger.decimal(words[0]).flatMap({ UInt32(exactly: $0) }),
            number > 0
        else { return nil }
        if isUniqueID {
            guard words[1].count <= Self.maximumUniqueIDOctets, !words[1].contains(where: ASCII.isControl) else {
                return nil
            }
            value = .uniqueID(Array(words[1]))
        } else {
            guard let size = StrictInteger.decimal(words[1], maximum: UInt64(Int64.max)) else { return nil }
            value = .size(size)
        }
        self.number = number
    }
}

/// What STAT says of the mailbox (RFC 1939 §5).
package struct POP3Status: Hashable, Sendable {
    package let messages: UInt32
    package let octets: UInt64

    package init(messages: UInt32, octets: UInt64) {
        self.messages = messages
        self.octets = octets
    }

    /// `drop-listing = "+OK" SP message-count SP octets [ SP text ]`, what stands behind `+OK`.
    init?(_ text: [UInt8]) {
        let words = text.split(whereSeparator: ASCII.isBlank)
        guard words.count >= 2, let messages = StrictInteger.decimal(words[0]).flatMap({ UInt32(exactly: $0) }),
            let octets = StrictInteger.decimal(words[1], maximum: UInt64(Int64.max))
        else { return nil }
        self.init(messages: messages, octets: octets)
    }
}
