// SPDX-License-Identifier: Apache-2.0

import Wire

/// One item of a FETCH response (`msg-att` of RFC 9051 §9 and of the extensions), apart from sections with octets, which are
/// handed on as they come.
package enum IMAPFetchItem: Hashable, Sendable {
    case flags(IMAPFlags)
    case uid(UInt32)
    /// RFC822.SIZE, in octets.
    case size(UInt64)
    case internalDate(IMAPDateTime)
    case envelope(IMAPEnvelope)
    /// BODYSTRUCTURE, or BODY without its extension fields.
    case bodyStructure(IMAPBodyStructure)
    /// RFC 7162.
    case modSeq(UInt64)
    /// RFC 8474; a thread's is nil where the server has none.
    case emailID([UInt8])
    case threadID([UInt8]?)
    /// RFC 8514; nil where the server does not know.
    case saveDate(IMAPDateTime?)
    /// RFC 8970; nil where none is at hand.
    case preview([UInt8]?)
    /// RFC 3516: what a section has without its transfer encoding.
    case binarySize(part: [UInt32], octets: UInt64)
    case gmailMessageID(UInt64)
    case gmailThreadID(UInt64)
    case gmailLabels([[UInt8]])
    /// A section whose value is NIL: the message has no such part, or is gone.
    case absent(IMAPSection)
    /// Something whose value makes no sense, or that we do not know; its name in capitals.
    case other(name: [UInt8])
}

extension IMAPCursor {
    /// What stands in front of the value of an item.
    enum ItemName {
        case section(IMAPSection)
        case binarySize(part: [UInt32])
        case name([UInt8])
    }

    /// The name of an item, and the space behind it.
    mutating func fetchItemName(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> ItemName {
        let start = index
        while let byte = next, ASCII.isAlphanumeric(byte) || [ASCII.dot, ASCII.hyphen, ASCII.underscore].contains(byte)
        {
            index += 1
        }
        guard index > start else { throw surprise }
        let name = Array(bytes[start..<index])
        if let section = try fetchSection(name, limits) {
            try space()
            return .section(section)
        }
        if next == ASCII.openBracket, ASCII.equalsIgnoringCase(name, "BINARY.SIZE") {
            let part = try section(.binary, limits).part
            try space()
            return .binarySize(part: part)
        }
        if next == ASCII.openBracket {
            // An item of an extension: whatever it has there.
            while let byte = next, byte != ASCII.closeBracket, byte != ASCII.lf { index += 1 }
            _ = take(ASCII.closeBracket)
        }
        try space()
        return .name(name.map(ASCII.uppercased))
    }

    private mutating func fetchSection(_ name: [UInt8], _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPSection? {
        func named(_ text: StaticString) -> Bool { ASCII.equalsIgnoringCase(name, text) }
        if named("BODY"), next == ASCII.openBracket { return try section(.body, limits) }
        if named("BINARY"), next == ASCII.openBracket { return try section(.binary, limits) }
        let item: IMAPSection.Item? =
            named("RFC822")
            ? .rfc822 : named("RFC822.HEADER") ? .rfc822Header : named("RFC822.TEXT") ? .rfc822Text : nil
        guard let item else { return nil }
        if next == ASCII.openBracket, next(1) == ASCII.closeBracket {
            deviations.insert(.bracketsBehindRFC822)
            index += 2
        }
        return IMAPSection(item)
    }

    /// The value of an item that is no section.
    mutating func fetchItem(_ name: [UInt8], _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPFetchItem {
        func named(_ text: StaticString) -> Bool { ASCII.equalsIgnoringCase(name, text) }
        if named("FLAGS") {
            let flags = try flagList()
            if flags.allowsNewKeywords { deviations.insert(.wildcardInFlags) }
            return .flags(flags)
        }
        if named("UID") { return .uid(try nonZero()) }
        if named("RFC822.SIZE") { return .size(try number()) }
        if named("X-GM-MSGID") { return .gmailMessageID(try number(maximum: .max)) }
        if named("X-GM-THRID") { return .gmailThreadID(try number(maximum: .max)) }
        let tree = try IMAPTree(&self, limits)
        return fetchValue(name, tree, limits) ?? .other(name: name)
    }

    private mutating func fetchValue(_ name: [UInt8], _ tree: IMAPTree, _ limits: IMAPLimits) -> IMAPFetchItem? {
        func named(_ text: StaticString) -> Bool { ASCII.equalsIgnoringCase(name, text) }
        if named("ENVELOPE") {
            guard let envelope = IMAPEnvelope(tree, at: 0) else { return senseless() }
            return .envelope(envelope)
        }
        if named("BODYSTRUCTURE") || named("BODY") {
            guard let structure = IMAPBodyStructure(tree, at: 0, limits, &deviations) else { return senseless() }
            return .bodyStructure(structure)
        }
        if named("INTERNALDATE") { return tree.text(0).flatMap { IMAPDateTime($0.span) }.map { .internalDate($0) } }
        if named("SAVEDATE") {
            return tree.isNull(0)
                ? .saveDate(nil) : tree.text(0).flatMap { IMAPDateTime($0.span) }.map { .saveDate($0) }
        }
        if named("MODSEQ") {
            return tree.children(of: 0)?.first.flatMap { tree.number($0) }.map { .modSeq($0) }
        }
        if named("EMAILID") { return tree.texts(0).first.map { .emailID($0) } }
        if named("THREADID") { return .threadID(tree.texts(0).first) }
        if named("PREVIEW") { return tree.isList(0) ? nil : .preview(tree.text(0)) }
        if named("X-GM-LABELS") { return .gmailLabels(tree.texts(0)) }
        return nil
    }

    private mutating func senseless() -> IMAPFetchItem? {
        deviations.insert(.senselessStructure)
        return nil
    }
}
