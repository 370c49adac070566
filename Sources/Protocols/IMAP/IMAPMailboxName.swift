// SPDX-License-Identifier: Apache-2.0

import Wire

/// The name of a mailbox as it is on the wire: modified UTF-7, or UTF-8 where that was enabled.
package struct IMAPMailboxName: Hashable, Sendable {
    /// INBOX in capitals, however it was written (RFC 9051 §5.1).
    package let octets: [UInt8]

    package init(octets: [UInt8]) {
        self.octets = ASCII.equalsIgnoringCase(octets, "INBOX") ? Array("INBOX".utf8) : octets
    }

    package static let inbox = Self(octets: Array("INBOX".utf8))

    package var isInbox: Bool { self == .inbox }

    /// A name for people, on its way to a server.
    ///
    /// - Parameter isUTF8: the server takes UTF-8: UTF8=ACCEPT or IMAP4rev2 was enabled.
    package init(_ text: String, isUTF8: Bool) {
        self.init(octets: isUTF8 ? Array(text.utf8) : ModifiedUTF7.encode(text))
    }

    /// The name for people.
    ///
    /// What cannot be decoded is kept as it is, so that it can be told from other names; octets that are no UTF-8 become
    /// `=HH`.
    package func text(isUTF8: Bool) -> String {
        if !isUTF8, let text = ModifiedUTF7.decode(octets.span) { return text }
        if let text = octets.span.utf8String() { return text }
        let digits = Array("0123456789ABCDEF".utf8)
        let escaped: [UInt8] = octets.flatMap { byte -> [UInt8] in
            byte < 0x80 ? [byte] : [ASCII.equals, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return escaped.span.repairedUTF8String()
    }

    /// Whether a command can carry it: no NUL, CR or LF, and not empty.
    package var isSendable: Bool {
        !octets.isEmpty && !octets.contains { $0 == ASCII.nul || $0 == ASCII.cr || $0 == ASCII.lf }
    }
}

extension IMAPCursor {
    /// `mailbox = "INBOX" / astring`.
    mutating func mailbox() throws(IMAPSyntaxError) -> IMAPMailboxName {
        let name = IMAPMailboxName(octets: try astring())
        if name.octets.contains(where: { $0 >= 0x80 }) { deviations.insert(.utf8MailboxName) }
        return name
    }
}
