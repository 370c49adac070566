// SPDX-License-Identifier: Apache-2.0

import Wire

/// What goes before an answer's body.
///
/// Content-Length, Date, Connection, X-Request-Id and `X-Content-Type-Options` are the
/// server's: they are not in `fields`.
package struct HTTPResponse: Sendable {
    package var status: HTTPStatus
    /// Written as `Content-Type`; costs no allocation.
    package var contentType: StaticString?
    package var fields: HTTPFields

    package init(_ status: HTTPStatus, contentType: StaticString? = nil, fields: HTTPFields = HTTPFields()) {
        self.status = status
        self.contentType = contentType
        self.fields = fields
    }
}
