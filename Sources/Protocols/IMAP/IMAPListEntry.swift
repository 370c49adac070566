// SPDX-License-Identifier: Apache-2.0

package import MailTypes
import Wire

/// `mailbox-list`: one mailbox of a LIST, LSUB or XLIST response.
package struct IMAPListEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case list, lsub, xlist }

    /// `mbx-list-flags`, with those of RFC 6154, RFC 8457 and RFC 9051.
    package struct Attributes: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let noInferiors = Self(rawValue: 1 << 0)
        package static let noSelect = Self(rawValue: 1 << 1)
        package static let marked = Self(rawValue: 1 << 2)
        package static let unmarked = Self(rawValue: 1 << 3)
        package static let hasChildren = Self(rawValue: 1 << 4)
        package static let hasNoChildren = Self(rawValue: 1 << 5)
        package static let nonExistent = Self(rawValue: 1 << 6)
        package static let subscribed = Self(rawValue: 1 << 7)
        package static let remote = Self(rawValue: 1 << 8)
        package static let all = Self(rawValue: 1 << 9)
        package static let archive = Self(rawValue: 1 << 10)
        package static let drafts = Self(rawValue: 1 << 11)
        package static let flagged = Self(rawValue: 1 << 12)
        package static let junk = Self(rawValue: 1 << 13)
        package static let sent = Self(rawValue: 1 << 14)
        package static let trash = Self(rawValue: 1 << 15)
        package static let important = Self(rawValue: 1 << 16)
        package static let inbox = Self(rawValue: 1 << 17)

        static let words: [(StaticString, Self)] = [
            ("\\Noinferiors", .noInferiors), ("\\Noselect", .noSelect), ("\\Marked", .marked),
            ("\\Unmarked", .unmarked), ("\\HasChildren", .hasChildren), ("\\HasNoChildren", .hasNoChildren),
            ("\\NonExistent", .nonExistent), ("\\Subscribed", .subscribed), ("\\Remote", .remote), ("\\All", .all),
            ("\\Archive", .archive), ("\\Drafts", .drafts), ("\\Flagged", .flagged), ("\\Junk", .junk),
            ("\\Sent", .sent), ("\\Trash", .trash), ("\\Important", .important),
            // XLIST, which Gmail had before RFC 6154.
            ("\\AllMail", .all), ("\\Starred", .flagged), ("\\Spam", .junk), ("\\Inbox", .inbox),
        ]
    }

    package var kind: Kind
    package var attributes: Attributes
    /// Attributes that we do not know.
    package var otherAttributes: [[UInt8]]
    /// Between a mailbox and those below it; nil where nothing is below.
    package var separator: UInt8?
    package var mailbox: IMAPMailboxName
    /// What it was called before (RFC 5465, RFC 9051 §6.3.9.7).
    package var oldName: IMAPMailboxName?
    /// CHILDINFO: there are subscribed mailboxes below it (RFC 5258).
    package var hasSubscribedChildren: Bool

    package init(
        _ mailbox: IMAPMailboxName,
        kind: Kind = .list,
        attributes: Attributes,
        otherAttributes: [[UInt8]] = [],
        separator: UInt8?,
        oldName: IMAPMailboxName? = nil,
        hasSubscribedChildren: Bool = false
    ) {
        self.mailbox = mailbox
        self.kind = kind
        self.attributes = attributes
        self.otherAttributes = otherAttributes
        self.separator = separator
        self.oldName = oldName
        self.hasSubscribedChildren = hasSubscribedChildren
    }

    package var isSelectable: Bool { attributes.isDisjoint(with: [.noSelect, .nonExistent]) }

    /// What the folder is for, by its special use or because it is INBOX.
    package var role: FolderRole? {
        if mailbox.isInbox { return .inbox }
        let roles: [(Attributes, FolderRole)] = [
            (.sent, .sent), (.drafts, .drafts), (.trash, .trash), (.junk, .junk), (.archive, .archive),
        ]
        return roles.first { attributes.contains($0.0) }?.1
    }
}

extension IMAPCursor {
    /// ```.
    /// mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP mbox-list-extended]
    /// ```.
    mutating func listEntry(_ kind: IMAPListEntry.Kind, _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPListEntry {
        var entry = IMAPListEntry(.inbox, kind: kind, attributes: [], separator: nil)
        try listAttributes(&entry)
        try space()
        if let separator = try nstring() {
            if separator.isEmpty { deviations.insert(.emptySeparator) }
            entry.separator = separator.first
        }
        try space()
        entry.mailbox = try mailboxOrNothing()
        if isAtEnd { return entry }
        try space()
        if isAtEnd {
            deviations.insert(.spaceAtEnd)
            return entry
        }
        let tree = try IMAPTree(&self, limits)
        try expectEnd()
        for (name, value) in tree.labelled(0) {
            if ASCII.equalsIgnoringCase(name, "OLDNAME") {
                entry.oldName = tree.texts(value).first.map { IMAPMailboxName(octets: $0) }
            } else if ASCII.equalsIgnoringCase(name, "CHILDINFO") {
                entry.hasSubscribedChildren = tree.texts(value).contains { ASCII.equalsIgnoringCase($0, "SUBSCRIBED") }
            }
        }
        return entry
    }

    private mutating func listAttributes(_ entry: inout IMAPListEntry) throws(IMAPSyntaxError) {
        try expect(ASCII.openParenthesis)
        skipSpaces()
        while !take(ASCII.closeParenthesis) {
            let word = try atom()
            if let known = IMAPListEntry.Attributes.words.first(where: { ASCII.equalsIgnoringCase(word, $0.0) }) {
                entry.attributes.insert(known.1)
            } else if entry.otherAttributes.count < 64 {
                entry.otherAttributes.append(word)
            }
            try separator(ASCII.closeParenthesis)
        }
    }

    /// The answer to `LIST "" ""` names no mailbox.
    private mutating func mailboxOrNothing() throws(IMAPSyntaxError) -> IMAPMailboxName { try mailbox() }

    mutating func expectEnd() throws(IMAPSyntaxError) {
        if next == ASCII.space, !isStrict {
            deviations.insert(.spaceAtEnd)
            skipSpaces()
        }
        guard isAtEnd else { throw surprise }
    }
}

extension IMAPTree {
    /// The names of a list with the nodes of their values: `"(" name SP value *(SP name SP value) ")"`.
    func labelled(_ index: Int) -> [(name: [UInt8], value: Int)] {
        guard let children = children(of: index) else { return [] }
        return stride(from: 0, to: children.count - 1, by: 2).compactMap { place in
            text(children[place]).map { ($0, children[place + 1]) }
        }
    }
}
