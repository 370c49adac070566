// SPDX-License-Identifier: Apache-2.0

import HTTP
import HTTPServer
import Runtime
import Storage
import Wire

extension Call {
    private static var pieceOctets: Int64 { 64 << 10 }

    /// Answers with octets, or with the range of them that is asked for, read by `read` in pieces: it appends some octets from
    /// the offset on, up to the end, and says how many.
    ///
    /// Where `length` is nil nobody knows it yet: the whole is sent, whatever range is asked for (RFC 9110 §14.2), until `read`
    /// appends none.
    func respond(
        contentType: [UInt8],
        tag: EntityTag,
        length: Int64?,
        fields: HTTPFields,
        _ read: (Range<Int64>, inout ByteBuffer) async throws -> Int
    ) async throws {
        var response = HTTPResponse(.ok, fields: fields)
        try response.fields.add("Content-Type", contentType)
        try response.fields.add("ETag", tag.fieldValue)
        guard let length else { return try await respond(response, read) }
        response.fields.add("Accept-Ranges", "bytes")
        let total = UInt64(max(length, 0))
        var range = 0..<max(length, 0)
        // RFC 9110 §14.2: ranges are for GET; HEAD says what the whole would be.
        switch exchange.method == .get ? ByteRange(exchange.fields, length: total, tag: tag) : .whole {
        case .whole: break
        case .part(let part):
            range = Int64(part.lowerBound)..<Int64(part.upperBound)
            response.status = .partialContent
            try response.fields.add("Content-Range", ByteRange.contentRange(part, length: total))
        case .unsatisfiable:
            var problem = APIProblem(.rangeNotSatisfiable, "range_not_satisfiable", "No octet of that range exists.")
            try problem.fields.add("Content-Range", ByteRange.contentRange(nil, length: total))
            throw problem
        }
        try await exchange.stream(response, length: UInt64(range.count)) { writer in
            var buffer = ByteBuffer()
            var next = range.lowerBound
            while next < range.upperBound {
                let count = try await read(next..<min(next + Self.pieceOctets, range.upperBound), &buffer)
                guard count > 0 else { throw StreamCut() }
                next += Int64(count)
                try await writer.write(&buffer)
            }
        }
    }
}

extension Call {
    private func respond(
        _ response: HTTPResponse,
        _ read: (Range<Int64>, inout ByteBuffer) async throws -> Int
    ) async throws {
        var response = response
        response.fields.add("Accept-Ranges", "none")
        try await exchange.stream(response, length: nil) { writer in
            var buffer = ByteBuffer()
            var next: Int64 = 0
            while true {
                let count = try await read(next..<next + Self.pieceOctets, &buffer)
                guard count > 0 else { return }
                next += Int64(count)
                try await writer.write(&buffer)
            }
        }
    }
}

/// A body that ended before its length: the connection must end, so that the client sees it.
struct StreamCut: Error {}
