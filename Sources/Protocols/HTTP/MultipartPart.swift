// SPDX-License-Identifier: Apache-2.0

import Wire

/// What the header of one part of a form says (RFC 7578 §4).
public struct MultipartPart: Sendable {
    /// The form field's name.
    public let name: String
    /// As the client calls the file: untrusted, for showing only.
    ///
    /// Nil where the part is not a file.
    public let filename: String?
    /// The part's `Content-Type` as sent; RFC 7578 §4.4 takes `text/plain` where it is absent.
    public let contentType: [UInt8]?
    /// All field lines of the part.
    public let fields: HTTPFields

    /// `header` ends with an empty line.
    init(header: Span<UInt8>, maximumFields: Int) throws(HTTPProblem) {
        fields = try Self.parseFields(header, maximum: maximumFields)
        guard let text = try fields.single("Content-Disposition"), let value = ParameterizedValue(text.span),
            value.value.span.equals("form-data"), let name = value.string("name")
        else { throw MultipartParser.malformed }
        self.name = name
        filename = value.extended("filename") ?? value.string("filename")
        contentType = try fields.single("Content-Type").map { Array($0) }
    }

    private static func parseFields(_ header: Span<UInt8>, maximum: Int) throws(HTTPProblem) -> HTTPFields {
        var fields = HTTPFields()
        var start = 0
        while start + 2 < header.count {
            guard let end = header.firstIndex(of: ASCII.cr, from: start), end + 1 < header.count,
                header[end + 1] == ASCII.lf, fields.count < maximum,
                let line = FieldLine(header.extracting(start..<end))
            else { throw MultipartParser.malformed }
            fields.append(
                name: header.extracting(start..<start + line.nameEnd),
                value: header.extracting(start + line.value.lowerBound..<start + line.value.upperBound)
            )
            start = end + 2
        }
        return fields
    }
}

/// Where name and value of a field line lie.
///
///     field-line = field-name ":" OWS field-value OWS        ; RFC 9112 §5
struct FieldLine {
    let nameEnd: Int
    let value: Range<Int>

    /// `line` is without its CRLF.
    ///
    /// Nil for a name that is not a token, a space before the colon, a folded line, a control.
    init?(_ line: Span<UInt8>) {
        guard let colon = line.firstIndex(of: ASCII.colon), colon > 0 else { return nil }
        for index in 0..<colon where !ASCII.isToken(line[index]) { return nil }
        var start = colon + 1
        var end = line.count
        for index in start..<end where !HTTPFields.isSafe(line[index]) { return nil }
        while start < end, ASCII.isBlank(line[start]) { start += 1 }
        while start < end, ASCII.isBlank(line[end - 1]) { end -= 1 }
        nameEnd = colon
        value = start..<end
    }
}
