// SPDX-License-Identifier: Apache-2.0

import Wire

/// What goes before an answer's body.
///
/// Content-Length, Date, Connection, X-Request-Id and `X-Content-Type-Options` are the
/// server's: they are not in `fields`.
public struct HTTPResponse: Sendable {
    public var status: HTTPStatus
    /// Written as `Content-Type`; costs no allocation.
    public var contentType: StaticString?
    public var fields: HTTPFields

    public init(_ status: HTTPStatus, contentType: StaticString? = nil, fields: HTTPFields = HTTPFields()) {
        self.status = status
        self.contentType = contentType
        self.fields = fields
    }
}
