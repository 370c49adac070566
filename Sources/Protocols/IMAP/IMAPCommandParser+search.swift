// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

/// SEARCH as a server reads it: keys within keys are put together with a stack, so that nesting costs no recursion.
extension IMAPCursor {
    /// ```
    /// search         = "SEARCH" [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"] SP search-program
    /// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
    /// ```
    /// The character set in capitals, where one was named.
    mutating func searchRequest(
        isUID: Bool,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> (request: IMAPSearchRequest, charset: String?) {
        try space()
        var request = IMAPSearchRequest(.all, isUID: isUID)
        if take(word: "RETURN") {
            try space()
            request.returns = try searchReturns()
            try space()
        }
        var charset: String?
        if take(word: "CHARSET") {
            try space()
            charset = String(decoding: try astring().map(ASCII.uppercased), as: UTF8.self)
            try space()
        }
        request.key = try searchKeys(limits)
        return (request, charset)
    }

    /// ```
    /// sort        = "SORT" SP "(" sort-key *(SP sort-key) ")" SP search-criteria
    /// search-criteria = charset 1*(SP search-key)
    /// ```
    /// RFC 5256 §5, and RETURN of RFC 5267.
    mutating func sortRequest(
        isUID: Bool,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> (request: IMAPSortRequest, charset: String?) {
        try space()
        var search = IMAPSearchRequest(.all, isUID: isUID)
        if take(word: "RETURN") {
            try space()
            search.returns = try searchReturns()
            try space()
        }
        try expect(ASCII.openParenthesis)
        var criteria: [IMAPSortRequest.Criterion] = []
        repeat {
            guard criteria.count < 100 else { throw .tooMany }
            let isReverse = take(word: "REVERSE")
            if isReverse { try space() }
            let start = index
            guard let key = IMAPSortRequest.Key(rawValue: word()) else {
                index = start
                throw surprise
            }
            criteria.append(IMAPSortRequest.Criterion(key, isReverse: isReverse))
            try separator(ASCII.closeParenthesis)
        } while !take(ASCII.closeParenthesis)
        let (key, charset) = try searchCriteria(limits)
        search.key = key
        return (IMAPSortRequest(criteria, search), charset)
    }

    /// `thread = "THREAD" SP thread-alg SP search-criteria`.
    mutating func threadRequest(
        isUID: Bool,
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> (request: IMAPThreadRequest, charset: String?) {
        try space()
        let start = index
        guard let algorithm = IMAPThreadRequest.Algorithm(rawValue: word()) else {
            index = start
            throw surprise
        }
        let (key, charset) = try searchCriteria(limits)
        return (IMAPThreadRequest(algorithm, IMAPSearchRequest(key, isUID: isUID)), charset)
    }

    private mutating func searchCriteria(
        _ limits: IMAPLimits
    ) throws(IMAPSyntaxError) -> (key: IMAPSearchKey, charset: String) {
        try space()
        let charset = String(decoding: try astring().map(ASCII.uppercased), as: UTF8.self)
        try space()
        return (try searchKeys(limits), charset)
    }

    /// An empty list is `ALL` (RFC 4731 §3.1).
    private mutating func searchReturns() throws(IMAPSyntaxError) -> [IMAPSearchRequest.Return] {
        try expect(ASCII.openParenthesis)
        var returns: [IMAPSearchRequest.Return] = []
        while !take(ASCII.closeParenthesis) {
            guard returns.count < 10 else { throw .tooMany }
            switch word() {
            case "MIN": returns.append(.minimum)
            case "MAX": returns.append(.maximum)
            case "COUNT": returns.append(.count)
            case "ALL": returns.append(.all)
            case "SAVE": returns.append(.save)
            case "PARTIAL":
                try space()
                returns.append(.partial(try partialRange()))
            default: throw surprise
            }
            try separator(ASCII.closeParenthesis)
        }
        return returns.isEmpty ? [.all] : returns
    }

    /// `partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number` (RFC 9394 §4).
    mutating func partialRange() throws(IMAPSyntaxError) -> ClosedRange<Int32> {
        let isFromEnd = take(ASCII.hyphen)
        let first = try partialNumber(isFromEnd)
        try expect(ASCII.colon)
        if isFromEnd { try expect(ASCII.hyphen) }
        let last = try partialNumber(isFromEnd)
        return min(first, last)...max(first, last)
    }

    private mutating func partialNumber(_ isFromEnd: Bool) throws(IMAPSyntaxError) -> Int32 {
        let start = index
        guard let number = Int32(exactly: try nonZero()) else { throw .badNumber(at: start) }
        return isFromEnd ? -number : number
    }

    // MARK: Keys

    /// More keys than anybody writes by hand, or by program.
    private static var maximumKeys: Int { 2000 }

    /// What is open while keys are read.
    private enum Frame {
        case and([IMAPSearchKey], isParenthesized: Bool)
        case not
        case or(first: IMAPSearchKey?)
    }

    /// `search-key *(SP search-key)` up to the end of the command.
    private mutating func searchKeys(_ limits: IMAPLimits) throws(IMAPSyntaxError) -> IMAPSearchKey {
        var frames: [Frame] = [.and([], isParenthesized: false)]
        var count = 0
        while true {
            count += 1
            guard count <= Self.maximumKeys else { throw .tooMany }
            guard frames.count <= limits.depth else { throw .tooDeep }
            if take(ASCII.openParenthesis) {
                frames.append(.and([], isParenthesized: true))
            } else if take(word: "NOT") {
                frames.append(.not)
                try space()
            } else if take(word: "OR") {
                frames.append(.or(first: nil))
                try space()
            } else {
                let key = try leaf()
                if let whole = try close(&frames, with: key) { return whole }
            }
        }
    }

    /// Puts a key that is complete into what is open, and closes that as far as it is complete; the whole, at the end.
    private mutating func close(
        _ frames: inout [Frame],
        with key: IMAPSearchKey
    ) throws(IMAPSyntaxError) -> IMAPSearchKey? {
        var key = key
        while let frame = frames.popLast() {
            switch frame {
            case .not: key = .not(key)
            case .or(let first?): key = .or(first, key)
            case .or(nil):
                frames.append(.or(first: key))
                try space()
                return nil
            case .and(var keys, let isParenthesized):
                keys.append(key)
                let isComplete = isParenthesized ? take(ASCII.closeParenthesis) : isAtEnd
                guard isComplete else {
                    frames.append(.and(keys, isParenthesized: isParenthesized))
                    try space()
                    return nil
                }
                key = keys.count == 1 ? keys[0] : .and(keys)
            }
        }
        return key
    }

    /// A key that has no others in it.
    private mutating func leaf() throws(IMAPSyntaxError) -> IMAPSearchKey {
        if take(IMAPGrammar.dollar) { return .saved }
        if let byte = next, ASCII.isDigit(byte) || byte == ASCII.asterisk {
            let set = try numberSet()
            return .sequence(set)
        }
        let start = index
        let name = word()
        if let flag = Self.flagKeys[name] { return flag }
        if let key = Self.textKeys[name] {
            let text = try text()
            return key(text)
        }
        if let key = Self.dayKeys[name] {
            let day = try day()
            return key(day)
        }
        if let key = try other(name) { return key }
        index = start
        throw surprise
    }

    /// Nil for a name that we do not know.
    private mutating func other(_ name: String) throws(IMAPSyntaxError) -> IMAPSearchKey? {
        switch name {
        case "ALL", "OLD": return .all
        // No message is \Recent: IMAP4rev2 has it no more.
        case "RECENT", "NEW": return .not(.all)
        case "SAVEDATESUPPORTED": return .saveDateSupported
        case "HEADER":
            let field = try text()
            let value = try text()
            return .header(name: field, value)
        case "KEYWORD", "UNKEYWORD":
            let keyword = try keyword()
            return .keyword(keyword, isSet: name == "KEYWORD")
        case "LARGER", "SMALLER":
            try space()
            let octets = try number()
            return name == "LARGER" ? .larger(octets) : .smaller(octets)
        case "YOUNGER", "OLDER":
            try space()
            let seconds = try nonZero()
            return name == "YOUNGER" ? .younger(seconds) : .older(seconds)
        case "UID":
            try space()
            if take(IMAPGrammar.dollar) { return .saved }
            let set = try numberSet()
            return .uids(set)
        case "MODSEQ":
            let value = try modSeq()
            return .modSeq(value)
        case "EMAILID", "THREADID":
            try space()
            let id = try objectID()
            return name == "EMAILID" ? .emailID(id) : .threadID(id)
        default: return nil
        }
    }

    private static let textKeys: [String: @Sendable ([UInt8]) -> IMAPSearchKey] = [
        "FROM": { .from($0) }, "TO": { .to($0) }, "CC": { .cc($0) }, "BCC": { .bcc($0) },
        "SUBJECT": { .subject($0) }, "BODY": { .body($0) }, "TEXT": { .text($0) },
    ]

    private static let dayKeys: [String: @Sendable (Timestamp) -> IMAPSearchKey] = [
        "BEFORE": { .before($0) }, "ON": { .on($0) }, "SINCE": { .since($0) },
        "SENTBEFORE": { .sentBefore($0) }, "SENTON": { .sentOn($0) }, "SENTSINCE": { .sentSince($0) },
        "SAVEDBEFORE": { .savedBefore($0) }, "SAVEDON": { .savedOn($0) }, "SAVEDSINCE": { .savedSince($0) },
    ]

    private static let flagKeys: [String: IMAPSearchKey] = [
        "ANSWERED": .flags(.answered, areSet: true), "UNANSWERED": .flags(.answered, areSet: false),
        "DELETED": .flags(.deleted, areSet: true), "UNDELETED": .flags(.deleted, areSet: false),
        "DRAFT": .flags(.draft, areSet: true), "UNDRAFT": .flags(.draft, areSet: false),
        "FLAGGED": .flags(.flagged, areSet: true), "UNFLAGGED": .flags(.flagged, areSet: false),
        "SEEN": .flags(.seen, areSet: true), "UNSEEN": .flags(.seen, areSet: false),
    ]

    private mutating func text() throws(IMAPSyntaxError) -> [UInt8] {
        try space()
        return try astring()
    }

    private mutating func keyword() throws(IMAPSyntaxError) -> String {
        try space()
        let keyword = try atom()
        return String(decoding: keyword, as: UTF8.self)
    }

    /// `objectid = 1*255(ALPHA / DIGIT / "_" / "-")` (RFC 8474 §7).
    private mutating func objectID() throws(IMAPSyntaxError) -> [UInt8] {
        let start = index
        while let byte = next, ASCII.isAlphanumeric(byte) || byte == ASCII.underscore || byte == ASCII.hyphen {
            index += 1
        }
        guard (1...255).contains(index - start) else { throw surprise }
        return Array(bytes[start..<index])
    }

    /// `"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer` (RFC 7162 §3.1.5).
    private mutating func modSeq() throws(IMAPSyntaxError) -> UInt64 {
        try space()
        if next == ASCII.quote {
            _ = try string()
            try space()
            _ = try atom()
            try space()
        }
        return try number()
    }

    /// `date = date-text / DQUOTE date-text DQUOTE`, `date-text = date-day "-" date-month "-" date-year`.
    private mutating func day() throws(IMAPSyntaxError) -> Timestamp {
        let text = try text() + Array(" 00:00:00 +0000".utf8)
        guard text.first != ASCII.space, let date = IMAPDateTime(text.span) else { throw surprise }
        return date.timestamp
    }
}
