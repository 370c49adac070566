// SPDX-License-Identifier: Apache-2.0

import Wire

/// Reads the fields that lists of messages show.
///
/// Where one that may be there once is there again, the first counts; the addresses of several To, Cc, Bcc and Reply-To
/// fields are joined, as most readers do.
struct EnvelopeReader {
    private let header: HeaderBlock
    private let limits: MIMELimits
    private(set) var defects: [MIMEDefect.Code] = []

    init(_ header: HeaderBlock, limits: MIMELimits) {
        self.header = header
        self.limits = limits
    }

    mutating func read() -> Envelope {
        var envelope = Envelope()
        envelope.from = addresses("from", joins: false)
        envelope.sender = addresses("sender", joins: false).first
        envelope.replyTo = addresses("reply-to", joins: true)
        envelope.to = addresses("to", joins: true)
        envelope.cc = addresses("cc", joins: true)
        envelope.bcc = addresses("bcc", joins: true)
        envelope.subject = only("subject").map(HeaderText.decode)
        if let raw = only("date") {
            envelope.date = DateParser.parse(raw)
            if envelope.date == nil { defects.append(.dateMalformed) }
        }
        if let raw = only("message-id") {
            envelope.messageID = MessageIDParser.parse(raw, limit: 1).first
            if envelope.messageID == nil { defects.append(.messageIDMalformed) }
        }
        envelope.inReplyTo = ids("in-reply-to")
        envelope.references = ids("references")
        if hasEightBit { defects.append(.headerEightBit) }
        return envelope
    }

    private var hasEightBit: Bool {
        (0..<header.count).contains { header.rawValue($0).contains { $0 >= 0x80 } }
    }

    private mutating func only(_ name: StaticString) -> ArraySlice<UInt8>? {
        let places = header.indices(named: name)
        if places.count > 1 { defects.append(.headerDuplicate) }
        return places.first.map(header.rawValue)
    }

    private mutating func ids(_ name: StaticString) -> [String] {
        only(name).map { MessageIDParser.parse($0, limit: limits.references) } ?? []
    }

    private mutating func addresses(_ name: StaticString, joins: Bool) -> [MailAddress] {
        let places = header.indices(named: name)
        if places.count > 1 { defects.append(.headerDuplicate) }
        var addresses: [MailAddress] = []
        for place in joins ? places[...] : places.prefix(1) {
            let parsed = AddressParser.parse(header.rawValue(place), limit: limits.addresses - addresses.count)
            if parsed.sawMalformed { defects.append(.addressMalformed) }
            if parsed.sawTooMany { defects.append(.addressesTooMany) }
            addresses += parsed.addresses
            if parsed.sawTooMany { break }
        }
        return addresses
    }
}
