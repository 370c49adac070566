// SPDX-License-Identifier: Apache-2.0

package import IMAP
package import MailTypes
package import Storage
import Wire

/// How the names of a server's mailboxes and ours belong together.
///
/// Ours have `/` between levels, whatever the server has, and no prefix of its personal namespace. What a level of ours may
/// not have becomes `=HH`, in hexadecimal digits.
package struct RemoteFolderNames: Hashable, Sendable {
    /// Names are UTF-8 on the wire.
    package let isUTF8: Bool
    /// What the owner's mailboxes begin with there, INBOX apart: empty at most servers, `INBOX.` at some.
    package let prefix: [UInt8]
    package let separator: UInt8?

    package init(isUTF8: Bool, prefix: [UInt8] = [], separator: UInt8?) {
        self.isUTF8 = isUTF8
        self.prefix = prefix
        self.separator = separator
    }

    /// What a list of all mailboxes says of that, where the server has no NAMESPACE to tell it (RFC 2342): if each of them is below
    /// INBOX, no other can be made (Courier, Cyrus as it comes).
    package init(isUTF8: Bool, of mailboxes: [(name: IMAPMailboxName, separator: UInt8?)]) {
        let separator = mailboxes.lazy.compactMap(\.separator).first
        let others = mailboxes.filter { !$0.name.isInbox }.map(\.name.octets)
        let count = IMAPMailboxName.inbox.octets.count
        let areBelow = others.allSatisfy { name in
            name.count > count + 1 && name[count] == separator
                && ASCII.equalsIgnoringCase(Array(name[..<count]), "INBOX")
        }
        let prefix = areBelow ? others.first.map { Array($0[...count]) } : nil
        self.init(isUTF8: isUTF8, prefix: prefix ?? [], separator: separator)
    }

    /// Our name for a mailbox; nil where it makes none.
    package func name(of mailbox: IMAPMailboxName, separator: UInt8?) -> FolderName? {
        if mailbox.isInbox { return try? FolderName("INBOX") }
        var octets = mailbox.octets[...]
        if !prefix.isEmpty, octets.starts(with: prefix), octets.count > prefix.count {
            octets = octets.dropFirst(prefix.count)
        }
        let levels = separator.map { octets.split(separator: $0, omittingEmptySubsequences: false) } ?? [octets]
        let texts = levels.map { Self.escaped(IMAPMailboxName(octets: Array($0)).text(isUTF8: isUTF8)) }
        // Some other mailbox whose name would be taken for INBOX.
        if texts.count == 1, ASCII.equalsIgnoringCase(Array(texts[0].utf8), "INBOX") { return nil }
        return try? FolderName(texts.joined(separator: "/"))
    }

    /// The mailbox that a name of ours is there; nil where the server cannot have such levels.
    package func mailbox(_ name: FolderName) -> IMAPMailboxName? {
        let levels = name.text.utf8.split(separator: ASCII.slash)
        if levels.count == 1, ASCII.equalsIgnoringCase(Array(levels[0]), "INBOX") { return .inbox }
        guard let separator else {
            return levels.count == 1 ? IMAPMailboxName(octets: prefix + wire(levels[0])) : nil
        }
        let octets = levels.map(wire)
        // A separator within a level would be one more level there.
        guard !octets.contains(where: { $0.contains(separator) }) else { return nil }
        return IMAPMailboxName(octets: prefix + Array(octets.joined(separator: [separator])))
    }

    private func wire(_ level: Substring.UTF8View.SubSequence) -> [UInt8] {
        IMAPMailboxName(String(decoding: Self.unescaped(Array(level)), as: UTF8.self), isUTF8: isUTF8).octets
    }

    /// A level with what may not be in it escaped: `/`, controls, blanks at the ends.
    private static func escaped(_ level: String) -> String {
        let octets = Array(level.utf8)
        var text: [UInt8] = []
        for (index, byte) in octets.enumerated() {
            let isAtEnd = index == 0 || index == octets.count - 1
            let isC1 = byte == 0xC2 && index + 1 < octets.count && octets[index + 1] < 0xA0
            let isRestOfC1 = index > 0 && octets[index - 1] == 0xC2 && byte < 0xA0
            if byte == ASCII.slash || ASCII.isControl(byte) || isC1 || isRestOfC1 || (isAtEnd && byte == ASCII.space) {
                text += [ASCII.equals] + Hex.encode([byte].span).map(ASCII.uppercased)
            } else {
                text.append(byte)
            }
        }
        return text.span.repairedUTF8String()
    }

    /// Undoes what ``escaped(_:)`` did to `/` and blanks.
    private static func unescaped(_ level: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var index = 0
        while index < level.count {
            let digits = Array(level[index...].dropFirst().prefix(2))
            if level[index] == ASCII.equals, digits.count == 2, let byte = Hex.decode(digits.span)?.first,
                byte == ASCII.slash || byte == ASCII.space
            {
                text.append(byte)
                index += 3
            } else {
                text.append(level[index])
                index += 1
            }
        }
        return text
    }
}

/// What folders are for, where the server does not say: by names that many mail programs use.
package enum UsualFolderRoles {
    private static let names: [(FolderRole, [StaticString])] = [
        (.sent, ["Sent", "Sent Items", "Sent Messages", "Sent Mail"]),
        (.drafts, ["Drafts", "Draft"]),
        (.trash, ["Trash", "Deleted Items", "Deleted Messages", "Deleted", "Bin"]),
        (.junk, ["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"]),
        (.archive, ["Archive", "Archives"]),
    ]

    package static func role(of name: FolderName) -> FolderRole? {
        names.first { _, words in words.contains { ASCII.equalsIgnoringCase(Array(name.text.utf8), $0) } }?.0
    }
}
