// SPDX-License-Identifier: Apache-2.0

import Wire

/// A STATUS response; what was not asked for, or not told, is nil.
package struct IMAPMailboxStatus: Hashable, Sendable {
    package var mailbox: IMAPMailboxName
    package var messages: UInt32?
    package var recent: UInt32?
    package var unseen: UInt32?
    package var deleted: UInt32?
    package var uidNext: UInt32?
    package var uidValidity: UInt32?
    package var highestModSeq: UInt64?
    /// Octets of all messages.
    package var size: UInt64?
    /// RFC 8474.
    package var mailboxID: [UInt8]?
    /// RFC 7889, in octets.
    package var appendLimit: UInt64?

    package init(mailbox: IMAPMailboxName) { self.mailbox = mailbox }

    /// What STATUS can ask for.
    package enum Item: String, CaseIterable, Hashable, Sendable {
        case messages = "MESSAGES"
        case recent = "RECENT"
        case unseen = "UNSEEN"
        case deleted = "DELETED"
        case uidNext = "UIDNEXT"
        case uidValidity = "UIDVALIDITY"
        case highestModSeq = "HIGHESTMODSEQ"
        case size = "SIZE"
        case mailboxID = "MAILBOXID"
        case appendLimit = "APPENDLIMIT"
    }
}

extension IMAPCursor {
    /// `"STATUS" SP mailbox SP "(" [status-att-list] ")"`, behind the name and its space.
    mutating func mailboxStatus(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPMailboxStatus {
        var status = IMAPMailboxStatus(mailbox: try mailbox())
        try space()
        try expect(ASCII.openParenthesis)
        skipSpaces()
        while !take(ASCII.closeParenthesis) {
            let name = try atom()
            try space()
            try statusItem(name, &status, limits)
            try separator(ASCII.closeParenthesis)
        }
        try expectEnd()
        return status
    }

    private mutating func statusItem(
        _ name: [UInt8],
        _ status: inout IMAPMailboxStatus,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) {
        let name = name.map(ASCII.uppercased)
        switch IMAPMailboxStatus.Item.allCases.first(where: { name.elementsEqual($0.rawValue.utf8) }) {
        case .messages: status.messages = try number32()
        case .recent: status.recent = try number32()
        case .unseen: status.unseen = try number32()
        case .deleted: status.deleted = try number32()
        case .uidNext: status.uidNext = try number32()
        case .uidValidity: status.uidValidity = try number32()
        case .highestModSeq: status.highestModSeq = try number()
        case .size: status.size = try number()
        case .mailboxID: status.mailboxID = try mailboxID()
        case .appendLimit:
            let tree = try IMAPTree(&self, limits)
            status.appendLimit = tree.isNull(0) ? nil : tree.number(0)
        case nil: _ = try IMAPTree(&self, limits)
        }
    }

    /// `"(" objectid ")"`, where `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §4, §7); nil for what is none.
    private mutating func mailboxID() throws(IMAPSyntaxError) -> [UInt8]? {
        try expect(ASCII.openParenthesis)
        let start = index
        while let byte = next, IMAPGrammar.isObjectID(byte), index - start < 255 { index += 1 }
        let id = Array(bytes[start..<index])
        if !id.isEmpty, take(ASCII.closeParenthesis) { return id }
        deviations.insert(.senselessMailboxID)
        while let byte = next {
            index += 1
            guard byte == ASCII.closeParenthesis else { continue }
            if next == ASCII.space || next == ASCII.closeParenthesis { return nil }
        }
        throw surprise
    }
}
