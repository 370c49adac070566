// SPDX-License-Identifier: Apache-2.0

/// Octets that are bound as TEXT: well-formed UTF-8 that never was a `String`.
public struct SQLiteText: SQLiteBindable {
    public let utf8: [UInt8]

    public init(_ utf8: [UInt8]) { self.utf8 = utf8 }

    public func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try utf8.span.withUnsafeBytes { (bytes) throws(SQLiteError) in try statement.bind(index, text: bytes) }
    }
}
