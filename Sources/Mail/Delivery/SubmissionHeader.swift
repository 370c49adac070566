// SPDX-License-Identifier: Apache-2.0

import MIME
package import MailTypes
package import Wire

/// Holds back the header section of a submitted message until it is complete, says whom it is from and for, and what it
/// lacks.
///
/// What comes behind the header section passes untouched.
package struct SubmissionHeader {
    private var octets: [UInt8] = []
    private var lineStart = 0
    /// Before this there is no line end that was not looked at.
    private var scanned = 0

    package private(set) var isComplete = false
    private var from: [[UInt8]] = []
    private var sender: [[UInt8]] = []
    /// The raw values of To, Cc and Bcc, in their order.
    private var destinations: [[UInt8]] = []
    /// Where the Bcc fields stand in `octets`.
    private var blind: [Range<Int>] = []
    private var fieldStart = 0
    private var hasDate = false
    private var current: (name: [UInt8], value: [UInt8])?
    /// The section ended at a line that is no field: it belongs to the body.
    private var lacksEmptyLine = false
    /// The value of the first Message-ID, raw.
    private var messageIDField: [UInt8]?

    /// The section may have at most so many octets.
    package static let maximumOctets = 1 << 20

    package init() {}

    /// Takes octets as long as the section goes on; true once it is complete, with `octets` holding all that was taken.
    package mutating func take(_ input: inout ByteBuffer) -> Bool {
        octets.append(contentsOf: input.array())
        input.removeAll()
        while !isComplete, let end = endOfLine() {
            readLine(octets[lineStart..<(end - 1)])
            lineStart = end + 1
        }
        return isComplete
    }

    /// The message ends: a last line without its CRLF is read too.
    package mutating func finish() {
        guard !isComplete else { return }
        if lineStart < octets.count {
            readLine(octets[lineStart...])
            lineStart = octets.count
        } else {
            lacksEmptyLine = false
        }
        endField()
        isComplete = true
    }

    private mutating func endOfLine() -> Int? {
        while scanned < octets.count {
            defer { scanned += 1 }
            if octets[scanned] == ASCII.lf, scanned > lineStart, octets[scanned - 1] == ASCII.cr { return scanned }
        }
        return nil
    }

    private mutating func readLine(_ line: ArraySlice<UInt8>) {
        guard let first = line.first else {
            endField()
            isComplete = true
            return
        }
        if ASCII.isBlank(first), current != nil {
            current?.value += [ASCII.cr, ASCII.lf] + line
            return
        }
        endField()
        fieldStart = lineStart
        guard let colon = line.firstIndex(of: ASCII.colon), let name = Self.name(line[..<colon]) else {
            lacksEmptyLine = true
            isComplete = true
            return
        }
        current = (name, Array(line[(colon + 1)...]))
    }

    /// `1*ftext`, with the blanks before the colon that RFC 5322 §4.5 once allowed; in lower case.
    private static func name(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var name = text
        while let last = name.last, ASCII.isBlank(last) { name.removeLast() }
        guard !name.isEmpty, name.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return ASCII.lowercased(name)
    }

    private mutating func endField() {
        guard let (name, value) = current else { return }
        current = nil
        if name.elementsEqual("from".utf8) { from.append(value) }
        if name.elementsEqual("sender".utf8) { sender.append(value) }
        if name.elementsEqual("date".utf8) { hasDate = true }
        if name.elementsEqual("message-id".utf8), messageIDField == nil { messageIDField = value }
        let isBlind = name.elementsEqual("bcc".utf8)
        if isBlind { blind.append(fieldStart..<lineStart) }
        if isBlind || name.elementsEqual("to".utf8) || name.elementsEqual("cc".utf8) { destinations.append(value) }
    }

    // MARK: What it says

    /// The addresses in From; nil where it is there more than once, or is not a list of mailboxes.
    package var authors: [EmailAddress]? { Self.addresses(ofOnly: from) }

    /// The same of Sender, which names who sent it for the authors (RFC 5322 §3.6.2).
    package var senders: [EmailAddress]? { Self.addresses(ofOnly: sender) }

    private static func addresses(ofOnly fields: [[UInt8]]) -> [EmailAddress]? {
        guard fields.count <= 1 else { return nil }
        guard let field = fields.first else { return [] }
        guard let addresses = Self.addresses(field), !addresses.isEmpty else { return nil }
        return addresses
    }

    /// The addresses in To, Cc and Bcc, each once; nil where one of the fields cannot be read as addresses.
    package var recipients: [EmailAddress]? {
        var seen: Set<EmailAddress> = []
        var recipients: [EmailAddress] = []
        for field in destinations {
            guard let addresses = Self.addresses(field) else { return nil }
            recipients += addresses.filter { seen.insert($0).inserted }
        }
        return recipients
    }

    /// The message's own Message-ID; nil where it has none that is one.
    package var messageID: MessageID? {
        messageIDField.flatMap { value in
            var text = value[...]
            while let first = text.first, ASCII.isWhitespace(first) { text.removeFirst() }
            while let last = text.last, ASCII.isWhitespace(last) { text.removeLast() }
            return MessageID(Array(text).span)
        }
    }

    private static func addresses(_ field: [UInt8]) -> [EmailAddress]? {
        let parsed = AddressParser.parse(field[...])
        guard !parsed.sawMalformed, !parsed.sawTooMany else { return nil }
        // A group without members stands as one empty address.
        let present = parsed.addresses.filter { !$0.address.isEmpty }
        let addresses = present.compactMap { EmailAddress($0.address) }
        return addresses.count == present.count ? addresses : nil
    }

    /// The octets taken, without Bcc (RFC 5322 §3.6.3), behind the fields that a message must have and this one lacks
    /// (RFC 6409 §8).
    ///
    /// `messageID` is taken where it has none.
    package mutating func completed(from sender: EmailAddress, date: Timestamp, messageID: MessageID) -> [UInt8] {
        var added = ByteBuffer()
        if !hasDate {
            added.append("Date: ")
            added.append(rfc5322: date)
            added.appendLineEnd()
        }
        if from.isEmpty {
            added.append("From: ")
            added.append(sender.octets)
            added.appendLineEnd()
        }
        if messageIDField == nil {
            added.append("Message-ID: <")
            added.append(messageID.octets)
            added.append(">\r\n")
        }
        if lacksEmptyLine { added.appendLineEnd() }
        for range in blind.reversed() { octets.removeSubrange(range) }
        defer { octets = [] }
        return added.array() + octets
    }
}
