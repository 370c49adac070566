// SPDX-License-Identifier: Apache-2.0

public import Wire

/// How an answer's body ends.
public enum HTTPAnswerFraming: Hashable, Sendable {
    /// 204 and 304 (and 1xx): no body, and no field about one.
    case none
    case length(UInt64)
    case chunked
    /// The connection's end is the body's: for HTTP/1.0 clients, which do not know chunks.
    case close
}

extension ByteBuffer {
    /// The status line, the fields of every answer, those of `response`, and what frames the body, without the empty line at
    /// the end, so that more fields can follow.
    ///
    /// `dateLine` is `Date: … CRLF`; `requestID` holds no control, which the caller has seen to.
    public mutating func appendHead(
        _ response: borrowing HTTPResponse,
        framing: HTTPAnswerFraming,
        dateLine: [UInt8],
        requestID: [UInt8]
    ) {
        reserve(512)
        append(statusLine: response.status)
        append(dateLine)
        if let contentType = response.contentType {
            append("Content-Type: ")
            append(contentType)
            append("\r\n")
        }
        switch framing {
        case .none, .close: break
        case .length(let octets):
            append("Content-Length: ")
            append(decimal: octets)
            append("\r\n")
        case .chunked: append("Transfer-Encoding: chunked\r\n")
        }
        if !response.fields.isEmpty { append(response.fields) }
        append("X-Content-Type-Options: nosniff\r\nX-Request-Id: ")
        append(requestID)
        append("\r\n")
    }

    private mutating func append(statusLine status: HTTPStatus) {
        if status == .ok { return append("HTTP/1.1 200 OK\r\n") }
        append("HTTP/1.1 ")
        append(decimal: UInt64(status.code))
        append(ASCII.space)
        append(status.reason)
        append("\r\n")
    }

    /// The size line of a chunk; the chunk's octets and CRLF follow.
    public mutating func appendChunkSize(_ octets: Int) {
        precondition(octets > 0, "an empty chunk ends the body")
        var digits = 1
        while octets >> (4 * digits) > 0, digits < 16 { digits += 1 }
        while digits > 0 {
            digits -= 1
            let value = UInt8(octets >> (4 * digits) & 15)
            append(value < 10 ? 0x30 + value : 0x57 + value)
        }
        appendLineEnd()
    }
}
