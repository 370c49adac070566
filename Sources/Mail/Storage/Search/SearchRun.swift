// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SQLite

/// One search over one account, on a connection that has the store attached as `store` and, where the plan needs it, the
/// account's index as `main`.
struct SearchRun: Sendable {
    let account: AccountKey
    let folder: FolderKey?
    let query: SearchQuery
    let known: SearchHits
    let limit: Int
    let order: SearchCursor.Order

    init(
        _ query: SearchQuery,
        account: AccountKey,
        folder: FolderKey?,
        known: SearchHits = SearchHits(),
        limit: Int
    ) {
        self.query = query
        self.known = known
        self.account = account
        self.folder = folder
        self.limit = limit
        order = SearchPlan(query, account: account).needsIndex ? .documents : .dates
    }

    /// A row found: its place in the order, and the message.
    private struct Row {
        let major: Int64
        let message: SearchPage.Message
    }

    /// Reads one page behind `cursor`.
    ///
    /// When the connection's progress handler ends it, the page ends where it had come.
    func page(after cursor: SearchCursor?, on connection: SQLiteConnection) throws -> SearchPage {
        var rows: [Row] = []
        var wasCut = false
        do {
            try collect(into: &rows, after: cursor, on: connection)
        } catch let error as SQLiteError where error.kind == .interrupted {
            wasCut = true
            // What was found up to here is the newest there is, but the last document may not be complete. Without
            // anything complete there is no place to go on from.
            let last = rows.last?.major
            rows.removeAll { $0.major == last }
            if rows.isEmpty { throw StoreError.tooSlow }
        }
        rows.sort { ($0.major, $0.message.key) > ($1.major, $1.message.key) }
        var page = SearchPage()
        page.messages = rows.prefix(limit).map(\.message)
        if wasCut || rows.count > limit, let last = rows.prefix(limit).last {
            page.next = SearchCursor(order: order, major: last.major, message: last.message.key.value)
        }
        return page
    }

    /// Collects rows in the order of the majors until there are more than the limit and the last major is complete.
    private func collect(into rows: inout [Row], after cursor: SearchCursor?, on connection: SQLiteConnection) throws {
        var parameters: [any SQLiteBindable] = [cursor?.major ?? .max, cursor?.message ?? .max, account]
        let sql = statement(&parameters)
        var found: [Row] = []
        defer { rows = found }
        try connection.forEach(built: sql, parameters) { row in
            let major = row.int64(0)
            // By dates the rows of one major come in order; by documents only the majors do.
            if found.count > limit, order == .dates || found.last?.major != major { return false }
            found.append(Row(major: major, message: .init(key: row.key(1), id: try row.id(2))))
            return true
        }
    }

    /// Only the first column decides the order here, so that each form is read from its index without sorting.
    private func statement(_ parameters: inout [any SQLiteBindable]) -> String {
        let plan = SearchPlan(query, account: account, known: known)
        var sql: String
        if let words = plan.words {
            sql = """
                SELECT words.rowid, m.pk, m.id FROM words
                CROSS JOIN placements AS p ON p.document = words.rowid
                CROSS JOIN store.messages AS m ON m.pk = p.message
                WHERE words MATCH ?4 AND words.rowid <= ?1 AND (words.rowid < ?1 OR p.message < ?2) AND m.account = ?3
                """
            parameters.append(SQLiteText(words))
        } else if plan.needsIndex {
            sql = """
                SELECT p.document, m.pk, m.id FROM placements AS p
                CROSS JOIN store.messages AS m ON m.pk = p.message
                WHERE p.document <= ?1 AND (p.document < ?1 OR p.message < ?2) AND m.account = ?3
                """
        } else {
            sql = """
                SELECT m.internal_date, m.pk, m.id FROM store.messages AS m
                WHERE m.internal_date <= ?1 AND (m.internal_date < ?1 OR m.pk < ?2) AND m.account = ?3
                """
        }
        if let folder {
            sql += " AND m.folder = ?"
            parameters.append(folder)
        }
        if let condition = plan.condition {
            sql += " AND \(condition)"
            parameters += plan.parameters
        }
        switch order {
        case .documents where plan.words != nil: sql += " ORDER BY words.rowid DESC"
        case .documents: sql += " ORDER BY p.document DESC"
        case .dates: sql += " ORDER BY m.internal_date DESC, m.pk DESC"
        }
        return sql
    }

    /// Whether the query finds this one message, by its own entry in the index.
    func contains(_ message: MessageKey, on connection: SQLiteConnection) throws -> Bool {
        let plan = SearchPlan(query, account: account)
        var sql = "SELECT 1 FROM store.messages AS m"
        if plan.needsIndex { sql += " CROSS JOIN placements AS p ON p.message = m.pk" }
        sql += " WHERE m.pk = ?1 AND m.account = ?2"
        var parameters: [any SQLiteBindable] = [message, account]
        if let words = plan.words {
            sql += " AND p.document IN (SELECT rowid FROM words WHERE words MATCH ?3 AND rowid = p.document)"
            parameters.append(SQLiteText(words))
        }
        if let condition = plan.condition {
            sql += " AND \(condition)"
            parameters += plan.parameters
        }
        return try connection.first(built: sql + " LIMIT 1", parameters) { _ in true } ?? false
    }
}
