// SPDX-License-Identifier: Apache-2.0

import JSON
import Wire

/// Which page of a list is asked for.
struct Page: Sendable {
    static let defaultLimit = 50

    let limit: Int
    /// The cursor's 32 hexadecimal digits; nil for the first page.
    let cursor: [UInt8]?

    /// Reads `limit` and `cursor`.
    init(_ query: inout QueryReader) {
        limit = query.integer("limit", in: 1...200) ?? Self.defaultLimit
        let text = query.octets("cursor")
        let isCursor = text.map(Self.isCursor) ?? true
        if !isCursor { query.fail("cursor", "invalid", "is not a cursor that a list gave") }
        cursor = isCursor ? text : nil
    }

    private static func isCursor(_ text: [UInt8]) -> Bool { text.count == 32 && text.allSatisfy(isLowerHex) }

    private static func isLowerHex(_ byte: UInt8) -> Bool { ASCII.isDigit(byte) || (0x61...0x66).contains(byte) }

    /// The row number that a cursor made by ``cursor(afterRow:)`` stands for; nil on the first page.
    var row: Int64? { cursor.flatMap(Self.row) }

    /// The row number of a cursor; nil for what is none.
    static func row(_ cursor: [UInt8]) -> Int64? {
        guard isCursor(cursor), let value = StrictInteger.hexadecimal(cursor.span.extracting(16..<32)) else {
            return nil
        }
        return Int64(clamping: value)
    }

    /// The cursor of a list in the order of its rows' numbers.
    static func cursor(afterRow row: Int64) -> [UInt8] {
        var buffer = ByteBuffer()
        buffer.append("0000000000000000")
        buffer.append(Hex.encode(row.bigEndianOctets.span))
        return buffer.array()
    }
}

extension JSONWriter {
    /// `{"items":[…],"next":…}`.
    mutating func page<Item>(_ items: [Item], next: [UInt8]?, _ write: (Item, inout JSONWriter) -> Void) {
        beginObject()
        key("items")
        beginArray()
        for item in items { write(item, &self) }
        endArray()
        key("next")
        string(next)
        endObject()
    }
}
