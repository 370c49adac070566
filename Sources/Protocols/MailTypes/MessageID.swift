// SPDX-License-Identifier: Apache-2.0

import Wire

/// What stands between the angle brackets of a `msg-id` (RFC 5322 §3.6.4): printable ASCII or UTF-8 (RFC 6532), no spaces,
/// no brackets, so that it may be put into a header as it is.
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    public static let maximumOctets = 900

    /// Without the angle brackets.
    public let octets: [UInt8]

    /// With or without the angle brackets around it; nil where an octet could not stand in a header.
    public init?(_ text: Span<UInt8>) {
        var range = 0..<text.count
        if text.count >= 2, text[0] == ASCII.less, text[text.count - 1] == ASCII.greater { range = 1..<text.count - 1 }
        guard !range.isEmpty, range.count <= Self.maximumOctets else { return nil }
        for index in range {
            let byte = text[index]
            guard byte > ASCII.space, byte != ASCII.delete, byte != ASCII.less, byte != ASCII.greater else {
                return nil
            }
        }
        let inside = text.extracting(range)
        guard inside.utf8String() != nil else { return nil }
        octets = inside.array()
    }

    /// A fresh one: 128 random bits at `domain`.
    public static func random(at domain: Domain) -> MessageID? {
        var generator = SystemRandomNumberGenerator()
        var left: [UInt8] = []
        for _ in 0..<2 {
            let word: UInt64 = generator.next()
            left += Hex.encode(word.bigEndianOctets.span)
        }
        return MessageID((left + [ASCII.at] + domain.octets).span)
    }

    /// With the angle brackets.
    public var description: String { "<\(octets.span.repairedUTF8String())>" }
}
