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
        /// Why `q` was taken as plain words.
        var notice: String?
    }

    /// Why `q` was not taken as it was meant; nil when it was, or there is none.
    var notice: String? { text?.notice }
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
            for word in Self.words(words) { text.query.require(.phrase(SearchQuery.Phrase(word, in: field))) }
            self.text = text
        }
    }

    /// A query that is none is taken as plain words: somebody typed it, and wants to find something.
    private static func search(_ words: [UInt8]) -> SearchText {
        do {
            return SearchText(query: try SearchQuery(parsing: words.span))
        } catch {
            var text = SearchText(notice: "\(error) The query was taken as plain words.")
            for word in Self.words(words).prefix(SearchQuery.maximumTerms) {
                text.query.require(.phrase(SearchQuery.Phrase(word)))
            }
            return text
        }
    }

    /// Runs of letters, digits and what is beyond ASCII.
    private static func words(_ text: [UInt8]) -> [[UInt8]] {
        text.split { !ASCII.isAlphanumeric($0) && $0 < 0x80 }.map { Array($0) }
    }

    /// The folder asked for; nil where none or `all` is.
    ///
    /// 404 where there is none of that name.
    private func folder(in view: some StoreView, of account: AccountRow) throws -> FolderKey? {
        guard let folder, !folder.span.equals("all") else { return nil }
        return try FolderReference(folder).resolve(in: view, of: account).key
    }

    /// The filter of the columns, for the account's folders as they are now.
    func filter(in view: some StoreView, of account: AccountRow) throws -> MessageFilter {
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
