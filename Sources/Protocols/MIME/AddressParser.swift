// SPDX-License-Identifier: Apache-2.0

import Charsets
import Wire

/// Reads the mailboxes of a From, To or like field (RFC 5322 §3.4 and §4.4), in one pass, without recursion.
///
/// The address is taken before anything is decoded: an encoded word can only ever be part of a name.
///
/// ```
/// address-list = (address *("," address)) / obs-addr-list
/// address      = mailbox / group
/// mailbox      = name-addr / addr-spec
/// name-addr    = [display-name] angle-addr
/// group        = display-name ":" [group-list] ";" [CFWS]
/// ```
package struct AddressParser {
    package private(set) var addresses: [MailAddress] = []
    /// Something was neither mailbox nor group.
    package private(set) var sawMalformed = false
    /// There were more than the limit.
    package private(set) var sawTooMany = false

    private let text: [UInt8]
    private let limit: Int
    private var index = 0
    /// What stands before an angle address, without quotes; or all of a bare address.
    private var phrase: [UInt8] = []
    /// The same with its quotes, and blanks only between words: the candidate for a bare address.
    private var spec: [UInt8] = []
    /// Whether there is an at sign in it: asked at each colon, of which there may be as many as octets.
    private var specHasAt = false
    private var comment: [UInt8] = []
    private var angle: [UInt8]?
    private var group: String?
    private var isInGroup = false
    private var groupHasMembers = false
    /// A comment that never ends was met: parentheses are ordinary from there on.
    private var hasOpenComment = false
    /// The same for quotes.
    private var hasOpenQuote = false

    package static func parse(_ raw: ArraySlice<UInt8>, limit: Int = MIMELimits.standard.addresses) -> AddressParser {
        var parser = AddressParser(text: HeaderText.unfolded(raw), limit: limit)
        parser.run()
        return parser
    }

    private init(text: [UInt8], limit: Int) {
        self.text = text
        self.limit = limit
    }

    private mutating func run() {
        while index < text.count, !sawTooMany {
            let byte = text[index]
            index += 1
            switch byte {
            case ASCII.space, ASCII.tab: appendBlank()
            case ASCII.quote where !hasOpenQuote: quotedString()
            case ASCII.openParenthesis where !hasOpenComment: takeComment()
            case ASCII.openBracket: domainLiteral()
            case ASCII.less: angleAddress()
            case ASCII.comma: endMailbox()
            case ASCII.semicolon: endGroup()
            case ASCII.colon where beginsGroup: beginGroup()
            case ASCII.backslash where index < text.count:
                append(text[index])
                index += 1
            default: append(byte)
            }
        }
        if isInGroup { endGroup() } else { endMailbox() }
    }

    private mutating func append(_ byte: UInt8) {
        phrase.append(byte)
        spec.append(byte)
        if byte == ASCII.at { specHasAt = true }
    }

    private mutating func appendBlank() {
        if let last = phrase.last, last != ASCII.space { phrase.append(ASCII.space) }
        if let last = spec.last, last != ASCII.space { spec.append(ASCII.space) }
    }

    private mutating func quotedString() {
        var content: [UInt8] = []
        var next = index
        while next < text.count, text[next] != ASCII.quote {
            if text[next] == ASCII.backslash, next + 1 < text.count { next += 1 }
            content.append(text[next])
            next += 1
        }
        guard next < text.count else {
            hasOpenQuote = true
            sawMalformed = true
            return append(ASCII.quote)
        }
        spec.append(contentsOf: text[(index - 1)...next])
        if content.contains(ASCII.at) { specHasAt = true }
        phrase.append(contentsOf: content)
        index = next + 1
    }

    /// ```
    /// comment = "(" *([FWS] ccontent) [FWS] ")"
    /// ```
    private mutating func takeComment() {
        var depth = 1
        var content: [UInt8] = []
        var next = index
        while next < text.count {
            switch text[next] {
            case ASCII.backslash where next + 1 < text.count:
                next += 1
                content.append(text[next])
            case ASCII.openParenthesis:
                depth += 1
                content.append(ASCII.openParenthesis)
            case ASCII.closeParenthesis:
                depth -= 1
                if depth > 0 { content.append(ASCII.closeParenthesis) }
            default: content.append(text[next])
            }
            next += 1
            if depth == 0 {
                index = next
                if !content.isEmpty { comment = content }
                return appendBlank()
            }
        }
        hasOpenComment = true
        sawMalformed = true
        append(ASCII.openParenthesis)
    }

    private mutating func domainLiteral() {
        append(ASCII.openBracket)
        guard let last = spec.dropLast().last, last == ASCII.at,
            let end = text[index...].prefix(256).firstIndex(of: ASCII.closeBracket)
        else { return }
        for byte in text[index...end] { append(byte) }
        index = end + 1
    }

    /// ```
    /// angle-addr     = [CFWS] "<" addr-spec ">" [CFWS] / obs-angle-addr
    /// obs-angle-addr = [CFWS] "<" obs-route addr-spec ">" [CFWS]
    /// ```
    private mutating func angleAddress() {
        let outer = (phrase, spec, comment)
        (phrase, spec) = ([], [])
        scan: while index < text.count {
            let byte = text[index]
            index += 1
            switch byte {
            case ASCII.greater: break scan
            case ASCII.space, ASCII.tab: appendBlank()
            case ASCII.quote where !hasOpenQuote: quotedString()
            case ASCII.openParenthesis where !hasOpenComment: takeComment()
            case ASCII.openBracket: domainLiteral()
            case ASCII.less: sawMalformed = true
            case ASCII.colon where spec.first == ASCII.at: spec = []  // the route ends
            case ASCII.comma where spec.first != ASCII.at:
                sawMalformed = true
                index -= 1
                break scan
            default: append(byte)
            }
        }
        if angle == nil { angle = spec } else { sawMalformed = true }
        (phrase, spec, comment) = outer
        while index < text.count, text[index] == ASCII.greater { index += 1 }
    }

    /// A colon ends the name of a group, unless we are in one already or it stands in something like `mailto:a@b`.
    private var beginsGroup: Bool { !isInGroup && angle == nil && !specHasAt }

    private mutating func beginGroup() {
        let name = HeaderText.decode(phrase)
        reset()
        group = name
        isInGroup = true
        groupHasMembers = false
    }

    private mutating func endGroup() {
        endMailbox()
        if isInGroup, !groupHasMembers, let group { add(MailAddress(address: "", group: group)) }
        group = nil
        isInGroup = false
    }

    private mutating func reset() {
        phrase.removeAll(keepingCapacity: true)
        spec.removeAll(keepingCapacity: true)
        specHasAt = false
        comment.removeAll(keepingCapacity: true)
        angle = nil
    }

    private mutating func add(_ address: MailAddress) {
        guard addresses.count < limit else {
            sawTooMany = true
            return
        }
        addresses.append(address)
    }

    private mutating func endMailbox() {
        defer { reset() }
        let before = addresses.count
        if let angle {
            let address = Self.joined(angle)
            let name = Self.isBlank(phrase) ? comment : phrase
            if !Self.isAddress(address) { sawMalformed = true }
            if !address.isEmpty || !Self.isBlank(name) { add(mailbox(name: name, address: address)) }
        } else {
            endBareMailbox()
        }
        if addresses.count > before { groupHasMembers = true }
    }

    private mutating func endBareMailbox() {
        let bare = Self.joined(spec)
        guard !bare.isEmpty else {
            if !Self.isBlank(comment) { sawMalformed = true }
            return
        }
        if let blank = Self.lastBlank(bare) {
            // Words without angle brackets: the one with an @ is the address, the others are a name.
            sawMalformed = true
            let last = Array(bare[(blank + 1)...])
            if last.contains(ASCII.at) {
                add(mailbox(name: Array(bare[..<blank]), address: last))
            } else if let first = bare.firstIndex(of: ASCII.space), bare[..<first].contains(ASCII.at) {
                add(mailbox(name: Array(bare[(first + 1)...]), address: Array(bare[..<first])))
            } else {
                add(mailbox(name: phrase, address: []))
            }
            return
        }
        if !Self.isAddress(bare) { sawMalformed = true }
        let isEncoded = bare.starts(with: [ASCII.equals, ASCII.question])
        add(isEncoded ? mailbox(name: phrase, address: []) : mailbox(name: comment, address: bare))
    }

    /// The place of the last blank outside quotes.
    private static func lastBlank(_ spec: [UInt8]) -> Int? {
        var last: Int?
        var isQuoted = false
        var isEscaped = false
        for (index, byte) in spec.enumerated() {
            if isEscaped {
                isEscaped = false
            } else if byte == ASCII.backslash {
                isEscaped = true
            } else if byte == ASCII.quote {
                isQuoted.toggle()
            } else if byte == ASCII.space, !isQuoted {
                last = index
            }
        }
        return last
    }

    private func mailbox(name: [UInt8], address: [UInt8]) -> MailAddress {
        let name = HeaderText.decode(name)
        return MailAddress(
            name: name.isEmpty ? nil : name,
            address: HeaderText.literal(address),
            group: group.flatMap { $0.isEmpty ? nil : $0 }
        )
    }

    /// Something on both sides of an at sign.
    private static func isAddress(_ spec: [UInt8]) -> Bool {
        spec.contains(ASCII.at) && spec.first != ASCII.at && spec.last != ASCII.at
    }

    private static func isBlank(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy(ASCII.isBlank) }

    /// Without blanks at the ends and around dots and at signs outside quotes, as obsolete syntax allowed them.
    private static func joined(_ spec: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var isQuoted = false
        var isEscaped = false
        for byte in spec {
            if isQuoted {
                out.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == ASCII.backslash {
                    isEscaped = true
                } else if byte == ASCII.quote {
                    isQuoted = false
                }
                continue
            }
            if byte == ASCII.space, out.last.map({ $0 == ASCII.dot || $0 == ASCII.at || $0 == ASCII.space }) ?? true {
                continue
            }
            if byte == ASCII.dot || byte == ASCII.at, out.last == ASCII.space { out.removeLast() }
            if byte == ASCII.quote { isQuoted = true }
            out.append(byte)
        }
        if !isQuoted, out.last == ASCII.space { out.removeLast() }
        return out
    }
}

extension HeaderText {
    /// Octets as text, nothing decoded: UTF-8 if they are that, else windows-1252.
    ///
    /// Controls become U+FFFD.
    package static func literal(_ octets: some Collection<UInt8>) -> String {
        let octets = Array(octets)
        var text = octets.span.utf8String() ?? decodeLegacy(octets)
        if octets.contains(where: ASCII.isControl) {
            text = String(
                String.UnicodeScalarView(
                    text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0 }
                )
            )
        }
        return text
    }

    private static func decodeLegacy(_ octets: [UInt8]) -> String {
        CharsetDecoder.decode(octets.span, as: .windows1252).span.repairedUTF8String()
    }
}
