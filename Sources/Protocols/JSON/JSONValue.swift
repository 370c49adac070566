// SPDX-License-Identifier: Apache-2.0

import Wire

/// A JSON value held in memory.
///
/// Strings and names are UTF-8 octets, compared octet by octet: no normalisation makes two into one.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Written without fraction and exponent, and within Int64.
    case integer(Int64)
    /// Written without fraction and exponent, above Int64 and within UInt64.
    case unsigned(UInt64)
    /// Any other number, as it was written.
    case number([UInt8])
    case string([UInt8])
    case array([JSONValue])
    case object(JSONObject)
    /// A string that was streamed: the n-th of the text.
    case streamed(Int)

    /// Reads a whole text.
    public init(parsing text: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        var parser = JSONDocumentParser(limits: limits)
        try parser.consume(text)
        self = try parser.finish()
    }

    public var object: JSONObject? {
        guard case .object(let object) = self else { return nil }
        return object
    }

    public var array: [JSONValue]? {
        guard case .array(let array) = self else { return nil }
        return array
    }

    public var string: [UInt8]? {
        guard case .string(let string) = self else { return nil }
        return string
    }

    public var bool: Bool? {
        guard case .bool(let bool) = self else { return nil }
        return bool
    }

    public var int64: Int64? {
        guard case .integer(let integer) = self else { return nil }
        return integer
    }

    public var uint64: UInt64? {
        switch self {
        case .integer(let integer): UInt64(exactly: integer)
        case .unsigned(let integer): integer
        default: nil
        }
    }

    /// The number of a text that is one (RFC 8259 §6).
    ///
    /// `1e3` and `1.0` are numbers and no integers; `-0` is 0.
    init(number text: Span<UInt8>) {
        let isNegative = text[0] == ASCII.hyphen
        let digits = isNegative ? text.extracting(1..<text.count) : text
        guard let magnitude = StrictInteger.decimal(digits) else {
            self = .number(text.array())
            return
        }
        if !isNegative {
            self = Int64(exactly: magnitude).map { .integer($0) } ?? .unsigned(magnitude)
        } else if magnitude <= Int64.min.magnitude {
            self = .integer(Int64(truncatingIfNeeded: 0 &- magnitude))
        } else {
            self = .number(text.array())
        }
    }
}

/// The members of an object, in the order of the text; no name stands twice.
public struct JSONObject: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public let name: [UInt8]
        public let value: JSONValue

        public init(name: [UInt8], value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    public internal(set) var members: [Member]

    public init(_ members: [Member] = []) { self.members = members }

    public subscript(_ name: StaticString) -> JSONValue? {
        members.first { $0.name.span.equals(name) }?.value
    }
}

extension JSONWriter {
    /// Writes a value as it was read; streamed strings as null.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null, .streamed: null()
        case .bool(let bool): self.bool(bool)
        case .integer(let integer): number(integer)
        case .unsigned(let integer): number(integer)
        case .number(let text): raw(value: text.span)
        case .string(let text): string(text)
        case .array(let values):
            beginArray()
            for value in values { self.value(value) }
            endArray()
        case .object(let object):
            beginObject()
            for member in object.members {
                key(member.name.span)
                self.value(member.value)
            }
            endObject()
        }
    }
}
