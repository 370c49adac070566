// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with a request's framing.
///
/// All of these end the connection: behind a message whose end is in doubt
/// nothing is read as a request.
extension HTTPProblem {
    private static func malformed(_ detail: String) -> HTTPProblem {
        HTTPProblem(.badRequest, "invalid_request", detail, closesConnection: true)
    }

    public static let strayControl = malformed(
        "The head has a control character, or a line that does not end with CRLF."
    )
    public static let badRequestLine = malformed(
        "The request line is not method, target and version with one space between."
    )
    public static let badTarget = malformed("The request target is not one that HTTP allows.")
    public static let badPath = malformed("The path is not well-formed percent-encoding, or encodes a slash or NUL.")
    public static let badFieldLine = malformed("A header line is not a token, a colon and a value.")
    public static let badHost = malformed("There must be one Host field with a valid host.")
    public static let badContentLength = malformed("Content-Length must be one number of at most 18 digits.")
    public static let badTransferEncoding = malformed(
        "Transfer-Encoding must be chunked alone, in HTTP/1.1, without Content-Length."
    )
    /// RFC 9112 §6.1: a coding that the server does not know, in front of chunked.
    public static let unknownCoding = HTTPProblem(
        .notImplemented,
        "unsupported_transfer_encoding",
        "The only transfer coding known here is chunked.",
        closesConnection: true
    )
    public static let badChunk = malformed("The chunked body is not well-formed.")
    public static let badTrailer = malformed(
        "The trailer section is not well-formed, too large, or has a field that frames."
    )
    public static let badBodyEnd = malformed("The connection ended within the body.")
    public static let unknownVersion = HTTPProblem(
        .httpVersionNotSupported,
        "unsupported_version",
        "This server speaks HTTP/1.1 and HTTP/1.0.",
        closesConnection: true
    )
    public static let targetTooLong = HTTPProblem(
        .uriTooLong,
        "uri_too_long",
        "The request line is too long.",
        closesConnection: true
    )
    public static let headTooLarge = HTTPProblem(
        .requestHeaderFieldsTooLarge,
        "header_too_large",
        "The header is too large.",
        closesConnection: true
    )
    public static let badExpectation = HTTPProblem(
        .expectationFailed,
        "expectation_failed",
        "The only expectation known here is 100-continue.",
        closesConnection: true
    )
}

/// What the server says of requests whose framing is right.
extension HTTPProblem {
    public static let headerTimeout = HTTPProblem(
        .requestTimeout,
        "header_timeout",
        "The header did not come in time.",
        closesConnection: true
    )
    public static let bodyTimeout = HTTPProblem(
        .requestTimeout,
        "body_timeout",
        "The body came too slowly.",
        closesConnection: true
    )
    public static let bodyTooLarge = HTTPProblem(
        .contentTooLarge,
        "body_too_large",
        "The body is too large.",
        closesConnection: true
    )
    public static let unknownMethod = HTTPProblem(
        .notImplemented,
        "method_not_implemented",
        "This method is not known here.",
        closesConnection: true
    )
    public static let misdirected = HTTPProblem(
        .misdirectedRequest,
        "misdirected_request",
        "This server does not answer for that host."
    )
    public static let unforeseen = HTTPProblem(
        .internalServerError,
        "internal_error",
        "The request could not be answered."
    )
}
