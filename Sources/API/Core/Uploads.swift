// SPDX-License-Identifier: Apache-2.0

import HTTPServer
import Intake
import Runtime
import Storage
import Wire

extension API {
    /// A spool for a file of a request, bounded like a message.
    func spool() -> Spool {
        Spool(files: store.bodies, pool: store.blocking, limit: configuration.maximumMessageOctets)
    }

    /// The body of a request, a finished message, spooled with CRLF line ends.
    func spoolMessage(_ exchange: HTTPExchange) async throws -> SpooledBody {
        let spool = spool()
        var normaliser = LineEndNormaliser()
        var input = ByteBuffer()
        var output = ByteBuffer()
        while try await exchange.readBody(into: &input) > 0 {
            normaliser.normalise(input.bytes, into: &output)
            try spool.append(output.bytes)
            input.removeAll()
            output.removeAll()
        }
        normaliser.finish(into: &output)
        try spool.append(output.bytes)
        return try await spool.finish()
    }
}

extension BodyReader {
    private static var pieceOctets: Int64 { 64 << 10 }

    /// Sends a range of the octets as they are.
    func copy(_ range: Range<Int64>, to writer: inout HTTPBodyWriter, on pool: BlockingPool) async throws {
        var start = range.lowerBound
        var piece = ByteBuffer()
        while start < range.upperBound {
            let end = min(start + Self.pieceOctets, range.upperBound)
            _ = try await read(start..<end, into: &piece, on: pool)
            try await writer.write(&piece)
            start = end
        }
    }
}

extension MessageCursor {
    /// As lists give it.
    var digits: [UInt8] {
        var buffer = ByteBuffer()
        append(to: &buffer)
        return buffer.array()
    }
}
