// SPDX-License-Identifier: Apache-2.0

import IMAP
import Wire

/// Reads the mailboxes of an address field as ENVELOPE tells them (RFC 9051 §7.5.2): names as they are written, encoded words
/// included, without their quotation marks; in one pass, without recursion.
///
/// ```
/// address-list = address *("," address)
/// address      = mailbox / group
/// mailbox      = [display-name] "<" [route ":"] addr-spec ">" / addr-spec
/// group        = display-name ":" [group-list] ";"
/// ```
struct EnvelopeAddresses {
    /// More than that many are left out.
    private static let limit = 1000

    private let text: [UInt8]
    private var index = 0
    private var addresses: [IMAPAddress] = []
    /// Words before an angle address; or the parts of a bare one.
    private var phrase: [UInt8] = []
    /// The same as it is written, and without blanks: what a bare address is.
    private var bare: [UInt8] = []
    /// There is an `@` in it.
    private var hasAt = false
    private var comment: [UInt8]?
    private var isInGroup = false

    static func read(_ value: [UInt8]) -> [IMAPAddress] {
        var reader = Self(text: value)
        reader.run()
        return reader.addresses
    }

    private init(text: [UInt8]) { self.text = text }

    private var next: UInt8? { index < text.count ? text[index] : nil }

    private mutating func run() {
        while let byte = next, addresses.count < Self.limit {
            index += 1
            switch byte {
            case ASCII.openParenthesis: comment = readComment()
            case ASCII.quote:
                let content = readQuoted()
                phrase += content
                hasAt = hasAt || content.contains(ASCII.at)
                bare += [ASCII.quote] + content + [ASCII.quote]
            case ASCII.less: readAngle()
            case ASCII.comma: endBare()
            case ASCII.semicolon: endGroup()
            case ASCII.colon where !isInGroup && !hasAt: beginGroup()
            case ASCII.space, ASCII.tab: if !phrase.isEmpty, phrase.last != ASCII.space { phrase.append(ASCII.space) }
            case ASCII.openBracket:
                let literal = readLiteral()
                phrase += literal
                hasAt = hasAt || literal.contains(ASCII.at)
                bare += literal
            default:
                hasAt = hasAt || byte == ASCII.at
                phrase.append(byte)
                bare.append(byte)
            }
        }
        endBare()
        if isInGroup { endGroup() }
    }

    private mutating func reset() {
        phrase = []
        bare = []
        hasAt = false
        comment = nil
    }

    private static func trimmed(_ text: [UInt8]) -> [UInt8]? {
        var text = text
        while text.last == ASCII.space { text.removeLast() }
        return text.isEmpty ? nil : text
    }

    private mutating func readComment() -> [UInt8] {
        var depth = 1
        var content: [UInt8] = []
        while let byte = next {
            index += 1
            if byte == ASCII.openParenthesis { depth += 1 }
            if byte == ASCII.closeParenthesis {
                depth -= 1
                if depth == 0 { break }
            }
            if byte == ASCII.backslash, let escaped = next {
                index += 1
                content.append(escaped)
            } else {
                content.append(byte)
            }
        }
        return content
    }

    /// Behind the opening mark.
    private mutating func readQuoted() -> [UInt8] {
        var content: [UInt8] = []
        while let byte = next, byte != ASCII.quote {
            index += 1
            if byte == ASCII.backslash, let escaped = next {
                index += 1
                content.append(escaped)
            } else {
                content.append(byte)
            }
        }
        index = min(index + 1, text.count)
        return content
    }

    private mutating func readLiteral() -> [UInt8] {
        var content = [ASCII.openBracket]
        while let byte = next {
            index += 1
            content.append(byte)
            if byte == ASCII.closeBracket { break }
        }
        return content
    }

    /// Behind the `<`.
    private mutating func readAngle() {
        var address: [UInt8] = []
        var route: [UInt8]?
        while let byte = next, byte != ASCII.greater {
            index += 1
            switch byte {
            case ASCII.quote: address += [ASCII.quote] + readQuoted() + [ASCII.quote]
            case ASCII.openParenthesis: _ = readComment()
            case ASCII.colon where route == nil && address.first == ASCII.at:
                route = address
                address = []
            case ASCII.space, ASCII.tab: break
            default: address.append(byte)
            }
        }
        index = min(index + 1, text.count)
        add(name: Self.trimmed(phrase) ?? comment.flatMap(Self.trimmed), route: route, address)
        reset()
        // What stands behind it up to the comma belongs to nobody.
        while let byte = next, byte != ASCII.comma, byte != ASCII.semicolon {
            index += 1
            if byte == ASCII.openParenthesis { _ = readComment() }
            if byte == ASCII.quote { _ = readQuoted() }
            if byte == ASCII.less {
                index -= 1
                break
            }
        }
    }

    private mutating func endBare() {
        if !bare.isEmpty { add(name: comment.flatMap(Self.trimmed), route: nil, bare) }
        reset()
    }

    private mutating func add(name: [UInt8]?, route: [UInt8]?, _ address: [UInt8]) {
        guard addresses.count < Self.limit else { return }
        let at = address.lastIndex(of: ASCII.at)
        let mailbox = at.map { Array(address[..<$0]) } ?? address
        // A host there must be: a missing one would begin a group (RFC 9051 §7.5.2).
        let host = at.map { Array(address[($0 + 1)...]) } ?? []
        addresses.append(IMAPAddress(name: name, route: route, mailbox: Self.unquoted(mailbox), host: host))
    }

    /// A local part without the quotation marks around it.
    private static func unquoted(_ mailbox: [UInt8]) -> [UInt8] {
        guard mailbox.count >= 2, mailbox.first == ASCII.quote, mailbox.last == ASCII.quote else { return mailbox }
        return Array(mailbox.dropFirst().dropLast())
    }

    private mutating func beginGroup() {
        isInGroup = true
        addresses.append(IMAPAddress(mailbox: Self.trimmed(phrase) ?? [], host: nil))
        reset()
    }

    private mutating func endGroup() {
        endBare()
        guard isInGroup else { return }
        isInGroup = false
        addresses.append(IMAPAddress(mailbox: nil, host: nil))
    }
}

extension IMAPEnvelope {
    /// ENVELOPE of a header: Sender and Reply-To are what From is where the header has none, or empty ones.
    init(_ header: RawHeader) {
        self.init()
        func addresses(_ name: StaticString) -> [IMAPAddress] {
            header.list(name).map { EnvelopeAddresses.read($0) } ?? []
        }
        date = header.first("Date")
        subject = header.first("Subject")
        from = addresses("From")
        sender = addresses("Sender")
        if sender.isEmpty { sender = from }
        replyTo = addresses("Reply-To")
        if replyTo.isEmpty { replyTo = from }
        to = addresses("To")
        cc = addresses("Cc")
        bcc = addresses("Bcc")
        inReplyTo = header.first("In-Reply-To")
        messageID = header.first("Message-ID")
    }
}
