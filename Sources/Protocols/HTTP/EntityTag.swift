// SPDX-License-Identifier: Apache-2.0

import Wire

/// A validator of one state of a resource.
///
///     entity-tag = [ weak ] opaque-tag        ; RFC 9110 §8.8.3
///     opaque-tag = DQUOTE *etagc DQUOTE
public struct EntityTag: Hashable, Sendable {
    public let isWeak: Bool
    /// Without the quotes.
    public let octets: [UInt8]

    /// Octets that are not `etagc` are our bug.
    public init(_ octets: some Sequence<UInt8>, isWeak: Bool = false) { self.init(Array(octets), isWeak: isWeak) }

    /// Octets that are not `etagc` are our bug.
    public init(_ octets: [UInt8], isWeak: Bool = false) {
        self.octets = octets
        self.isWeak = isWeak
        precondition(self.octets.allSatisfy(Self.isTagOctet))
    }

    /// As it is written in a field.
    public var fieldValue: [UInt8] {
        (isWeak ? [0x57, ASCII.slash, ASCII.quote] : [ASCII.quote]) + octets + [ASCII.quote]
    }

    static func isTagOctet(_ byte: UInt8) -> Bool { byte == 0x21 || byte >= 0x23 && byte != 0x7F }

    /// Reads one tag at `index`, and moves behind it.
    init?(_ text: Span<UInt8>, at index: inout Int) {
        var start = index
        isWeak = text.count - start > 1 && text[start] == 0x57 && text[start + 1] == ASCII.slash
        if isWeak { start += 2 }
        guard start < text.count, text[start] == ASCII.quote,
            let end = text.firstIndex(of: ASCII.quote, from: start + 1)
        else { return nil }
        octets = text.extracting(start + 1..<end).array()
        guard octets.allSatisfy(Self.isTagOctet) else { return nil }
        index = end + 1
    }

    /// RFC 9110 §8.8.3.2: the same octets, and neither is weak.
    public func equalsStrongly(_ other: EntityTag) -> Bool { !isWeak && !other.isWeak && octets == other.octets }

    /// RFC 9110 §8.8.3.2: the same octets.
    public func equalsWeakly(_ other: EntityTag) -> Bool { octets == other.octets }
}
