// SPDX-License-Identifier: Apache-2.0

package import MailTypes
package import Wire

/// What to look for among an account's messages: terms joined by "all of", "any of" and "not".
///
/// The empty query finds everything. ``init(parsing:)`` reads the language of `q`; ``require(_:negated:)`` adds what came
/// by other doors.
package struct SearchQuery: Hashable, Sendable {
    /// Where words are looked for.
    package enum Field: String, CaseIterable, Hashable, Sendable {
        /// Subject, addresses, text and names of attachments.
        case anywhere
        case subject, from, to, cc, bcc, body
        /// The names of attachments.
        case filename
    }

    /// Words that must follow one another, letter case, accents and punctuation aside.
    package struct Phrase: Hashable, Sendable {
        package var field: Field
        /// UTF-8 with at least one letter or digit.
        package var text: [UInt8]
        /// The last word needs only to begin so.
        package var isPrefix: Bool

        package init(_ text: [UInt8], in field: Field = .anywhere, isPrefix: Bool = false) {
            self.field = field
            self.text = text
            self.isPrefix = isPrefix
        }
    }

    package enum Term: Hashable, Sendable {
        case phrase(Phrase)
        case hasAttachments
        /// All of these are set.
        case flagged(SystemFlags)
        /// Arrived before this moment.
        case before(Timestamp)
        /// Arrived at this moment or later.
        case since(Timestamp)
        /// More octets than this.
        case larger(UInt64)
        /// Fewer octets than this.
        case smaller(UInt64)
        /// In the folder with this role, id or name (UTF-8).
        case folder([UInt8])
    }

    /// The query in postfix order: operands, then what joins them.
    package enum Step: Hashable, Sendable {
        case term(Term)
        /// The operand before it does not hold.
        case not
        /// So many operands before it hold, all of them; at least two.
        case all(Int)
        /// Of so many operands before it one holds at least; at least two.
        case any(Int)
    }

    package private(set) var steps: [Step]

    /// The longest text that ``init(parsing:)`` reads, in octets.
    package static let maximumOctets = 1024
    package static let maximumTerms = 64
    /// How deep parentheses may nest.
    package static let maximumDepth = 16

    /// The query that finds everything.
    package init() { steps = [] }

    init(steps: [Step]) { self.steps = steps }

    package var isEmpty: Bool { steps.isEmpty }

    /// Makes `term` a condition beside what the query asks already; it must not hold where `negated`.
    package mutating func require(_ term: Term, negated: Bool = false) {
        let wasEmpty = steps.isEmpty
        steps.append(.term(term))
        if negated { steps.append(.not) }
        if !wasEmpty { steps.append(.all(2)) }
    }
}

extension SearchQuery {
    /// What is looked for in the texts of messages, each once.
    package var textPhrases: [Phrase] {
        var phrases: [Phrase] = []
        for case .term(.phrase(let phrase)) in steps where phrase.field == .anywhere || phrase.field == .body {
            if !phrases.contains(phrase) { phrases.append(phrase) }
        }
        return phrases
    }
}

/// Messages that somebody else, a remote account's server, says have these words in their texts.
package struct SearchHits: Hashable, Sendable {
    package var messages: [SearchQuery.Phrase: [MessageKey]] = [:]

    package init() {}
}

/// Why a text is no query, and where: offsets count octets from the start of the text.
package enum SearchQueryError: Error, Hashable, Sendable, CustomStringConvertible {
    /// More than ``SearchQuery/maximumOctets``.
    case tooLong
    /// More than ``SearchQuery/maximumTerms``.
    case tooManyTerms(offset: Int)
    /// Parentheses deeper than ``SearchQuery/maximumDepth``.
    case tooDeep(offset: Int)
    case notUTF8
    case unterminatedQuote(offset: Int)
    /// A parenthesis without its partner.
    case unbalancedParenthesis(offset: Int)
    /// Something must stand here: beside `OR`, behind `-`, within parentheses.
    case missingOperand(offset: Int)
    /// `name:` without a value.
    case missingValue(field: String, offset: Int)
    /// `name:` that is none of ours. To look for it as text, quote it.
    case unknownField(String, offset: Int)
    /// A value that its field does not take.
    case invalidValue(field: String, offset: Int)
    /// Words without a letter or a digit.
    case nothingSearchable(offset: Int)

    package var offset: Int {
        switch self {
        case .tooLong: SearchQuery.maximumOctets
        case .notUTF8: 0
        case .tooManyTerms(let offset), .tooDeep(let offset), .unterminatedQuote(let offset),
            .unbalancedParenthesis(let offset), .missingOperand(let offset), .missingValue(_, let offset),
            .unknownField(_, let offset), .invalidValue(_, let offset), .nothingSearchable(let offset):
            offset
        }
    }

    package var description: String {
        switch self {
        case .tooLong: "The query is longer than \(SearchQuery.maximumOctets) octets."
        case .tooManyTerms: "The query has more than \(SearchQuery.maximumTerms) terms, from offset \(offset)."
        case .tooDeep: "Parentheses nest deeper than \(SearchQuery.maximumDepth) at offset \(offset)."
        case .notUTF8: "The query is not well-formed UTF-8."
        case .unterminatedQuote: "The quote opened at offset \(offset) is not closed."
        case .unbalancedParenthesis: "The parenthesis at offset \(offset) has no partner."
        case .missingOperand: "Something to look for is missing at offset \(offset)."
        case .missingValue(let field, _): "\"\(field):\" at offset \(offset) has no value."
        case .unknownField(let name, _):
            "\"\(name):\" at offset \(offset) is not a known field; put it in quotes to look for it as text."
        case .invalidValue(let field, _): "The value of \"\(field):\" at offset \(offset) is not understood."
        case .nothingSearchable: "There is no letter or digit to look for at offset \(offset)."
        }
    }
}
