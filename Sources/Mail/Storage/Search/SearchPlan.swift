// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite
import Wire

/// A query made ready for SQLite: an expression for the full-text index, where some words must occur, and a condition
/// for the rows.
///
/// Only our own pieces become SQL; what the query says is bound, or quoted for the index.
struct SearchPlan {
    /// The full-text expression that every message found matches; nil when no words must occur.
    var words: [UInt8]?
    /// The condition on `m` (a row of `messages`) and, where ``needsIndex``, `p` (one of `placements`); nil when there is none.
    var condition: String?
    var parameters: [any SQLiteBindable] = []

    /// Whether the index file is needed, for ``words`` or for the condition.
    var needsIndex: Bool { words != nil || mentionsWords }
    private var mentionsWords = false

    /// One operand on the way: the same claim in the three languages that can say it.
    private struct Operand {
        /// The claim as a full-text expression.
        var matching: [UInt8]?
        /// A full-text expression whose opposite the claim is.
        var opposite: [UInt8]?
        /// A condition for the rows, its parameters as `?` in order.
        var condition: String
        /// A better way to deny the condition than `NOT`, with the same parameters.
        var negation: String?
        var parameters: [any SQLiteBindable]
        var mentionsWords: Bool
        /// The operands it was joined from by "all of", so that the last join can take them apart.
        var conjuncts: [Operand]?
    }

    /// - Parameter known: messages that are known by others to have these words, whatever the index says.
    init(_ query: SearchQuery, account: AccountKey, known: SearchHits = SearchHits()) {
        var operands: [Operand] = []
        for step in query.steps {
            switch step {
            case .term(let term): operands.append(Self.operand(for: term, account: account, known: known))
            case .not:
                if let operand = operands.popLast() { operands.append(Self.negated(operand)) }
            case .all(let count):
                let joined = Array(operands.suffix(count))
                operands.removeLast(min(count, operands.count))
                operands.append(Self.all(joined))
            case .any(let count):
                let joined = Array(operands.suffix(count))
                operands.removeLast(min(count, operands.count))
                operands.append(Self.any(joined))
            }
        }
        if let whole = operands.last { take(whole) }
    }

    /// Splits the whole claim into what the index answers in order and what the rows are asked.
    private mutating func take(_ whole: Operand) {
        let parts = whole.conjuncts ?? [whole]
        let driving = Self.conjunction(parts.filter { $0.matching != nil || $0.opposite != nil })
        words = driving
        let rest = parts.filter { driving == nil || ($0.matching == nil && $0.opposite == nil) }
        condition = rest.isEmpty ? nil : rest.map(\.condition).joined(separator: " AND ")
        parameters = rest.flatMap(\.parameters)
        mentionsWords = rest.contains { $0.mentionsWords }
    }

    // MARK: Joining

    private static func negated(_ operand: Operand) -> Operand {
        Operand(
            matching: operand.opposite,
            opposite: operand.matching,
            condition: operand.negation ?? "NOT \(operand.condition)",
            negation: operand.condition,
            parameters: operand.parameters,
            mentionsWords: operand.mentionsWords
        )
    }

    private static func all(_ operands: [Operand]) -> Operand {
        let areWords = operands.allSatisfy { $0.matching != nil || $0.opposite != nil }
        return Operand(
            matching: areWords ? conjunction(operands) : nil,
            opposite: operands.allSatisfy { $0.opposite != nil } ? join(operands.compactMap(\.opposite), " OR ") : nil,
            condition: "(\(operands.map(\.condition).joined(separator: " AND ")))",
            parameters: operands.flatMap(\.parameters),
            mentionsWords: operands.contains { $0.mentionsWords },
            conjuncts: operands.flatMap { $0.conjuncts ?? [$0] }
        )
    }

    private static func any(_ operands: [Operand]) -> Operand {
        var opposite: [UInt8]?
        if operands.allSatisfy({ $0.matching != nil || $0.opposite != nil }),
            operands.contains(where: { $0.opposite != nil })
        {
            // Not (a or not b) is b without a.
            opposite = conjunction(operands.map(negated))
        }
        return Operand(
            matching: operands.allSatisfy { $0.matching != nil } ? join(operands.compactMap(\.matching), " OR ") : nil,
            opposite: opposite,
            condition: "(\(operands.map(\.condition).joined(separator: " OR ")))",
            parameters: operands.flatMap(\.parameters),
            mentionsWords: operands.contains { $0.mentionsWords }
        )
    }

    /// `(a AND b) NOT (c OR d)`; nil when there is nothing that must occur, which the index cannot express.
    private static func conjunction(_ operands: [Operand]) -> [UInt8]? {
        let wanted = operands.compactMap(\.matching)
        guard !wanted.isEmpty else { return nil }
        let unwanted = operands.filter { $0.matching == nil }.compactMap(\.opposite)
        let all = join(wanted, " AND ")
        return unwanted.isEmpty ? all : join([all, join(unwanted, " OR ")], " NOT ")
    }

    private static func join(_ expressions: [[UInt8]], _ separator: StaticString) -> [UInt8] {
        guard expressions.count > 1 else { return expressions.first ?? [] }
        var joined = ByteBuffer()
        joined.append("(")
        for (index, expression) in expressions.enumerated() {
            if index > 0 { joined.append(separator) }
            joined.append(expression)
        }
        joined.append(")")
        return joined.array()
    }

    // MARK: Terms

    private static func operand(for term: SearchQuery.Term, account: AccountKey, known: SearchHits) -> Operand {
        switch term {
        case .phrase(let phrase):
            let expression = expression(phrase)
            if let messages = known.messages[phrase], !messages.isEmpty {
                return Operand(
                    condition: """
                        (p.document IN (SELECT rowid FROM words WHERE words MATCH ?)
                        OR m.pk IN (SELECT value FROM json_each(?)))
                        """,
                    parameters: [SQLiteText(expression), SQLiteText(array(messages))],
                    mentionsWords: true
                )
            }
            return Operand(
                matching: expression,
                condition: "(p.document IN (SELECT rowid FROM words WHERE words MATCH ?))",
                parameters: [SQLiteText(expression)],
                mentionsWords: true
            )
        case .hasAttachments:
            return structured("(SELECT c.has_attachments FROM store.contents AS c WHERE c.pk = m.content)")
        case .flagged(let flags):
            // Written out, and so, because the store has indexes over just these conditions.
            let bits = (0..<8).map { 1 << $0 }.filter { Int(flags.rawValue) & $0 != 0 }
            var operand = structured("(\(bits.map { "m.flags & \($0) <> 0" }.joined(separator: " AND ")))")
            if bits.isEmpty { operand.condition = "(1)" }
            operand.negation = "(\(bits.map { "m.flags & \($0) = 0" }.joined(separator: " OR ")))"
            if bits.isEmpty { operand.negation = "(0)" }
            return operand
        case .before(let moment): return structured("(m.internal_date < ?)", moment.milliseconds)
        case .since(let moment): return structured("(m.internal_date >= ?)", moment.milliseconds)
        case .larger(let octets): return structured("(m.size > ?)", Int64(clamping: octets))
        case .smaller(let octets): return structured("(m.size < ?)", Int64(clamping: octets))
        case .folder(let name): return folder(name, of: account)
        }
    }

    /// The folder's id, its role, or its name, of which INBOX is the same in any case (RFC 9051 §5.1).
    private static func folder(_ name: [UInt8], of account: AccountKey) -> Operand {
        if let id = FolderID(name.span) {
            return structured(
                "(m.folder IN (SELECT pk FROM store.folders WHERE account = ? AND id = ?))",
                account,
                id
            )
        }
        let role = ASCII.lowercased(name)
        // Names are stored composed; what is no name is the name of nothing.
        let composed = (try? FolderName(name.span.repairedUTF8String())).map { Array($0.text.utf8) } ?? name
        return structured(
            "(m.folder IN (SELECT pk FROM store.folders WHERE account = ? AND (role = ? OR name = ?)))",
            account,
            SQLiteText(role),
            SQLiteText(composed)
        )
    }

    private static func structured(_ condition: String, _ parameters: any SQLiteBindable...) -> Operand {
        Operand(condition: condition, parameters: parameters, mentionsWords: false)
    }

    /// The keys as a JSON array.
    private static func array(_ messages: [MessageKey]) -> [UInt8] {
        var array = ByteBuffer(capacity: messages.count * 8 + 2)
        array.append(ASCII.openBracket)
        for (index, message) in messages.enumerated() {
            if index > 0 { array.append(ASCII.comma) }
            array.append(decimal: UInt64(bitPattern: message.value))
        }
        array.append(ASCII.closeBracket)
        return array.array()
    }

    /// The words as a full-text expression: one quoted string, within its column.
    private static func expression(_ phrase: SearchQuery.Phrase) -> [UInt8] {
        let query = SearchWords.query(phrase.text.span)
        var expression = ByteBuffer()
        if let column = phrase.field.column {
            expression.append(column)
            expression.append(" : ")
        }
        expression.append(ASCII.quote)
        // A word has neither quotes nor NUL: they separate words.
        expression.append(query.words)
        expression.append(ASCII.quote)
        if phrase.isPrefix || query.isPrefix { expression.append(" *") }
        return expression.array()
    }
}

extension SearchQuery.Field {
    /// The column of the index; nil for all of them.
    var column: StaticString? {
        switch self {
        case .anywhere: nil
        case .subject: "subject"
        case .from: "sender"
        case .to: "recipient"
        case .cc: "cc"
        case .bcc: "bcc"
        case .body: "body"
        case .filename: "filename"
        }
    }
}
