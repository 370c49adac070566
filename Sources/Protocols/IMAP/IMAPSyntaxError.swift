// SPDX-License-Identifier: Apache-2.0

/// What a peer sent that is not IMAP.
package enum IMAPSyntaxError: Error, Hashable, Sendable {
    /// An octet that cannot stand at this offset of the response.
    case unexpectedOctet(UInt8, at: Int)
    case unexpectedEnd
    /// No number, or one that is too large or 0 where it must not be.
    case badNumber(at: Int)
    /// Neither OK, NO nor BAD behind a tag.
    case badStatus
    /// Parentheses deeper than the limit.
    case tooDeep
    /// More values or parts than the limit.
    case tooMany
    /// A response, apart from streamed sections, that is longer than the limit.
    case responseTooLong
    /// A literal that is longer than the limit.
    case literalTooLong(octets: UInt64)
    /// `{`…`}` at a line's end without a number that can be counted to.
    case badLiteral
}

/// What one peer may make us hold or do.
package struct IMAPLimits: Sendable {
    /// One response with its literals, apart from the sections of a FETCH, which are handed on as they come, and the numbers
    /// of a SEARCH, which are handed on in groups.
    package var responseOctets = 4 << 20
    /// One streamed section.
    package var sectionOctets: UInt64 = 1 << 31
    /// Parentheses within each other.
    package var depth = 50
    /// Values (words, numbers, strings and lists) in one list and all below it.
    package var values = 200_000
    /// Parts of one message.
    package var parts = 1_000
    /// How much of a section is handed out at once.
    package var chunkOctets = 64 * 1024

    package init() {}

    /// For a peer whom nobody has vouched for yet.
    package static var beforeLogin: Self {
        var limits = Self()
        limits.responseOctets = 16 * 1024
        limits.sectionOctets = 0
        return limits
    }
}
