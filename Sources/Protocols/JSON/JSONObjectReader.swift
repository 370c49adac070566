// SPDX-License-Identifier: Apache-2.0

import Wire

/// What is wrong with one field of a JSON text that is well-formed.
public struct JSONFieldError: Error, Hashable, Sendable {
    public enum Code: String, Hashable, Sendable {
        case missing, unknown
        case wrongType = "wrong_type"
        case tooLong = "too_long"
        case tooShort = "too_short"
        case outOfRange = "out_of_range"
        case containsNUL = "contains_nul"
        case invalid
    }

    /// The field, as a JSON pointer (RFC 6901): `/to/0/address`; empty for the whole text.
    public let pointer: [UInt8]
    public let code: Code
    /// One sentence for the one who wrote the request; it never repeats the value.
    public let detail: String

    public init(pointer: [UInt8], code: Code, detail: String) {
        self.pointer = pointer
        self.code = code
        self.detail = detail
    }
}

/// What was found wrong so far, over all fields of a text; at most 50 are kept.
public final class JSONFieldErrors {
    public private(set) var errors: [JSONFieldError] = []

    public init() {}

    public var isEmpty: Bool { errors.isEmpty }

    public func add(_ pointer: [UInt8], _ code: JSONFieldError.Code, _ detail: String) {
        guard errors.count < 50 else { return }
        errors.append(JSONFieldError(pointer: pointer, code: code, detail: detail))
    }
}

/// A value and where it stands.
public struct JSONField {
    public let value: JSONValue
    public let pointer: [UInt8]
    public let errors: JSONFieldErrors

    public init(_ value: JSONValue, pointer: [UInt8] = [], errors: JSONFieldErrors) {
        self.value = value
        self.pointer = pointer
        self.errors = errors
    }

    public func fail(_ code: JSONFieldError.Code, _ detail: String) { errors.add(pointer, code, detail) }

    private func wrongType<R>(_ expected: StaticString) -> R? {
        fail(.wrongType, "must be \(expected)")
        return nil
    }

    /// Text of `minimum`…`maximum` Unicode scalars without NUL, as UTF-8.
    public func text(minimum: Int = 0, maximum: Int) -> [UInt8]? {
        guard case .string(let text) = value else { return wrongType("a string") }
        var scalars = 0
        for byte in text {
            if byte & 0xC0 != 0x80 { scalars += 1 }
            if byte == 0 {
                fail(.containsNUL, "must not contain NUL")
                return nil
            }
        }
        if scalars > maximum {
            fail(.tooLong, "must have at most \(maximum) characters")
            return nil
        }
        if scalars < minimum {
            fail(.tooShort, minimum == 1 ? "must not be empty" : "must have at least \(minimum) characters")
            return nil
        }
        return text
    }

    public func bool() -> Bool? { value.bool ?? wrongType("true or false") }

    /// An integer, written without fraction and exponent.
    public func integer(in range: ClosedRange<Int64>) -> Int64? {
        guard let integer = value.int64 else {
            if case .unsigned = value {
                fail(.outOfRange, "must be at most \(range.upperBound)")
                return nil
            }
            return wrongType("an integer")
        }
        guard range.contains(integer) else {
            fail(.outOfRange, "must be from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return integer
    }

    /// The elements of an array of `minimum`…`maximum`.
    public func elements(minimum: Int = 0, maximum: Int) -> [JSONField]? {
        guard case .array(let values) = value else { return wrongType("an array") }
        if values.count > maximum {
            fail(.tooLong, "must have at most \(maximum) elements")
            return nil
        }
        if values.count < minimum {
            fail(.tooShort, minimum == 1 ? "must not be empty" : "must have at least \(minimum) elements")
            return nil
        }
        return values.enumerated().map { index, value in
            JSONField(value, pointer: pointer + [ASCII.slash] + Array(String(index).utf8), errors: errors)
        }
    }

    public func object() -> JSONObjectReader? {
        guard case .object(let object) = value else { return wrongType("an object") }
        return JSONObjectReader(object, pointer: pointer, errors: errors)
    }
}

/// Reads the members of an object by name and, at the end, complains of those nobody asked for.
///
/// What is wrong is collected, so that one answer names it all.
public struct JSONObjectReader {
    private let object: JSONObject
    private let pointer: [UInt8]
    public let errors: JSONFieldErrors
    private var taken: Set<Int> = []

    public init(_ object: JSONObject, pointer: [UInt8] = [], errors: JSONFieldErrors) {
        self.object = object
        self.pointer = pointer
        self.errors = errors
    }

    /// The member, or nil where there is none.
    public mutating func take(_ name: StaticString) -> JSONField? {
        guard let index = object.members.firstIndex(where: { $0.name.span.equals(name) }) else { return nil }
        taken.insert(index)
        return field(index)
    }

    /// The member; where there is none, that is an error.
    public mutating func require(_ name: StaticString) -> JSONField? {
        if let field = take(name) { return field }
        errors.add(pointer + Self.step("\(name)"), .missing, "is required")
        return nil
    }

    /// Complains of every member not taken.
    public func finish() {
        for index in object.members.indices where !taken.contains(index) {
            errors.add(field(index).pointer, .unknown, "is not known here")
        }
    }

    private func field(_ index: Int) -> JSONField {
        let member = object.members[index]
        return JSONField(member.value, pointer: pointer + Self.step(member.name), errors: errors)
    }

    private static func step(_ name: String) -> [UInt8] { step(Array(name.utf8)) }

    /// `/` and the name, with `~` as `~0` and `/` as `~1` (RFC 6901 §3).
    private static func step(_ name: [UInt8]) -> [UInt8] {
        var step: [UInt8] = [ASCII.slash]
        for byte in name {
            switch byte {
            case 0x7E: step += [0x7E, ASCII.zero]
            case ASCII.slash: step += [0x7E, ASCII.zero + 1]
            default: step.append(byte)
            }
        }
        return step
    }
}
