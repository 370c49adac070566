// SPDX-License-Identifier: Apache-2.0

package import HTTP
import Runtime
package import Sockets
import Transport
package import Wire

/// One request and its answer.
///
/// It belongs to the loop of its connection, is used again for other requests, and is valid only until
/// ``HTTPApplication/handle(_:)`` returns. An answer is sent when the handler has returned, together with the answers to
/// requests that had come with it, or earlier where it is large: a handler answers last.
///
/// Within the server it is also the driver of a connection while that is busy (`HTTPExchange+dialogue.swift`). An idle
/// connection has none, so that it holds no memory but its task.
package final class HTTPExchange {
    enum Answer { case none, streaming, done }

    let server: HTTPServer
    let loop: HTTPLoopState
    var connection: Connection
    var parser: HTTPRequestParser
    /// What has come and was not looked at yet.
    var input = ByteBuffer()
    /// What is to be sent.
    var output = ByteBuffer()

    // MARK: Of the present request

    /// The parser's, read once.
    var outline = HTTPRequestHead.Outline()
    var decodedQuery = QueryParameters()
    var template: StaticString?
    var bodyLimit: UInt64 = 0
    var isOriginAllowed = false
    var madeRequestID: [UInt8]?
    /// Whole field lines that the answer gets besides its own.
    var addedLines = ByteBuffer()
    /// Who calls, for the access log.
    var callerName: String?
    /// Whether the connection goes on behind the answer.
    var keepsAlive = false

    var body = HTTPBodyDecoder(.none)
    var isBodyRead = true
    var isContinued = false
    var receivedOctets: UInt64 = 0
    /// What came, and how long was waited, since the body's rate was last judged.
    var windowOctets = 0
    var windowNanoseconds: UInt64 = 0

    var answer = Answer.none
    var status = HTTPStatus.ok
    var sentOctets: UInt64 = 0
    var chunksBody = false
    /// Octets of a streamed answer of known length that are still to come.
    var remainingOctets: UInt64?
    /// Whether the application wants to know when the client goes.
    var isWatched = false

    init(server: HTTPServer, loop: HTTPLoopState, connection: Connection) {
        self.server = server
        self.loop = loop
        self.connection = connection
        parser = HTTPRequestParser(limits: server.configuration.requestLimits)
    }

    // MARK: The request

    package var method: HTTPMethod { outline.method }
    /// The path, percent-decoded.
    ///
    /// It begins with a slash (or is `*` for OPTIONS) and has no NUL.
    package var path: ArraySlice<UInt8> { parser.head.path }
    /// The query, decoded.
    package var query: QueryParameters { decodedQuery }
    package var fields: HTTPFields { parser.head.fields }
    package var peer: SocketAddress { connection.peer }
    package var isTLS: Bool { connection.isTLS }
    /// Host and port as sent, from the target where that was in absolute form.
    ///
    /// Empty where the client sent none.
    package var host: ArraySlice<UInt8> { parser.head.host }
    /// `Origin`, as sent.
    package var origin: ArraySlice<UInt8>? {
        guard let line = outline.originLine else { return nil }
        return parser.head.fields.value(at: line)
    }

    // MARK: What the application says of it

    /// The route's template, for the metrics.
    package var route: StaticString? {
        get { template }
        set { template = newValue }
    }

    /// The most octets that the body may have; more are answered with 413.
    ///
    /// Set it before the body is read.
    package var maximumBodyOctets: UInt64 {
        get { bodyLimit }
        set { bodyLimit = newValue }
    }

    /// Whether the answer tells the browser that scripts of ``origin`` may read it.
    ///
    /// True for the configured origins.
    package var allowsOrigin: Bool {
        get { isOriginAllowed }
        set { isOriginAllowed = newValue }
    }

    /// Adds field lines, each with its CRLF, to whatever the answer will be.
    ///
    /// What is written must be free of anything from outside.
    package func addFieldLines(_ write: (inout ByteBuffer) -> Void) { write(&addedLines) }

    /// Who calls (a token's id), for the access log.
    package var caller: String? {
        get { callerName }
        set { callerName = newValue }
    }

    /// Whether the path has a secret in it: the log gets its template instead.
    package var isPathSecret = false

    /// Whether requests become lines of the log, so that it is worth while to say more about this one.
    package var isLogged: Bool { server.logsRequests }

    /// The loop's time of this turn, in nanoseconds of the monotonic clock.
    package var now: UInt64 { connection.loop.now }

    // MARK: The client's presence

    /// Whether the client has closed the connection (or its sending side), or the server is stopping: a stream should end.
    package var isInterrupted: Bool { connection.hasPeerClosed || connection.isDraining }

    /// Calls `handler` at most once, on the loop, when ``isInterrupted`` becomes true: for answers that wait for something
    /// else than the client.
    ///
    /// It is forgotten when the answer ends.
    package func onInterruption(_ handler: @escaping () -> Void) {
        isWatched = true
        connection.setDeadline(milliseconds: nil)
        connection.onInterruption(handler)
    }
}
