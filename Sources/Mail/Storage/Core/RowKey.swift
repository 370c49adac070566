// SPDX-License-Identifier: Apache-2.0

public import MailTypes
public import SQLite

/// The store's own number of a row, typed by what it names.
///
/// It never leaves the process; ids do.
package struct RowKey<Kind>: Hashable, Comparable, Sendable {
    package let value: Int64

    package init(_ value: Int64) { self.value = value }

    package static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

extension RowKey: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try statement.bind(index, value)
    }
}

package typealias AccountKey = RowKey<AccountKind>
package typealias FolderKey = RowKey<FolderKind>
package typealias MessageKey = RowKey<MessageKind>
package typealias ThreadKey = RowKey<ThreadKind>
package typealias ContentKey = RowKey<ContentKind>
package typealias SubmissionKey = RowKey<SubmissionKind>

extension Identifier: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try statement.bind(index, blob: stored.span)
    }
}

extension SQLiteRow {
    /// The id in a column; a row never has anything else there.
    func id<Kind>(_ column: Int32) throws(StoreError) -> Identifier<Kind> {
        guard let id = Identifier<Kind>(octets: bytes(column)) else { throw .corrupt("an id is malformed") }
        return id
    }

    func key<Kind>(_ column: Int32) -> RowKey<Kind> { RowKey(int64(column)) }
}
