// SPDX-License-Identifier: Apache-2.0

/// What can be a parameter of a statement.
///
/// SQLite copies it.
public protocol SQLiteBindable {
    func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError)
}

extension Int64: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try statement.bind(index, self)
    }
}

extension Int: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try statement.bind(index, Int64(self))
    }
}

extension Bool: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try statement.bind(index, self ? 1 : 0)
    }
}

/// Octets are bound as a BLOB.
extension Array: SQLiteBindable where Element == UInt8 {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try span.withUnsafeBytes { (bytes) throws(SQLiteError) in try statement.bind(index, blob: bytes) }
    }
}

/// A string is bound as TEXT.
extension String: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try utf8.span.withUnsafeBytes { (bytes) throws(SQLiteError) in try statement.bind(index, text: bytes) }
    }
}

extension Optional: SQLiteBindable where Wrapped: SQLiteBindable {
    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        if let value = self { try value.bind(to: statement, at: index) } else { try statement.bindNull(index) }
    }
}

extension SQLiteConnection {
    /// Runs a statement that gives no rows, and returns how many it changed.
    ///
    /// `sql` is compiled once per connection.
    @discardableResult
    @inlinable public func run(_ sql: StaticString, _ parameters: any SQLiteBindable...) throws(SQLiteError) -> Int {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        while try statement.step() {}
        return changes
    }

    /// Lends each row of a query to `body`, until it returns false.
    @inlinable public func forEach(
        _ sql: StaticString,
        _ parameters: any SQLiteBindable...,
        body: (consuming SQLiteRow) throws -> Bool
    ) throws {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        while try statement.step() {
            guard try statement.withRow(body) else { return }
        }
    }

    /// What `body` makes of the first row of a query, or nil when there is none.
    @inlinable public func first<R>(
        _ sql: StaticString,
        _ parameters: any SQLiteBindable...,
        body: (consuming SQLiteRow) throws -> R
    ) throws -> R? {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        return try statement.step() ? statement.withRow(body) : nil
    }

    /// What `body` makes of each row of a query.
    @inlinable public func all<R>(
        _ sql: StaticString,
        _ parameters: any SQLiteBindable...,
        body: (consuming SQLiteRow) throws -> R
    ) throws -> [R] {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        var rows: [R] = []
        while try statement.step() { rows.append(try statement.withRow(body)) }
        return rows
    }

    // MARK: SQL put together at run time (from our own pieces, never from values)

    @discardableResult
    @inlinable public func run(built sql: String, _ parameters: [any SQLiteBindable]) throws(SQLiteError) -> Int {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        while try statement.step() {}
        return changes
    }

    @inlinable public func forEach(
        built sql: String,
        _ parameters: [any SQLiteBindable],
        body: (consuming SQLiteRow) throws -> Bool
    ) throws {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        while try statement.step() {
            guard try statement.withRow(body) else { return }
        }
    }

    @inlinable public func first<R>(
        built sql: String,
        _ parameters: [any SQLiteBindable],
        body: (consuming SQLiteRow) throws -> R
    ) throws -> R? {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        return try statement.step() ? statement.withRow(body) : nil
    }

    @inlinable public func all<R>(
        built sql: String,
        _ parameters: [any SQLiteBindable],
        body: (consuming SQLiteRow) throws -> R
    ) throws -> [R] {
        let statement = try take(sql)
        defer { giveBack(statement, sql: sql) }
        try statement.bind(parameters)
        var rows: [R] = []
        while try statement.step() { rows.append(try statement.withRow(body)) }
        return rows
    }
}

extension SQLiteStatement {
    /// Binds the parameters ?1, ?2, … in order.
    public func bind(_ parameters: [any SQLiteBindable]) throws(SQLiteError) {
        var index: Int32 = 0
        for parameter in parameters {
            index += 1
            try parameter.bind(to: self, at: index)
        }
    }
}
