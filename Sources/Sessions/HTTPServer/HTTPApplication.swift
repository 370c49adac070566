// SPDX-License-Identifier: Apache-2.0

package import HTTP

/// What answers requests.
package protocol HTTPApplication: Sendable {
    /// Answers one request, on the connection's loop.
    ///
    /// The exchange is valid until this returns.
    ///
    /// An ``HTTPProblem`` that is thrown before anything was answered becomes the answer; any other error becomes a 500
    /// without detail and a line in the log. Returning without an answer is a 500 too.
    func handle(_ exchange: HTTPExchange) async throws
}

/// Told about every finished request and every refused connection, on the loop where it happened.
///
/// Calls must be short and
/// should allocate nothing.
package protocol HTTPObserver: AnyObject, Sendable {
    /// - Parameters:
    ///   - route: the template that the application set on the exchange, or nil.
    ///   - received: octets of the body.
    ///   - sent: octets of the answer, head and framing included.
    ///   - nanoseconds: from the head's last octet to the answer's last.
    func finished(
        method: HTTPMethod,
        route: StaticString?,
        status: HTTPStatus,
        received: UInt64,
        sent: UInt64,
        nanoseconds: UInt64
    )

    /// A message that got no handler, or a connection that was ended: `reason` is a problem code such as
    /// `invalid_request`, `header_timeout`, `idle`.
    func rejected(reason: StaticString)
}
