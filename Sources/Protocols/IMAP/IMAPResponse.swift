// SPDX-License-Identifier: Apache-2.0

import Wire

/// What a server says (RFC 9051 §7), apart from FETCH, which comes item by item.
package enum IMAPResponse: Hashable, Sendable {
    /// `+`: the client may go on. What is behind it, as it is; a challenge of SASL is there in base64.
    case continuation([UInt8])
    /// The end of a command.
    case tagged(tag: [UInt8], IMAPStatus)
    case status(IMAPStatus)
    case capability(IMAPCapabilities)
    case enabled([[UInt8]])
    case list(IMAPListEntry)
    case mailboxStatus(IMAPMailboxStatus)
    case flags(IMAPFlags)
    case exists(UInt32)
    case recent(UInt32)
    case expunge(UInt32)
    /// RFC 7162; `isEarlier` for what had gone before it was asked.
    case vanished(IMAPNumberSet, isEarlier: Bool)
    /// A long answer comes in several of them.
    case search([UInt32], modSeq: UInt64?)
    case sort([UInt32], modSeq: UInt64?)
    case extendedSearch(IMAPExtendedSearch)
    case thread(IMAPThread)
    case namespace(IMAPNamespaces)
    /// Empty for NIL.
    case id([IMAPParameter])
    case quota(IMAPQuota)
    case quotaRoots(mailbox: IMAPMailboxName, roots: [[UInt8]])
    /// Untagged data that we do not know: its name in capitals, and its number where it has one.
    case unknown(name: [UInt8], number: UInt32?)
}

extension IMAPCursor {
    /// An untagged response that is no FETCH, behind `* `.
    mutating func untagged(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPResponse {
        if let byte = next, ASCII.isDigit(byte) { return try numbered() }
        let start = index
        let name = try atom().map(ASCII.uppercased)
        if IMAPStatus.Condition.allCases.contains(where: { name.elementsEqual($0.rawValue.utf8) }) {
            index = start
            return .status(try status(isTagged: false, limits))
        }
        if let response = try data(name, limits) { return response }
        _ = rest()
        return .unknown(name: name, number: nil)
    }

    private mutating func numbered() throws(IMAPSyntaxError) -> IMAPResponse {
        let number = try number32()
        try space()
        let name = try atom().map(ASCII.uppercased)
        if ASCII.equalsIgnoringCase(name, "EXISTS") {
            try expectEnd()
            return .exists(number)
        }
        if ASCII.equalsIgnoringCase(name, "RECENT") {
            try expectEnd()
            return .recent(number)
        }
        if ASCII.equalsIgnoringCase(name, "EXPUNGE") {
            try expectEnd()
            guard number > 0 else { throw .badNumber(at: 0) }
            return .expunge(number)
        }
        _ = rest()
        return .unknown(name: name, number: number)
    }

    /// Nil for a name that we do not know.
    private mutating func data(_ name: [UInt8], _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPResponse? {
        func named(_ text: StaticString) -> Bool { ASCII.equalsIgnoringCase(name, text) }
        if named("CAPABILITY") { return .capability(IMAPCapabilities(try capabilityWords())) }
        if named("ENABLED") { return .enabled(try capabilityWords()) }
        if named("SEARCH") {
            let (numbers, modSeq) = try searchNumbers(limits)
            return .search(numbers, modSeq: modSeq)
        }
        if named("SORT") {
            let (numbers, modSeq) = try searchNumbers(limits)
            return .sort(numbers, modSeq: modSeq)
        }
        if named("ESEARCH") { return .extendedSearch(try extendedSearch(limits)) }
        if named("THREAD") { return .thread(try thread(limits)) }
        let names: [StaticString] = [
            "LIST", "LSUB", "XLIST", "STATUS", "FLAGS", "VANISHED", "NAMESPACE", "ID", "QUOTA", "QUOTAROOT",
        ]
        guard names.contains(where: { named($0) }) else { return nil }
        try space()
        if named("LIST") { return .list(try listEntry(.list, limits)) }
        if named("LSUB") { return .list(try listEntry(.lsub, limits)) }
        if named("XLIST") { return .list(try listEntry(.xlist, limits)) }
        if named("STATUS") { return .mailboxStatus(try mailboxStatus(limits)) }
        if named("FLAGS") { return try mailboxFlags() }
        if named("VANISHED") { return try vanished() }
        if named("NAMESPACE") { return .namespace(try namespaces(limits)) }
        if named("QUOTA") { return .quota(try quota()) }
        if named("QUOTAROOT") {
            let (mailbox, roots) = try quotaRoots()
            return .quotaRoots(mailbox: mailbox, roots: roots)
        }
        return try id(limits)
    }

    private mutating func mailboxFlags() throws(IMAPSyntaxError) -> IMAPResponse {
        let flags = try flagList()
        if flags.allowsNewKeywords { deviations.insert(.wildcardInFlags) }
        try expectEnd()
        return .flags(flags)
    }

    /// `expunged-resp = "VANISHED" [SP "(EARLIER)"] SP known-uids`.
    private mutating func vanished() throws(IMAPSyntaxError) -> IMAPResponse {
        let isEarlier = take(ASCII.openParenthesis)
        if isEarlier {
            guard take(word: "EARLIER") else { throw surprise }
            try expect(ASCII.closeParenthesis)
            try space()
        }
        let uids = try numberSet()
        try expectEnd()
        return .vanished(uids, isEarlier: isEarlier)
    }

    /// `id-response = "ID" SP id-params-list` (RFC 2971).
    private mutating func id(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPResponse {
        let tree = try IMAPTree(&self, limits)
        guard tree.isNull(0) || tree.isList(0) else { throw surprise }
        try expectEnd()
        return .id(tree.pairs(0))
    }
}
