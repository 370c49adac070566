// SPDX-License-Identifier: Apache-2.0

import Wire

/// A command as its words; what is in parentheses is between ``Word/open`` and ``Word/close``.
struct SimulatedIMAPCommand {
    enum Word: Equatable {
        case atom([UInt8])
        case string([UInt8])
        case open, close

        /// Atom or string.
        var octets: [UInt8]? {
            switch self {
            case .atom(let octets), .string(let octets): octets
            case .open, .close: nil
            }
        }
    }

    let tag: [UInt8]
    /// In capitals; behind `UID `, that is left out.
    let name: String
    let isUID: Bool
    var words: ArraySlice<Word>

    init?(_ all: [Word]) {
        var words = all[...]
        guard let tag = words.popFirst()?.octets, var name = words.popFirst()?.octets else { return nil }
        isUID = ASCII.equalsIgnoringCase(name, "UID")
        if isUID {
            guard let next = words.popFirst()?.octets else { return nil }
            name = next
        }
        self.tag = tag
        self.name = String(decoding: name.map(ASCII.uppercased), as: UTF8.self)
        self.words = words
    }

    mutating func octets() -> [UInt8]? { words.popFirst()?.octets }

    /// A word in capitals.
    mutating func atom() -> String? {
        octets().map { String(decoding: $0.map(ASCII.uppercased), as: UTF8.self) }
    }

    /// The words of a list in parentheses, or one word.
    mutating func list() -> [[UInt8]] {
        guard words.first == .open else { return octets().map { [$0] } ?? [] }
        var found: [[UInt8]] = []
        var depth = 0
        while let word = words.popFirst() {
            switch word {
            case .open: depth += 1
            case .close:
                depth -= 1
                if depth == 0 { return found }
            case .atom(let octets), .string(let octets): found.append(octets)
            }
        }
        return found
    }

    /// The octets and whether the client waits to be asked for them; nil where the line ends the command.
    struct Literal {
        let octets: Int
        let isAwaited: Bool
    }

    /// Takes a line apart; at its end a literal may be announced.
    static func split(_ line: [UInt8], into words: inout [Word]) -> Literal? {
        var rest = line[...]
        while let first = rest.first {
            switch first {
            case ASCII.space: rest.removeFirst()
            case UInt8(ascii: "("):
                words.append(.open)
                rest.removeFirst()
            case UInt8(ascii: ")"):
                words.append(.close)
                rest.removeFirst()
            case ASCII.quote: words.append(.string(quoted(&rest)))
            case UInt8(ascii: "{"):
                var digits = rest.dropFirst().prefix { $0 != UInt8(ascii: "}") }
                let isAwaited = digits.last != UInt8(ascii: "+")
                if !isAwaited { digits.removeLast() }
                return StrictInteger.decimal(digits, maximum: 1 << 30)
                    .map { Literal(octets: Int($0), isAwaited: isAwaited) }
            default: words.append(.atom(atom(&rest)))
            }
        }
        return nil
    }

    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        var octets: [UInt8] = []
        rest.removeFirst()
        while let octet = rest.popFirst(), octet != ASCII.quote {
            octets.append(octet == UInt8(ascii: "\\") ? rest.popFirst() ?? octet : octet)
        }
        return octets
    }

    /// What is in brackets may have blanks and parentheses.
    private static func atom(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        var octets: [UInt8] = []
        var isInBrackets = false
        while let octet = rest.first {
            if !isInBrackets, octet == ASCII.space || octet == UInt8(ascii: "(") || octet == UInt8(ascii: ")") { break }
            if octet == UInt8(ascii: "[") { isInBrackets = true }
            if octet == UInt8(ascii: "]") { isInBrackets = false }
            octets.append(octet)
            rest.removeFirst()
        }
        return octets
    }
}
