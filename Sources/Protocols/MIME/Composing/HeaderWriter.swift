// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

/// Writes header fields: folded at 78 octets where there is a place to fold (RFC 5322 §2.1.1), non-ASCII text as
/// encoded-words (RFC 2047), parameters by RFC 2231.
///
/// What would end a field early is refused, never escaped.
struct HeaderWriter: ~Copyable {
    private(set) var buffer = ByteBuffer()
    /// Octets on the line being written.
    private var column = 0

    static let preferredLine = 78
    /// RFC 2047 §2: an encoded-word is no longer than this.
    static let maximumEncodedWord = 75

    consuming func finish() -> [UInt8] { buffer.array() }

    // MARK: Fields

    /// `name: value`, the value as unstructured text.
    mutating func unstructured(_ name: String, _ value: String) throws(DraftError) {
        let bytes = Array(value.utf8)
        try Self.refuseControls(bytes, field: name)
        begin(name)
        if Self.isPlain(bytes) {
            words(bytes)
        } else {
            encodedWords(value, phrase: false)
        }
        end()
    }

    /// `name: a, b, c`; nothing where the list is empty.
    mutating func mailboxes(_ name: String, _ mailboxes: [Mailbox]) throws(DraftError) {
        guard !mailboxes.isEmpty else { return }
        begin(name)
        for (index, mailbox) in mailboxes.enumerated() {
            try self.mailbox(mailbox, field: name, isLast: index == mailboxes.count - 1)
        }
        end()
    }

    /// `name: <a> <b>`; nothing where the list is empty.
    mutating func messageIDs(_ name: String, _ ids: [MessageID]) {
        guard !ids.isEmpty else { return }
        begin(name)
        for id in ids { token([ASCII.less] + id.octets + [ASCII.greater]) }
        end()
    }

    /// `name: value`, the value known to be printable ASCII without need of folding.
    mutating func plain(_ name: String, _ value: [UInt8]) {
        begin(name)
        token(value)
        end()
    }

    /// `name: value; parameter=…`.
    mutating func parameterised(
        _ name: String,
        _ value: [UInt8],
        _ parameters: [(name: String, value: String)]
    ) throws(DraftError) {
        begin(name)
        token(value)
        for parameter in parameters {
            try Self.refuseControls(Array(parameter.value.utf8), field: parameter.name)
            for piece in Self.parameter(parameter.name, parameter.value) {
                append(ASCII.semicolon)
                token(piece)
            }
        }
        end()
    }

    // MARK: Pieces

    private mutating func begin(_ name: String) {
        column = 0
        for byte in name.utf8 { append(byte) }
        append(ASCII.colon)
    }

    private mutating func end() {
        buffer.appendLineEnd()
        column = 0
    }

    private mutating func append(_ byte: UInt8) {
        buffer.append(byte)
        column += 1
    }

    /// A piece that is not to be broken, behind a space; on a new line where it does not fit on this one.
    private mutating func token(_ bytes: [UInt8]) {
        if column + 1 + bytes.count > Self.preferredLine, column > 1 {
            buffer.appendLineEnd()
            column = 0
        }
        append(ASCII.space)
        buffer.append(bytes)
        column += bytes.count
    }

    /// Text whose spaces are the places to fold; runs of spaces keep their length.
    private mutating func words(_ bytes: [UInt8]) {
        var start = 0
        while start < bytes.count {
            // The first space of a run is the one `token` writes; the others go before it, at the end of the line.
            var stop = start
            while stop < bytes.count, bytes[stop] != ASCII.space { stop += 1 }
            token(Array(bytes[start..<stop]))
            var next = stop
            while next < bytes.count, bytes[next] == ASCII.space { next += 1 }
            for _ in 0..<max(0, next - stop - 1) { append(ASCII.space) }
            start = next
        }
    }

    private mutating func mailbox(_ mailbox: Mailbox, field: String, isLast: Bool) throws(DraftError) {
        let comma = isLast ? [] : [ASCII.comma]
        guard let name = mailbox.name, !name.isEmpty else {
            token(mailbox.address.octets + comma)
            return
        }
        let bytes = Array(name.utf8)
        try Self.refuseControls(bytes, field: field)
        if bytes.allSatisfy({ ASCII.isAtext($0) || $0 == ASCII.space }), Self.isPlain(bytes) {
            words(bytes)
        } else if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), bytes.count <= 60, !Self.looksEncoded(bytes) {
            token(Self.quoted(bytes))
        } else {
            encodedWords(name, phrase: true)
        }
        token([ASCII.less] + mailbox.address.octets + [ASCII.greater] + comma)
    }

    /// RFC 2047: UTF-8, each word of whole characters, in the shorter of `B` and `Q`.
    private mutating func encodedWords(_ text: String, phrase: Bool) {
        let bytes = Array(text.utf8)
        let quotedCost = bytes.reduce(0) { $0 + (Self.isQSafe($1) || $1 == ASCII.space ? 1 : 3) }
        let useQ = quotedCost <= (bytes.count + 2) / 3 * 4
        let room = Self.maximumEncodedWord - 12  // =?utf-8?Q??=
        var chunk: [UInt8] = []
        var cost = 0
        func encoded() -> [UInt8] {
            let inside = useQ ? chunk.flatMap(Self.qEncoded) : Base64.encode(chunk)
            return Array((useQ ? "=?utf-8?Q?" : "=?utf-8?B?").utf8) + inside + Array("?=".utf8)
        }
        for scalar in text.unicodeScalars {
            let octets = Array(UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            let more = useQ ? octets.reduce(0) { $0 + Self.qEncoded($1).count } : octets.count
            let limit = useQ ? room : room / 4 * 3
            if cost + more > limit, !chunk.isEmpty {
                token(encoded())
                chunk = []
                cost = 0
            }
            chunk += octets
            cost += more
        }
        if !chunk.isEmpty { token(encoded()) }
    }

    // MARK: Character classes and encodings

    static func refuseControls(_ bytes: [UInt8], field: String) throws(DraftError) {
        if bytes.contains(where: { ASCII.isControl($0) && $0 != ASCII.tab }) { throw .controlCharacter(field: field) }
    }

    /// Printable ASCII, no word too long for a line, no space at either end, nothing a reader would take for an encoded-word.
    private static func isPlain(_ bytes: [UInt8]) -> Bool {
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), bytes.first != ASCII.space, bytes.last != ASCII.space
        else {
            return bytes.isEmpty
        }
        return !looksEncoded(bytes) && !bytes.split(separator: ASCII.space).contains { $0.count > 900 }
            && !hasLongRunOfSpaces(bytes)
    }

    private static func hasLongRunOfSpaces(_ bytes: [UInt8]) -> Bool {
        var run = 0
        for byte in bytes {
            run = byte == ASCII.space ? run + 1 : 0
            if run > 60 { return true }
        }
        return false
    }

    private static func looksEncoded(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 2 else { return false }
        return (1..<bytes.count).contains { bytes[$0 - 1] == ASCII.equals && bytes[$0] == ASCII.question }
    }

    private static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        [ASCII.quote] + bytes.flatMap { $0 == ASCII.quote || $0 == ASCII.backslash ? [ASCII.backslash, $0] : [$0] }
            + [ASCII.quote]
    }

    /// RFC 2047 §5 (3): what a `Q` word within a phrase may hold as it is; used everywhere, for one rule.
    private static func isQSafe(_ byte: UInt8) -> Bool {
        ASCII.isAlphanumeric(byte) || [0x21, 0x2A, 0x2B, 0x2D, 0x2F].contains(byte)
    }

    private static func qEncoded(_ byte: UInt8) -> [UInt8] {
        if isQSafe(byte) { return [byte] }
        return byte == ASCII.space ? [ASCII.underscore] : [ASCII.equals] + upperHex(byte)
    }

    static func upperHex(_ byte: UInt8) -> [UInt8] {
        [byte >> 4, byte & 15].map { $0 < 10 ? 0x30 + $0 : 0x37 + $0 }
    }

    /// One parameter, in as many pieces as RFC 2231 needs.
    private static func parameter(_ name: String, _ value: String) -> [[UInt8]] {
        let bytes = Array(value.utf8)
        let prefix = Array(name.utf8)
        if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), bytes.count <= 60, !looksEncoded(bytes) {
            let isToken =
                !bytes.isEmpty
                && bytes.allSatisfy { ASCII.isAlphanumeric($0) || [0x2B, 0x2D, 0x2E, 0x5F].contains($0) }
            return [prefix + [ASCII.equals] + (isToken ? bytes : quoted(bytes))]
        }
        // RFC 2231 §3, §4: percent-encoded UTF-8, continued in numbered pieces; no character is split by a line.
        var pieces: [[UInt8]] = [[]]
        for byte in bytes {
            let safe = ASCII.isAlphanumeric(byte) || [0x2B, 0x2D, 0x2E, 0x5F].contains(byte)
            let encoded = safe ? [byte] : [ASCII.percent] + upperHex(byte)
            if pieces[pieces.count - 1].count + encoded.count > 50 { pieces.append([]) }
            pieces[pieces.count - 1] += encoded
        }
        if pieces.count == 1 { return [prefix + Array("*=utf-8''".utf8) + pieces[0]] }
        return pieces.enumerated().map { index, piece in
            prefix + Array("*\(index)*=".utf8) + (index == 0 ? Array("utf-8''".utf8) : []) + piece
        }
    }
}
