// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Wire

extension SearchQuery {
    /// Reads the language of the parameter `q`.
    ///
    ///     query       = [alternative *("OR" alternative)]         ; OR binds less than standing side by side
    ///     alternative = 1*(["AND"] ["-" / "NOT"] operand)
    ///     operand     = word / phrase / field / "(" query ")"
    ///     word        = octets other than space, quotes and parentheses, with "*" at the end for "begins so"
    ///     phrase      = <"> octets other than quotes <">
    ///     field       = ("subject:" / "from:" / "to:" / "cc:" / "bcc:" / "body:" / "filename:") (word / phrase)
    ///                 / "has:attachment"
    ///                 / "is:" ("read" / "unread" / "flagged" / "unflagged" / "answered" / "unanswered" / "draft" / "deleted")
    ///                 / ("before:" / "after:" / "since:" / "on:") date
    ///                 / ("larger:" / "smaller:") 1*DIGIT ["k" / "m" / "g"] ["b"]
    ///                 / "in:" (word / phrase)                      ; a folder's role, id or name
    ///     date        = full-date / date-time                      ; RFC 3339 §5.6; a full-date is midnight UTC
    ///
    /// `after:` and `since:` are the same: at that moment or later. `before:` is earlier than it, `on:` the day it begins.
    /// Names of fields and their fixed values are taken in any ASCII case; `OR`, `AND` and `NOT` are upper case. A word
    /// without a letter or digit is passed over, as punctuation between words is.
    package init(parsing text: Span<UInt8>) throws(SearchQueryError) {
        guard text.count <= Self.maximumOctets else { throw .tooLong }
        guard (try? UTF8Span(validating: text)) != nil else { throw .notUTF8 }
        var parser = SearchQueryParser(text.array())
        self.init(steps: try parser.parse())
    }
}

/// Reads a query from left to right; open parentheses wait on a stack of their own.
private struct SearchQueryParser {
    /// What is known of the innermost parenthesis (or of the whole query) so far.
    private struct Group {
        /// Where its parenthesis is.
        let offset: Int
        let isNegated: Bool
        /// Operands of the alternative being read.
        var operands = 0
        /// Alternatives completed, each behind its `OR`.
        var alternatives = 0
        /// The operator that still waits for an operand, by its place.
        var dangling: Int?
    }

    private let text: [UInt8]
    private var index = 0
    private var steps: [SearchQuery.Step] = []
    private var terms = 0
    private var groups = [Group(offset: 0, isNegated: false)]
    /// Whether the next operand is negated, and where that was said.
    private var negation: Int?
    /// The place of a word that was passed over.
    private var passedOver: Int?

    init(_ text: [UInt8]) { self.text = text }

    mutating func parse() throws(SearchQueryError) -> [SearchQuery.Step] {
        while skipBlanks() {
            switch text[index] {
            case ASCII.openParenthesis: try open()
            case ASCII.closeParenthesis: try close()
            case ASCII.quote:
                let offset = index
                try append(phrase: quoted(), at: offset, in: .anywhere)
            case ASCII.hyphen where isNegation: negate(octets: 1)
            default: try readWord()
            }
        }
        return try finish()
    }

    private mutating func finish() throws(SearchQueryError) -> [SearchQuery.Step] {
        guard groups.count == 1 else { throw .unbalancedParenthesis(offset: groups[groups.count - 1].offset) }
        try complete(at: text.count)
        if steps.isEmpty, let passedOver { throw .nothingSearchable(offset: passedOver) }
        return steps
    }

    /// Whether anything follows the blanks.
    private mutating func skipBlanks() -> Bool {
        while index < text.count, ASCII.isControl(text[index]) || text[index] == ASCII.space { index += 1 }
        return index < text.count
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        ASCII.isControl(byte) || byte == ASCII.space || byte == ASCII.quote || byte == ASCII.openParenthesis
            || byte == ASCII.closeParenthesis
    }

    // MARK: Structure

    /// A hyphen negates when something stands right behind it.
    private var isNegation: Bool {
        guard negation == nil, index + 1 < text.count else { return false }
        let next = text[index + 1]
        return !Self.endsWord(next) || next == ASCII.quote || next == ASCII.openParenthesis
    }

    private mutating func negate(octets: Int) {
        negation = index
        index += octets
    }

    private mutating func open() throws(SearchQueryError) {
        guard groups.count <= SearchQuery.maximumDepth else { throw .tooDeep(offset: index) }
        groups.append(Group(offset: index, isNegated: negation != nil))
        negation = nil
        index += 1
    }

    private mutating func close() throws(SearchQueryError) {
        guard groups.count > 1 else { throw .unbalancedParenthesis(offset: index) }
        try complete(at: index)
        let group = groups.removeLast()
        guard group.operands > 0 || group.alternatives > 0 else { throw .missingOperand(offset: index) }
        if group.isNegated { steps.append(.not) }
        index += 1
        countOperand()
    }

    private mutating func joinByOr() throws(SearchQueryError) {
        let last = groups.count - 1
        guard groups[last].operands > 0, negation == nil, groups[last].dangling == nil else {
            throw .missingOperand(offset: index)
        }
        completeAlternative()
        groups[last].dangling = index
    }

    private mutating func joinByAnd() throws(SearchQueryError) {
        let last = groups.count - 1
        guard groups[last].operands > 0, negation == nil, groups[last].dangling == nil else {
            throw .missingOperand(offset: index)
        }
        groups[last].dangling = index
    }

    private mutating func countOperand() {
        groups[groups.count - 1].operands += 1
        groups[groups.count - 1].dangling = nil
    }

    private mutating func completeAlternative() {
        let last = groups.count - 1
        if groups[last].operands > 1 { steps.append(.all(groups[last].operands)) }
        groups[last].operands = 0
        groups[last].alternatives += 1
    }

    /// Joins what the innermost group holds; nothing may be waiting for an operand.
    private mutating func complete(at end: Int) throws(SearchQueryError) {
        let last = groups.count - 1
        if let waiting = negation ?? groups[last].dangling { throw .missingOperand(offset: waiting) }
        guard groups[last].operands > 0 else { return }
        completeAlternative()
        if groups[last].alternatives > 1 { steps.append(.any(groups[last].alternatives)) }
    }

    private mutating func append(_ term: SearchQuery.Term, at offset: Int) throws(SearchQueryError) {
        guard terms < SearchQuery.maximumTerms else { throw .tooManyTerms(offset: offset) }
        terms += 1
        steps.append(.term(term))
        finishOperand()
    }

    private mutating func finishOperand() {
        if negation != nil { steps.append(.not) }
        negation = nil
        countOperand()
    }

    // MARK: Words and phrases

    /// The octets between the quote at the index and the next one.
    private mutating func quoted() throws(SearchQueryError) -> ArraySlice<UInt8> {
        let opening = index
        guard let closing = text[(opening + 1)...].firstIndex(of: ASCII.quote) else {
            throw .unterminatedQuote(offset: opening)
        }
        index = closing + 1
        return text[opening + 1..<closing]
    }

    private mutating func append(
        phrase: ArraySlice<UInt8>,
        at offset: Int,
        in field: SearchQuery.Field,
        isPrefix: Bool = false
    ) throws(SearchQueryError) {
        guard SearchWords.isSearchable(Array(phrase).span) else { throw .nothingSearchable(offset: offset) }
        try append(.phrase(.init(Array(phrase), in: field, isPrefix: isPrefix)), at: offset)
    }

    private mutating func readWord() throws(SearchQueryError) {
        let start = index
        let end = text[start...].firstIndex(where: Self.endsWord) ?? text.count
        let word = text[start..<end]
        if word.elementsEqual("OR".utf8) {
            try joinByOr()
        } else if word.elementsEqual("AND".utf8) {
            try joinByAnd()
        } else if word.elementsEqual("NOT".utf8) {
            guard negation == nil else { throw .missingOperand(offset: index) }
            negate(octets: 0)
        } else if let colon = word.firstIndex(of: ASCII.colon), try readField(word, colon: colon) {
            return
        } else {
            try appendWord(word)
        }
        index = end
    }

    private mutating func appendWord(_ word: ArraySlice<UInt8>) throws(SearchQueryError) {
        guard SearchWords.isSearchable(Array(word).span) else {
            passedOver = word.startIndex
            negation = nil
            return
        }
        let isPrefix = word.last == ASCII.asterisk
        try append(phrase: isPrefix ? word.dropLast() : word, at: word.startIndex, in: .anywhere, isPrefix: isPrefix)
    }

    // MARK: Fields

    /// Reads `name:value` and steps behind it; false where it is a word that has a colon in it.
    private mutating func readField(_ word: ArraySlice<UInt8>, colon: Int) throws(SearchQueryError) -> Bool {
        let start = word.startIndex
        let name = ASCII.lowercased(word[start..<colon])
        guard !name.isEmpty, name.allSatisfy(ASCII.isLower) else { return false }
        let known = SearchField(name)
        var value = word[(colon + 1)...]
        index = word.endIndex
        let isQuoted = value.isEmpty && index < text.count && text[index] == ASCII.quote
        if isQuoted, known != nil { value = try quoted() }
        let spelled = String(decoding: name, as: UTF8.self)
        guard let known else {
            // `Note:` and `https://…` are text; `form:ann` is a slip of the pen, better said than searched for.
            guard isQuoted || !(value.isEmpty || value.first == ASCII.slash) else { return false }
            throw .unknownField(spelled, offset: start)
        }
        guard !value.isEmpty else { throw .missingValue(field: spelled, offset: start) }
        switch known {
        case .text(let field):
            let isPrefix = !isQuoted && value.last == ASCII.asterisk
            try append(phrase: isPrefix ? value.dropLast() : value, at: start, in: field, isPrefix: isPrefix)
        case .fixed(let field):
            guard let meaning = field.meaning(of: value) else { throw .invalidValue(field: spelled, offset: start) }
            try append(meaning, at: start)
        }
        return true
    }

    private mutating func append(_ meaning: FixedField.Meaning, at offset: Int) throws(SearchQueryError) {
        switch meaning {
        case .term(let term): try append(term, at: offset)
        case .absence(let term):
            negation = negation == nil ? offset : nil
            try append(term, at: offset)
        case .period(let start, let end):
            guard terms + 2 <= SearchQuery.maximumTerms else { throw .tooManyTerms(offset: offset) }
            terms += 2
            steps += [.term(.since(start)), .term(.before(end)), .all(2)]
            finishOperand()
        }
    }
}

/// The field a name stands for.
private enum SearchField {
    case text(SearchQuery.Field)
    case fixed(FixedField)

    /// `name` is in lower case.
    init?(_ name: [UInt8]) {
        let name = String(decoding: name, as: UTF8.self)
        if let field = SearchQuery.Field(rawValue: name), field != .anywhere {
            self = .text(field)
        } else if let field = FixedField(rawValue: name) {
            self = .fixed(field)
        } else {
            return nil
        }
    }
}

/// A field whose values have a grammar of their own.
private enum FixedField: String {
    case has, `is`, before, after, since, on, larger, smaller, `in`

    enum Meaning {
        case term(SearchQuery.Term)
        /// The term must not hold.
        case absence(of: SearchQuery.Term)
        case period(from: Timestamp, to: Timestamp)
    }

    func meaning(of value: ArraySlice<UInt8>) -> Meaning? {
        switch self {
        case .has:
            let word = ASCII.lowercased(value)
            return word.elementsEqual("attachment".utf8) || word.elementsEqual("attachments".utf8)
                ? .term(.hasAttachments) : nil
        case .is: return Self.state(ASCII.lowercased(value))
        case .before: return Self.date(value).map { .term(.before($0)) }
        case .after, .since: return Self.date(value).map { .term(.since($0)) }
        case .on:
            guard value.count == 10, let day = Self.date(value) else { return nil }
            return .period(from: day, to: Timestamp(milliseconds: day.milliseconds + 86_400_000))
        case .larger: return Self.size(value).map { .term(.larger($0)) }
        case .smaller: return Self.size(value).map { .term(.smaller($0)) }
        case .in: return .term(.folder(Array(value)))
        }
    }

    private static func state(_ word: [UInt8]) -> Meaning? {
        switch String(decoding: word, as: UTF8.self) {
        case "read", "seen": .term(.flagged(.seen))
        case "unread", "unseen": .absence(of: .flagged(.seen))
        case "flagged", "starred": .term(.flagged(.flagged))
        case "unflagged", "unstarred": .absence(of: .flagged(.flagged))
        case "answered", "replied": .term(.flagged(.answered))
        case "unanswered", "unreplied": .absence(of: .flagged(.answered))
        case "draft": .term(.flagged(.draft))
        case "undraft": .absence(of: .flagged(.draft))
        case "deleted": .term(.flagged(.deleted))
        case "undeleted": .absence(of: .flagged(.deleted))
        default: nil
        }
    }

    private static func date(_ value: ArraySlice<UInt8>) -> Timestamp? { Timestamp(rfc3339: Array(value).span) }

    /// `1*DIGIT ["k" / "m" / "g"] ["b"]`, in octets; k is 1,024.
    private static func size(_ value: ArraySlice<UInt8>) -> UInt64? {
        var digits = value
        if let last = digits.last, ASCII.lowercased(last) == 0x62 { digits.removeLast() }
        var factor: UInt64 = 1
        switch digits.last.map({ ASCII.lowercased($0) }) {
        case 0x6B: factor = 1 << 10
        case 0x6D: factor = 1 << 20
        case 0x67: factor = 1 << 30
        default: break
        }
        if factor > 1 { digits.removeLast() }
        return StrictInteger.decimal(digits, maximum: UInt64(Int64.max) / factor).map { $0 * factor }
    }
}
