// SPDX-License-Identifier: Apache-2.0

public import Wire

/// An error that the HTTP layer itself answers, as `application/problem+json` (RFC 9457).
public struct HTTPProblem: Error, Sendable {
    public var status: HTTPStatus
    /// Stable, for programs: `[a-z_]+`.
    public var code: StaticString
    /// One sentence for people.
    public var detail: String
    /// Further fields of the answer, such as `Allow`.
    public var fields: HTTPFields
    /// The message's end cannot be told any more: nothing behind it may be read as a request.
    public var closesConnection: Bool

    public init(
        _ status: HTTPStatus,
        _ code: StaticString,
        _ detail: String,
        fields: HTTPFields = HTTPFields(),
        closesConnection: Bool = false
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = fields
        self.closesConnection = closesConnection
    }

    static let duplicateField = HTTPProblem(.badRequest, "duplicate_field", "A field that may come once came twice.")

    /// Writes the document.
    ///
    /// `{"type":"about:blank","title":…,"status":…,"code":…,"detail":…,"requestId":…}`
    public func appendJSON(to buffer: inout ByteBuffer, requestID: Span<UInt8>) {
        buffer.append("{\"type\":\"about:blank\",\"title\":\"")
        buffer.append(status.reason)
        buffer.append("\",\"status\":")
        buffer.append(decimal: status.code)
        buffer.append(",\"code\":\"")
        buffer.append(code)
        buffer.append("\",\"detail\":\"")
        for byte in detail.utf8 { Self.appendEscaped(byte, to: &buffer) }
        buffer.append("\",\"requestId\":\"")
        for index in requestID.indices { Self.appendEscaped(requestID[index], to: &buffer) }
        buffer.append("\"}\n")
    }

    private static func appendEscaped(_ byte: UInt8, to buffer: inout ByteBuffer) {
        switch byte {
        case ASCII.quote, ASCII.backslash:
            buffer.append(ASCII.backslash)
            buffer.append(byte)
        case 0..<0x20, 0x7F:
            buffer.append("\\u00")
            for digit in [byte >> 4, byte & 15] { buffer.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
        default: buffer.append(byte)
        }
    }
}
