// SPDX-License-Identifier: Apache-2.0

import Wire

/// Commands about mailboxes, as a server reads them.
extension IMAPCursor {
    mutating func mailboxCommand(_ word: String, _ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPCommand? {
        switch word {
        case "SELECT": return .select(try selection(isReadOnly: false))
        case "EXAMINE": return .select(try selection(isReadOnly: true))
        case "CREATE": return try create()
        case "DELETE": return .delete(try namedMailbox())
        case "RENAME":
            let mailbox = try namedMailbox()
            return .rename(mailbox, to: try namedMailbox())
        case "SUBSCRIBE": return .subscribe(try namedMailbox())
        case "UNSUBSCRIBE": return .unsubscribe(try namedMailbox())
        case "LIST": return .list(try listRequest())
        case "LSUB": return .list(try plainListRequest(.lsub))
        case "STATUS":
            let mailbox = try namedMailbox()
            try space()
            return .status(mailbox, try statusItems())
        case "GETQUOTAROOT": return .quotaRoot(try namedMailbox())
        case "GETQUOTA":
            try space()
            return .quota(root: try astring())
        case "NOTIFY": return .notify(try notifyRequest(limits))
        case "APPEND": return .append(try wholeAppend())
        default: return nil
        }
    }

    /// A space and the name of a mailbox.
    mutating func namedMailbox() throws(IMAPSyntaxError) -> IMAPMailboxName {
        try space()
        return try mailbox()
    }

    /// An atom in capitals, within a list that has fewer than a hundred so far.
    mutating func listedWord(behind count: Int) throws(IMAPSyntaxError) -> String {
        guard count < 100 else { throw .tooMany }
        return String(decoding: try atom().map(ASCII.uppercased), as: UTF8.self)
    }

    /// `status-att *(SP status-att)` between parentheses.
    private mutating func statusItems() throws(IMAPSyntaxError) -> [IMAPMailboxStatus.Item] {
        var items: [IMAPMailboxStatus.Item] = []
        try expect(ASCII.openParenthesis)
        while !take(ASCII.closeParenthesis) {
            let start = index
            guard let item = IMAPMailboxStatus.Item(rawValue: try listedWord(behind: items.count)) else {
                index = start
                throw surprise
            }
            items.append(item)
            try separator(ASCII.closeParenthesis)
        }
        guard !items.isEmpty else { throw surprise }
        return items
    }

    // MARK: SELECT and CREATE

    /// ```
    /// select       = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"]
    /// select-param = "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids]
    ///                [SP seq-match-data] ")"
    /// ```
    private mutating func selection(isReadOnly: Bool) throws(IMAPSyntaxError) -> IMAPSelection {
        var selection = IMAPSelection(try namedMailbox(), isReadOnly: isReadOnly)
        guard !isAtEnd else { return selection }
        try space()
        try expect(ASCII.openParenthesis)
        var count = 0
        while !take(ASCII.closeParenthesis) {
            switch try listedWord(behind: count) {
            case "CONDSTORE": selection.usesCondStore = true
            case "QRESYNC":
                try space()
                selection.known = try knownState()
            default: throw surprise
            }
            count += 1
            try separator(ASCII.closeParenthesis)
        }
        return selection
    }

    private mutating func knownState() throws(IMAPSyntaxError) -> IMAPSelection.Known {
        try expect(ASCII.openParenthesis)
        let validity = try nonZero()
        try space()
        var known = IMAPSelection.Known(uidValidity: validity, modSeq: try number())
        if next == ASCII.space, next(1) != ASCII.openParenthesis {
            try space()
            known.uids = try numberSet()
        }
        if next == ASCII.space {
            // Which message had which number is not needed by who has all the tombstones (RFC 7162 §3.2.5.2).
            try space()
            try expect(ASCII.openParenthesis)
            _ = try numberSet()
            try space()
            _ = try numberSet()
            try expect(ASCII.closeParenthesis)
        }
        try expect(ASCII.closeParenthesis)
        return known
    }

    /// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]` (RFC 6154 §5).
    private mutating func create() throws(IMAPSyntaxError) -> IMAPCommand {
        let mailbox = try namedMailbox()
        guard !isAtEnd else { return .create(mailbox) }
        try space()
        try expect(ASCII.openParenthesis)
        guard take(word: "USE") else { throw surprise }
        try space()
        try expect(ASCII.openParenthesis)
        var uses = IMAPListEntry.Attributes()
        var count = 0
        while !take(ASCII.closeParenthesis) {
            guard count < 100 else { throw .tooMany }
            count += 1
            let start = index
            guard let use = IMAPListEntry.Attributes.specialUse(try flag()) else {
                index = start
                throw surprise
            }
            uses.insert(use)
            try separator(ASCII.closeParenthesis)
        }
        try expect(ASCII.closeParenthesis)
        return .create(mailbox, specialUse: uses)
    }

    // MARK: LIST

    /// `lsub = "LSUB" SP mailbox SP list-mailbox`.
    private mutating func plainListRequest(_ verb: IMAPListRequest.Verb) throws(IMAPSyntaxError) -> IMAPListRequest {
        try space()
        let reference = try astring()
        try space()
        return IMAPListRequest([try pattern()], verb: verb, reference: reference)
    }

    /// ```
    /// list = "LIST" [SP "(" [list-select-opts] ")"] SP mailbox SP (list-mailbox / patterns)
    ///        [SP "RETURN" SP "(" [return-option *(SP return-option)] ")"]
    /// ```
    private mutating func listRequest() throws(IMAPSyntaxError) -> IMAPListRequest {
        var request = IMAPListRequest([])
        try space()
        if take(ASCII.openParenthesis) {
            while !take(ASCII.closeParenthesis) {
                let word = try listedWord(behind: request.selections.count)
                guard let selection = IMAPListRequest.Selection(rawValue: word) else { throw surprise }
                request.selections.append(selection)
                try separator(ASCII.closeParenthesis)
            }
            try space()
        }
        request.reference = try astring()
        try space()
        request.patterns = try patterns()
        guard !isAtEnd else { return request }
        try space()
        guard take(word: "RETURN") else { throw surprise }
        try space()
        try listReturns(&request)
        return request
    }

    private mutating func listReturns(_ request: inout IMAPListRequest) throws(IMAPSyntaxError) {
        try expect(ASCII.openParenthesis)
        while !take(ASCII.closeParenthesis) {
            let word = try listedWord(behind: request.returns.count)
            if word == "STATUS" {
                try space()
                request.status = try statusItems()
            } else if let option = IMAPListRequest.Return(rawValue: word) {
                request.returns.append(option)
            } else {
                throw surprise
            }
            try separator(ASCII.closeParenthesis)
        }
    }

    /// `patterns = "(" list-mailbox *(SP list-mailbox) ")"`, or a single one.
    private mutating func patterns() throws(IMAPSyntaxError) -> [[UInt8]] {
        guard take(ASCII.openParenthesis) else { return [try pattern()] }
        var patterns: [[UInt8]] = []
        repeat {
            guard patterns.count < 100 else { throw .tooMany }
            patterns.append(try pattern())
            try separator(ASCII.closeParenthesis)
        } while !take(ASCII.closeParenthesis)
        return patterns
    }

    // MARK: APPEND

    /// One with its message in it, which is so only where messages are not announced; it is read over.
    private mutating func wholeAppend() throws(IMAPSyntaxError) -> IMAPAppend {
        let append = try appendMessage(to: try namedMailbox())
        guard append.octets <= UInt64(end - index) else { throw .unexpectedEnd }
        index += Int(append.octets)
        if append.isUTF8 { try expect(ASCII.closeParenthesis) }
        return append
    }

    /// ```
    /// append-message = [SP flag-list] [SP date-time] SP append-data
    /// append-data    = literal / literal8 / "UTF8" SP "(" literal8 ")"     ; RFC 6855 §4
    /// ```
    /// Up to the announcement of the literal, that included.
    mutating func appendMessage(to mailbox: IMAPMailboxName) throws(IMAPSyntaxError) -> IMAPAppend {
        var append = IMAPAppend(mailbox, octets: 0)
        try space()
        if next == ASCII.openParenthesis {
            append.flags = try flagList()
            try space()
        }
        if next == ASCII.quote {
            let start = index
            let text = try string()
            guard let date = IMAPDateTime(text.span) else { throw .unexpectedOctet(ASCII.quote, at: start) }
            append.internalDate = date
            try space()
        }
        if take(word: "UTF8") {
            try space()
            try expect(ASCII.openParenthesis)
            guard next == IMAPGrammar.tilde else { throw surprise }
            append.isUTF8 = true
        }
        append.isBinary = next == IMAPGrammar.tilde
        append.octets = try literalHeader()
        return append
    }

    // MARK: NOTIFY

    /// ```
    /// notify      = "NOTIFY" SP (notify-set / "NONE")
    /// notify-set  = "SET" [SP "STATUS"] SP event-groups
    /// event-group = "(" filter-mailboxes SP events ")"
    /// ```
    /// RFC 5465 §8; nil for NONE.
    private mutating func notifyRequest(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPNotifyRequest? {
        try space()
        if take(word: "NONE") { return nil }
        guard take(word: "SET") else { throw surprise }
        try space()
        var request = IMAPNotifyRequest(wantsStatus: take(word: "STATUS"), [])
        if request.wantsStatus { try space() }
        repeat {
            guard request.groups.count < 100 else { throw .tooMany }
            try expect(ASCII.openParenthesis)
            let mailboxes = try notifiedMailboxes()
            try space()
            var group = IMAPNotifyRequest.Group(mailboxes, [])
            if !take(word: "NONE") { try notifyEvents(&group, limits) }
            try expect(ASCII.closeParenthesis)
            request.groups.append(group)
        } while take(ASCII.space)
        return request
    }

    private mutating func notifiedMailboxes() throws(IMAPSyntaxError) -> IMAPNotifyRequest.Mailboxes {
        let start = index
        switch String(decoding: try atom().map(ASCII.uppercased), as: UTF8.self) {
        case "SELECTED": return .selected
        case "SELECTED-DELAYED": return .selectedDelayed
        case "INBOXES": return .inboxes
        case "PERSONAL": return .personal
        case "SUBSCRIBED": return .subscribed
        case "SUBTREE": return .subtree(try oneOrMoreMailboxes())
        case "MAILBOXES": return .mailboxes(try oneOrMoreMailboxes())
        default:
            index = start
            throw surprise
        }
    }

    /// `one-or-more-mailbox = mailbox / many-mailboxes`, `many-mailboxes = "(" mailbox *(SP mailbox) ")"`.
    private mutating func oneOrMoreMailboxes() throws(IMAPSyntaxError) -> [IMAPMailboxName] {
        try space()
        guard take(ASCII.openParenthesis) else { return [try mailbox()] }
        var names: [IMAPMailboxName] = []
        repeat {
            guard names.count < 1000 else { throw .tooMany }
            names.append(try mailbox())
            try separator(ASCII.closeParenthesis)
        } while !take(ASCII.closeParenthesis)
        return names
    }

    /// `events = "(" event *(SP event) ")"`; behind MessageNew may be what is to be told of the message.
    private mutating func notifyEvents(
        _ group: inout IMAPNotifyRequest.Group,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) {
        try expect(ASCII.openParenthesis)
        repeat {
            guard group.events.count < 100 else { throw .tooMany }
            let start = index
            let word = try atom()
            guard
                let event = IMAPNotifyRequest.Event.allCases.first(where: { event in
                    word.elementsEqual(event.rawValue.utf8) { ASCII.lowercased($0) == ASCII.lowercased($1) }
                })
            else {
                index = start
                throw surprise
            }
            group.events.append(event)
            if event == .messageNew, next == ASCII.space, next(1) == ASCII.openParenthesis {
                index += 1
                group.newMessageItems = try fetchItems(limits)
            }
            try separator(ASCII.closeParenthesis)
        } while !take(ASCII.closeParenthesis)
    }
}

extension IMAPListEntry.Attributes {
    /// The special use that a word names (RFC 6154 §2, RFC 8457); nil for any other word.
    static func specialUse(_ word: [UInt8]) -> Self? {
        let uses: Self = [.all, .archive, .drafts, .flagged, .junk, .sent, .trash, .important]
        return words.prefix(17).first { uses.contains($0.1) && ASCII.equalsIgnoringCase(word, $0.0) }?.1
    }
}
