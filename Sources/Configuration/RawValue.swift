// SPDX-License-Identifier: Apache-2.0

internal import Wire

/// A value as it was given, before a key says what it should be.
package enum RawValue: Sendable, Equatable {
    /// Text of the environment or the command line, or an unquoted word of the file: may be read as any type.
    case word(String)
    /// A quoted text of the file: never a number nor a truth value.
    case quoted(String)
    case list([String])
    case mapping
    case null

    /// Why a value cannot be taken: one sentence that says what would be.
    package struct Mismatch: Error, Equatable {
        let expected: String
    }

    func text(expected: String) throws(Mismatch) -> String {
        switch self {
        case .word(let text), .quoted(let text):
            guard !text.utf8.contains(where: { ASCII.isControl($0) }) else {
                throw Mismatch(expected: "\(expected) without control characters")
            }
            return text
        case .list, .mapping, .null: throw Mismatch(expected: expected)
        }
    }

    func integer(in range: ClosedRange<Int>) throws(Mismatch) -> Int {
        guard case .word(let text) = self, let number = StrictInteger.decimal(Array(text.utf8)),
            let value = Int(exactly: number), range.contains(value)
        else { throw Mismatch(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)") }
        return value
    }

    func truth() throws(Mismatch) -> Bool {
        switch self {
        case .word("true"): return true
        case .word("false"): return false
        default: throw Mismatch(expected: "true or false")
        }
    }

    /// A list; of the environment and the command line, its items with commas between.
    func items() throws(Mismatch) -> [String] {
        switch self {
        case .list(let items): return items
        case .word(let text):
            return text.utf8.split(separator: ASCII.comma).map { item in
                let bytes = item.drop(while: ASCII.isBlank)
                let kept = bytes.reversed().drop(while: ASCII.isBlank).reversed()
                return String(decoding: Array(kept), as: UTF8.self)
            }.filter { !$0.isEmpty }
        case .quoted, .mapping, .null: throw Mismatch(expected: "a list")
        }
    }
}
