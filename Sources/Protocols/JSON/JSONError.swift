// SPDX-License-Identifier: Apache-2.0

/// Why octets are not JSON as we read it: RFC 8259, and of what it leaves open always the strict side.
public struct JSONError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// An octet the grammar does not allow here; a byte order mark is one.
        case unexpectedOctet
        /// The text ended within a value, or held none.
        case unexpectedEnd
        /// Overlong, truncated, surrogate or otherwise ill-formed UTF-8.
        case invalidUTF8
        /// Half of a surrogate pair, written with `\u`.
        case loneSurrogate
        /// An unescaped octet below 0x20 in a string.
        case controlCharacter
        /// A backslash in front of something that is not an escape.
        case invalidEscape
        /// A name that the object has already, escapes undone.
        case duplicateKey
        /// Arrays and objects within each other beyond ``JSONLimits/depth``.
        case tooDeep
        /// More octets, values or digits than ``JSONLimits`` allows.
        case tooLarge
    }

    public let reason: Reason
    /// Octets of the text in front of the one that was wrong.
    public let offset: Int

    public init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }
}

extension JSONError: CustomStringConvertible {
    public var description: String {
        let what =
            switch reason {
            case .unexpectedOctet: "unexpected octet"
            case .unexpectedEnd: "unexpected end"
            case .invalidUTF8: "ill-formed UTF-8"
            case .loneSurrogate: "half of a surrogate pair"
            case .controlCharacter: "control character in a string"
            case .invalidEscape: "invalid escape in a string"
            case .duplicateKey: "duplicate member name"
            case .tooDeep: "nested too deeply"
            case .tooLarge: "too large"
            }
        return "\(what) at octet \(offset)"
    }
}

/// What a text may ask of us.
public struct JSONLimits: Hashable, Sendable {
    /// Arrays and objects open at once; at most 64.
    public var depth = 64
    /// Octets of the text, without those of streamed strings.
    public var octets = 1 << 20
    /// Values and member names together.
    public var values = 100_000
    /// Octets of one number.
    public var numberOctets = 1024

    public init() {}

    public init(octets: Int) { self.octets = octets }
}
