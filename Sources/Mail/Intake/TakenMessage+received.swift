// SPDX-License-Identifier: Apache-2.0

import MIME
package import Runtime
import Storage
package import Wire

extension TakenMessage {
    /// More of a header is not looked at.
    private static let headerOctets: Int64 = 128 << 10

    /// When the last server on its way got the message, as the first `Received` field says (RFC 5321 §4.4); nil where there is
    /// none that can be read.
    package func received(on pool: BlockingPool) async throws -> Timestamp? {
        guard let range = MIMELayout(encoded: content.layout.span)?.parts.first?.headerRange else { return nil }
        var header = ByteBuffer()
        let end = min(range.upperBound, range.lowerBound + Self.headerOctets)
        guard range.lowerBound < end else { return nil }
        try await body.reader().read(range.lowerBound..<end, into: &header, on: pool)
        return Self.received(in: header.array())
    }

    /// ```
    /// Time-stamp-line = "Received:" FWS Stamp CRLF        ; RFC 5321 §4.4
    /// Stamp           = From-domain By-domain Opt-info [CFWS] ";" FWS date-time
    /// ```
    static func received(in header: [UInt8]) -> Timestamp? {
        let name: StaticString = "received:"
        var start = header.startIndex
        while start < header.endIndex {
            let line = fieldEnd(header, from: start)
            defer { start = line }
            let field = header[start..<line]
            guard field.count > name.utf8CodeUnitCount,
                ASCII.equalsIgnoringCase(field.prefix(name.utf8CodeUnitCount), name)
            else { continue }
            guard let semicolon = field.lastIndex(of: ASCII.semicolon) else { return nil }
            return DateParser.parse(field[(semicolon + 1)...])
        }
        return nil
    }

    /// Behind the field's last line: one that begins with a blank belongs to the field before it.
    private static func fieldEnd(_ header: [UInt8], from start: Int) -> Int {
        var index = start
        while index < header.endIndex {
            let isEnd = header[index] == ASCII.lf
            index += 1
            if isEnd, index == header.endIndex || !ASCII.isBlank(header[index]) { return index }
        }
        return index
    }
}
