// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A dialogue kept in a file, line by line: what arrives, what must be sent then, and what happens in between.
///
/// A file may hold several, each behind a line `=== name`; `#` begins a line of options, or remarks. What the lines mean is
/// the suite's matter, but for those that ``steps(_:)`` takes apart.
package struct Dialogue: CustomStringConvertible, Sendable {
    package let name: String
    package private(set) var lines: [String] = []
    package private(set) var options: Set<String> = []
    package var description: String { name }

    /// Those of all `.txt` files in a folder beside a suite's own file.
    package static func all(in folder: String, beside file: String = #filePath) throws -> [Dialogue] {
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "txt" }
            .sorted { $0.path < $1.path }
            .flatMap { parse(try String(contentsOf: $0, encoding: .utf8), file: $0.lastPathComponent) }
    }

    private static func parse(_ text: String, file: String) -> [Dialogue] {
        var all: [Dialogue] = []
        var current = Dialogue(name: file)
        for line in text.split(separator: "\n").map(String.init) {
            if line.hasPrefix("=== ") {
                if !current.lines.isEmpty { all.append(current) }
                current = Dialogue(name: "\(file): \(line.dropFirst(4))")
            } else if line.hasPrefix("#") {
                current.options.formUnion(line.dropFirst().split(separator: " ").map(String.init))
            } else {
                current.lines.append(line)
            }
        }
        return all + [current]
    }

    private init(name: String) { self.name = name }

    // MARK: Of a client

    package enum Step: Sendable {
        /// These octets, together: of lines with `S:`, or `S!` where no CR LF stands behind them; they are escaped.
        case arrives([UInt8])
        /// A line with `C:`; with `C!` it has no end, as its text then says.
        case sends(String)
        /// Any other line: its first word, and what stands behind the blank.
        case other(String, rest: String)
    }

    /// What was said to have no line's end.
    package static let unended = " (no line's end)"

    /// The lines as steps; what arrives line behind line is, as a whole, one piece.
    package func steps(_ feeding: Feeding) -> [Step] {
        var steps: [Step] = []
        var arriving: [UInt8] = []
        func arrive() {
            if !arriving.isEmpty { steps += feeding.pieces(arriving).map { .arrives($0) } }
            arriving = []
        }
        for line in lines {
            let isSpoken = ["S:", "S!", "C:", "C!"].contains { line.hasPrefix($0) }
            let word = isSpoken ? String(line.prefix(2)) : String(line.prefix { $0 != " " })
            let rest = String(line.dropFirst(word.count + 1))
            if word == "S:" || word == "S!" {
                arriving += Self.unescaped(rest) + (word == "S:" ? [13, 10] : [])
                continue
            }
            arrive()
            switch word {
            case "C:": steps.append(.sends(rest))
            case "C!": steps.append(.sends(rest + Self.unended))
            default: steps.append(.other(word, rest: rest))
            }
        }
        arrive()
        return steps
    }

    /// The octets of a text in which `\r \n \0 \\` and `\xHH` are escapes; any other `\` stands for itself.
    package static func unescaped(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            guard byte == 0x5C, let kind = bytes.popFirst() else {
                out.append(byte)
                continue
            }
            switch kind {
            case UInt8(ascii: "r"): out.append(13)
            case UInt8(ascii: "n"): out.append(10)
            case UInt8(ascii: "0"): out.append(0)
            case UInt8(ascii: "x"):
                out.append(UInt8(String(decoding: bytes.prefix(2), as: UTF8.self), radix: 16) ?? 0x3F)
                bytes = bytes.dropFirst(2)
            case 0x5C: out.append(kind)
            default: out += [0x5C, kind]
            }
        }
        return out
    }
}
