// SPDX-License-Identifier: Apache-2.0

/// Octets that are bound as TEXT: well-formed UTF-8 that never was a `String`.
package struct SQLiteText: SQLiteBindable {
    package let utf8: [UInt8]

    package init(_ utf8: [UInt8]) { self.utf8 = utf8 }

    package func bind(to statement: SQLiteStatement, at index: Int32) throws(SQLiteError) {
        try utf8.span.withUnsafeBytes { (bytes) throws(SQLiteError) in try statement.bind(index, text: bytes) }
    }
}
