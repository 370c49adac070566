// SPDX-License-Identifier: Apache-2.0

internal import JSON
internal import Sockets
internal import Transport
internal import Wire

/// The verbs' way to a server: HTTP over the unix socket of its data directory, where our own user is an administrator.
///
/// Our own few lines instead of libcurl: the other end is our server, on this machine, and a verb that only lists accounts
/// should not load a library that can fetch the web.
final class LocalClient {
    /// The server's refusal, in its own words.
    struct Refusal: Error, CustomStringConvertible {
        let status: Int
        let code: String
        let title: String
        let detail: String
        /// The fields that were wrong, each with why.
        let errors: [String]

        var description: String {
            ([detail.isEmpty ? title : "\(title): \(detail)"] + errors).joined(separator: "\n  ")
        }
    }

    private let path: String
    private let timeoutSeconds: Int
    private var stream: LocalStream
    private var buffer = ByteBuffer()

    /// Connects to `DIR/postern.sock`; throws ``Sockets/LocalStream/Failure`` whose `isAbsence` says that no server runs.
    init(dataDirectory: String, timeoutSeconds: Int = 600) throws {
        path = "\(dataDirectory)/postern.sock"
        self.timeoutSeconds = timeoutSeconds
        stream = try LocalStream(path: path, timeoutSeconds: timeoutSeconds)
    }

    /// A request's parts besides method and target.
    struct Content {
        var type: StaticString = "application/json"
        var octets: [UInt8] = []
        var fields: [(name: StaticString, value: String)] = []
    }

    /// Sends one request and gives the answer, whatever its status.
    func send(_ method: StaticString, _ target: String, _ content: Content? = nil) throws -> LocalResponse {
        var request = ByteBuffer()
        request.append(method)
        request.append(ASCII.space)
        request.append(utf8: target)
        request.append(" HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n")
        if let content {
            request.append("Content-Type: ")
            request.append(content.type)
            request.append("\r\nContent-Length: ")
            request.append(decimal: content.octets.count)
            request.appendLineEnd()
            for (name, value) in content.fields {
                precondition(!value.utf8.contains { ASCII.isControl($0) })
                request.append(name)
                request.append(": ")
                request.append(utf8: value)
                request.appendLineEnd()
            }
        }
        request.appendLineEnd()
        if let content { request.append(content.octets) }
        try stream.write(&request)
        return try receive()
    }

    private func receive() throws -> LocalResponse {
        var parser = LocalResponseParser()
        while true {
            let isEnd = try stream.read(into: &buffer) == 0
            guard let response = try parser.next(&buffer, isEnd: isEnd) else { continue }
            if let connection = response.value("Connection"), ASCII.equalsIgnoringCase(connection, "close") {
                buffer.removeAll()
                stream = try LocalStream(path: path, timeoutSeconds: timeoutSeconds)
            }
            return response
        }
    }

    /// Sends one request and gives the JSON of its answer (null without a body); any status but 2xx is a ``Refusal``.
    func call(_ method: StaticString, _ target: String, _ content: Content? = nil) throws -> JSONValue {
        let response = try send(method, target, content)
        guard (200...299).contains(response.status) else { throw Self.refusal(response) }
        return response.body.isEmpty
            ? .null : try JSONValue(parsing: response.body.span, limits: JSONLimits(octets: 1 << 26))
    }

    static func refusal(_ response: LocalResponse) -> Refusal {
        let problem = (try? JSONValue(parsing: response.body.span))?.object
        func text(_ object: JSONObject?, _ name: StaticString) -> String {
            object?[name]?.string.map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let errors = problem?["errors"]?.array ?? []
        return Refusal(
            status: response.status,
            code: text(problem, "code"),
            title: problem == nil ? "HTTP status \(response.status)" : text(problem, "title"),
            detail: text(problem, "detail"),
            errors: errors.map { "\(text($0.object, "pointer")): \(text($0.object, "detail"))" }
        )
    }
}
