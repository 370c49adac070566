// SPDX-License-Identifier: Apache-2.0

import MailTypes
import Storage
import Wire

/// Which messages a list, a bulk change or a bulk deletion means: the filters of the query, all of which must hold.
struct MessageListing: Sendable {
    private var folder: [UInt8]?
    private var filter = MessageFilter()
    /// What only a search can tell; nil where the columns suffice.
    private var text: SearchText?

    /// Words to be found.
    private struct SearchText: Sendable {
        var query = SearchQuery()
        /// What was not understood, and what a list makes of it.
        var problem: String?
        var consequence = "Nothing is found."
        /// Whether there is nothing to look for in some of them.
        var findsNothing = false

        /// Adds words that must all be there; where there are none, nothing is found, for no condition would find everything.
        mutating func require(_ words: [[UInt8]], in field: SearchQuery.Field = .anywhere) {
            for word in words { query.require(.phrase(SearchQuery.Phrase(word, in: field))) }
            guard words.isEmpty else { return }
            query.require(.flagged([]), negated: true)
            findsNothing = true
        }
    }

    /// What was not understood of the words to be found, in a sentence; nil where all was.
    var problem: String? { text?.problem }
    /// The same for a list, and what was made of it.
    var notice: String? {
        text.flatMap { text in text.problem.map { "\($0) \(text.consequence)" } }
    }
    var needsSearch: Bool { text != nil }
    var hasFolder: Bool { folder != nil }

    init(_ query: inout QueryReader) {
        folder = query.text("folder", minimum: 1, maximum: 64)
        filter.unread = query.bool("unread")
        filter.flagged = query.bool("flagged")
        filter.since = query.moment("since")
        filter.before = query.moment("before")
        filter.hasAttachments = query.bool("hasAttachment")
        let words = query.text("q", maximum: 250)
        let fields: [(SearchQuery.Field, [UInt8]?)] = [
            (.from, query.text("from", minimum: 1, maximum: 250)),
            (.to, query.text("to", minimum: 1, maximum: 250)),
            (.subject, query.text("subject", minimum: 1, maximum: 250)),
        ]
        if let words, !words.allSatisfy({ $0 == ASCII.space }) { text = Self.search(words) }
        for (field, words) in fields {
            guard let words else { continue }
            var text = text ?? SearchText()
            text.require(Self.words(words), in: field)
            if text.findsNothing, text.problem == nil {
                text.problem = "There is no letter or digit to look for in \"\(field.rawValue)\"."
            }
            self.text = text
        }
    }

    /// A query that is none is taken as plain words: somebody typed it, and wants to find something.
    private static func search(_ words: [UInt8]) -> SearchText {
        do {
            return SearchText(query: try SearchQuery(parsing: words.span))
        } catch {
            var text = SearchText(problem: "\(error)", consequence: "The query was taken as plain words.")
            text.require(Array(Self.words(words).prefix(SearchQuery.maximumTerms)))
            return text
        }
    }

    /// Runs of letters, digits and what is beyond ASCII, as far as they can be looked for.
    private static func words(_ text: [UInt8]) -> [[UInt8]] {
        text.split { !ASCII.isAlphanumeric($0) && $0 < 0x80 }.map { Array($0) }
            .filter { SearchWords.isSearchable($0.span) }
    }

    /// The folder asked for; nil where none or `all` is.
    ///
    /// 404 where there is none of that name.
    private func folder(in view: some StoreView, of account: AccountKey) throws -> FolderKey? {
        guard let folder, !folder.span.equals("all") else { return nil }
        return try FolderReference(folder).key(in: view, of: account)
    }

    /// The filter of the columns, for the account's folders as they are now.
    func filter(in view: some StoreView, of account: AccountKey) throws -> MessageFilter {
        var filter = filter
        filter.folder = try folder(in: view, of: account)
        return filter
    }

    /// The query that says the same as all filters together.
    var query: SearchQuery {
        var query = text?.query ?? SearchQuery()
        if let unread = filter.unread { query.require(.flagged(.seen), negated: unread) }
        if let flagged = filter.flagged { query.require(.flagged(.flagged), negated: !flagged) }
        if let since = filter.since { query.require(.since(since)) }
        if let before = filter.before { query.require(.before(before)) }
        if let has = filter.hasAttachments { query.require(.hasAttachments, negated: !has) }
        return query
    }
}
