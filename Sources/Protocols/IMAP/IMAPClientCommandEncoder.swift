// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

/// Why a command cannot be written.
package enum IMAPClientCommandError: Error, Hashable, Sendable {
    /// CR, LF or NUL in what was to be a string, an octet that cannot stand in an atom, or nothing where something must be.
    case unencodable
}

/// Commands on the wire.
///
/// A string goes as an atom or in quotation marks where all its octets allow that, and as a literal otherwise; CR, LF and NUL are
/// refused everywhere. A literal that the server has to agree to first (RFC 9051 §4.3) divides a command.
package struct IMAPClientCommandEncoder: ~Copyable {
    package enum Literals: Hashable, Sendable {
        /// Each waits for the server.
        case synchronizing
        /// LITERAL-: those of at most 4,096 octets do not wait (RFC 7888).
        case minus
        /// LITERAL+: none waits.
        case plus
    }

    /// A part of a command.
    package enum Piece: Hashable, Sendable {
        case octets([UInt8])
        /// Nothing more before the server says `+`.
        case pause
        /// So many octets that somebody supplies.
        case supply(UInt64)
    }

    private let literals: Literals
    /// UTF8=ACCEPT or IMAP4rev2 was enabled: quoted strings may be UTF-8.
    let takesUTF8: Bool
    private var pieces: [Piece] = []
    private var output = ByteBuffer()

    package init(_ literals: Literals, isUTF8: Bool) {
        self.literals = literals
        takesUTF8 = isUTF8
    }

    /// All of a command, from its tag to its end.
    package static func encode(
        _ command: IMAPCommand,
        tag: [UInt8],
        _ literals: Literals,
        isUTF8: Bool
    ) throws(IMAPClientCommandError) -> [Piece] {
        var encoder = IMAPClientCommandEncoder(literals, isUTF8: isUTF8)
        encoder.output.append(tag)
        encoder.output.append(ASCII.space)
        try encoder.write(command)
        encoder.output.appendLineEnd()
        encoder.flush()
        return encoder.pieces
    }

    private mutating func flush() {
        guard !output.isEmpty else { return }
        pieces.append(.octets(output.array()))
        output.removeAll()
    }

    // MARK: Words and strings

    mutating func write(_ text: StaticString) { output.append(text) }
    mutating func space() { output.append(ASCII.space) }
    mutating func write(_ number: UInt64) { output.append(decimal: number) }
    mutating func write(_ set: IMAPNumberSet) throws(IMAPClientCommandError) {
        guard !set.isEmpty, !set.ranges.contains(where: { $0.lowerBound == 0 }) else { throw .unencodable }
        set.append(to: &output)
    }

    mutating func open() { output.append(ASCII.openParenthesis) }
    mutating func close() { output.append(ASCII.closeParenthesis) }

    /// `astring`, with an atom only where it is one beyond doubt.
    mutating func write(astring octets: [UInt8]) throws(IMAPClientCommandError) {
        if !octets.isEmpty, octets.count <= 255, octets.allSatisfy(IMAPGrammar.isStrictAtom),
            !ASCII.equalsIgnoringCase(octets, "NIL")
        {
            output.append(octets)
        } else {
            try write(string: octets)
        }
    }

    mutating func write(string octets: [UInt8]) throws(IMAPClientCommandError) {
        guard !octets.contains(where: { $0 == ASCII.nul || $0 == ASCII.cr || $0 == ASCII.lf }) else {
            throw .unencodable
        }
        let isQuotable = octets.allSatisfy {
            $0 >= 0x20 && $0 != ASCII.delete && ($0 < 0x80 || takesUTF8) && $0 != ASCII.quote && $0 != ASCII.backslash
        }
        if isQuotable, octets.count <= 1000, !takesUTF8 || octets.span.utf8String() != nil {
            output.append(ASCII.quote)
            output.append(octets)
            output.append(ASCII.quote)
        } else {
            literal(UInt64(octets.count))
            output.append(octets)
        }
    }

    /// The announcement of a literal, and the pause that it may need.
    private mutating func literal(_ octets: UInt64) {
        output.append(ASCII.openBrace)
        output.append(decimal: octets)
        let waits =
            switch literals {
            case .synchronizing: true
            case .minus: octets > 4096
            case .plus: false
            }
        output.append(waits ? "}\r\n" : "+}\r\n")
        guard waits else { return }
        flush()
        pieces.append(.pause)
    }

    /// The literal of a message, whose octets come from somebody else.
    mutating func suppliedLiteral(_ octets: UInt64, isUTF8: Bool, isBinary: Bool) {
        if isUTF8 { output.append("UTF8 (~") } else if isBinary { output.append("~") }
        literal(octets)
        flush()
        pieces.append(.supply(octets))
        if isUTF8 { close() }
    }

    mutating func write(_ mailbox: IMAPMailboxName) throws(IMAPClientCommandError) {
        guard mailbox.isSendable else { throw .unencodable }
        try write(astring: mailbox.octets)
    }

    /// `list-mailbox = 1*list-char / string`: always a string, in which `*` and `%` mean as much.
    mutating func write(pattern octets: [UInt8]) throws(IMAPClientCommandError) { try write(string: octets) }

    mutating func write(atom text: String) throws(IMAPClientCommandError) {
        let octets = Array(text.utf8)
        guard !octets.isEmpty, octets.allSatisfy(IMAPGrammar.isStrictAtom) else { throw .unencodable }
        output.append(octets)
    }

    mutating func write(_ flags: IMAPFlags) {
        var sendable = flags
        sendable.isRecent = false
        sendable.allowsNewKeywords = false
        sendable.append(to: &output)
    }

    mutating func write(_ date: IMAPDateTime) { date.append(to: &output) }
    mutating func write(day: Timestamp) { IMAPDateTime.append(day.civil, to: &output) }
    /// Octets that were looked at already.
    mutating func write(raw octets: [UInt8]) { output.append(octets) }
    mutating func write(_ section: IMAPSection) { section.append(to: &output) }

    /// Values in parentheses, spaces between them.
    mutating func list<Value>(
        _ values: [Value],
        _ write: (inout Self, Value) throws(IMAPClientCommandError) -> Void
    ) throws(IMAPClientCommandError) {
        open()
        for (index, value) in values.enumerated() {
            if index > 0 { space() }
            try write(&self, value)
        }
        close()
    }
}
