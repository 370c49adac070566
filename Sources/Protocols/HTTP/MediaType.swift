// SPDX-License-Identifier: Apache-2.0

import Wire

/// The value of `Content-Type` (RFC 9110 §8.3.1).
public struct MediaType: Sendable {
    private let content: ParameterizedValue

    /// Nil where the text is not a type, a slash, a subtype, and parameters.
    public init?(_ text: Span<UInt8>) {
        guard let content = ParameterizedValue(text), content.value.contains(ASCII.slash) else { return nil }
        self.content = content
    }

    /// Type and subtype, lowered: `text/html`.
    public var essence: [UInt8] { content.value }

    /// Whether type and subtype are these (lower case).
    public func matches(_ essence: StaticString) -> Bool { content.value.span.equals(essence) }

    /// The parameter of this name (lower case), without quotes.
    public func parameter(_ name: StaticString) -> [UInt8]? { content.first(name) }

    /// The delimiter of a multipart body, where it is one that RFC 2046 §5.1.1 allows: 1…70 octets, no space at the end.
    public var boundary: [UInt8]? {
        guard let boundary = content.first("boundary"), (1...70).contains(boundary.count),
            boundary.last != ASCII.space, boundary.allSatisfy(Self.mayBound)
        else { return nil }
        return boundary
    }

    private static func mayBound(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x27...0x29, 0x2B...0x2F, 0x3A, 0x3D, 0x3F, 0x5F: true
        // Not of RFC 2046, but tokens: some clients make boundaries with them.
        case 0x21, 0x23...0x26, 0x2A, 0x5E, 0x60, 0x7C, 0x7E: true
        default: ASCII.isAlphanumeric(byte)
        }
    }
}

extension HTTPFields {
    /// The request's `Content-Type`; 415 where it is none of `expected`, is absent, or cannot be read.
    public func contentType(among expected: [StaticString]) throws(HTTPProblem) -> MediaType {
        guard let text = try single("Content-Type"), let type = MediaType(text.span),
            expected.contains(where: { type.matches($0) })
        else { throw Self.unsupported(expected) }
        return type
    }

    private static func unsupported(_ expected: [StaticString]) -> HTTPProblem {
        let names = expected.map { "\($0)" }.joined(separator: ", ")
        return HTTPProblem(.unsupportedMediaType, "unsupported_media_type", "Content-Type must be one of: \(names).")
    }
}
