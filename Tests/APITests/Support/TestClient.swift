// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import JSON
import Wire

/// What came back for a request.
struct TestResponse: Sendable {
    let status: Int
    /// Names lowered.
    let fields: [(name: String, value: String)]
    let body: [UInt8]

    func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as JSON; a body that is not becomes null.
    var json: JSONValue { (try? JSONValue(parsing: body.span)) ?? .null }

    /// A string somewhere in the JSON, by member names and array indexes.
    subscript(_ path: String...) -> String? {
        guard case .string(let text)? = value(at: path) else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    func int(_ path: String...) -> Int64? { value(at: path)?.int64 }

    func bool(_ path: String...) -> Bool? { value(at: path)?.bool }

    func count(_ path: String...) -> Int? { value(at: path)?.array?.count }

    func strings(_ path: String...) -> [String]? {
        value(at: path)?.array?.compactMap { $0.string.map { String(decoding: $0, as: UTF8.self) } }
    }

    func value(at path: [String]) -> JSONValue? {
        var value = json
        for step in path {
            switch value {
            case .object(let object):
                guard let member = object.members.first(where: { $0.name == Array(step.utf8) }) else { return nil }
                value = member.value
            case .array(let array):
                guard let index = Int(step), array.indices.contains(index) else { return nil }
                value = array[index]
            default: return nil
            }
        }
        return value
    }
}

/// A plain HTTP client that blocks: one connection for each request.
struct TestClient: Sendable {
    let port: UInt16

    struct Failure: Error { let reason: String }

    func send(
        _ method: String,
        _ target: String,
        token: String?,
        fields: [(String, String)] = [],
        body: [UInt8]? = nil
    ) throws -> TestResponse {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        let answer = try exchange(Array((head + "\r\n").utf8) + (body ?? []))
        return try parse(answer, isHead: method == "HEAD")
    }

    /// Sends octets as they are and reads until the other side closes.
    func exchange(_ request: [UInt8]) throws -> [UInt8] {
        let connection = try connect()
        connection.send(request)
        var answer: [UInt8] = []
        while let more = connection.receive() { answer += more }
        return answer
    }

    func connect() throws -> TestConnection {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(reason: "socket") }
        let connection = TestConnection(descriptor: descriptor)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Failure(reason: "connect \(errno)") }
        var limit = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return connection
    }

    private func parse(_ answer: [UInt8], isHead: Bool) throws -> TestResponse {
        let end = Array("\r\n\r\n".utf8)
        guard let split = answer.indices.first(where: { answer[$0...].starts(with: end) }) else {
            throw Failure(reason: "no head in \(String(decoding: answer.prefix(200), as: UTF8.self))")
        }
        let lines = String(decoding: answer[..<split], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure(reason: "no status")
        }
        if status == 100 { return try parse(Array(answer[(split + 4)...]), isHead: isHead) }
        let fields = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        var body = Array(answer[(split + 4)...])
        if !isHead, fields.contains(where: { $0.name == "transfer-encoding" }) { body = try unchunk(body) }
        return TestResponse(status: status, fields: fields, body: isHead ? [] : body)
    }

    private func unchunk(_ body: [UInt8]) throws -> [UInt8] {
        var rest = body[...]
        var out: [UInt8] = []
        while let line = rest.firstIndex(of: 0x0D) {
            guard let size = Int(String(decoding: rest[rest.startIndex..<line], as: UTF8.self), radix: 16) else {
                throw Failure(reason: "bad chunk")
            }
            if size == 0 { return out }
            out += rest[(line + 2)..<(line + 2 + size)]
            rest = rest[(line + 4 + size)...]
        }
        throw Failure(reason: "chunked body is cut")
    }
}

/// A connection that blocks, closed when it is let go.
final class TestConnection {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    func send(_ octets: [UInt8]) {
        var sent = 0
        while sent < octets.count {
            let count = octets[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// What has come; nil at the end, or when nothing came for two minutes.
    func receive() -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        return count > 0 ? Array(chunk[..<count]) : nil
    }
}
