// SPDX-License-Identifier: Apache-2.0

import MailTypes
import SMTP
import Runtime
import Storage
import Wire

/// A message of the outbox, ready to be sent piece by piece.
struct OutgoingMessage: Sendable {
    /// Of larger ones only the header is looked at, unless the server needs to know more.
    private static let pieceOctets: Int64 = 64 << 10
    /// A header section is not looked for further.
    private static let maximumHeaderOctets: Int64 = 256 << 10

    let submission: SubmissionRow
    let reader: BodyReader
    let pool: BlockingPool

    /// With the trace fields in front.
    var size: UInt64 { UInt64(clamping: reader.size) &+ UInt64(submission.trace.count) }

    /// The envelope for a server with these capabilities.
    ///
    /// - Parameter recipients: at least one.
    func envelope(_ recipients: [EmailAddress], for capabilities: SMTPCapabilities) async throws -> SMTPEnvelope {
        let header = try await header(limit: Self.maximumHeaderOctets)
        let isUTF8 = Self.isEightBit(header.span) || Self.isEightBit(submission.trace.span)
        var isEightBit = isUTF8
        // With 8BITMIME it may be said of any message; without it, it must be known.
        if !isEightBit {
            isEightBit = try await capabilities.eightBitMIME ? reader.size > Self.pieceOctets : hasEightBits()
        }
        return SMTPEnvelope(
            reversePath: submission.sender,
            recipients: recipients,
            octets: size,
            isEightBit: isEightBit,
            isUTF8: isUTF8
        )
    }

    /// Up to the empty line, which is left out.
    func header(limit: Int64) async throws -> [UInt8] {
        var found = ByteBuffer()
        var offset: Int64 = 0
        while offset < min(reader.size, limit) {
            let before = max(0, found.count - 3)
            let end = min(offset + Self.pieceOctets, reader.size, limit)
            _ = try await reader.read(offset..<end, into: &found, on: pool)
            offset = end
            if let blank = Self.blankLine(found.bytes, from: before) { return Array(found.array()[..<blank]) }
        }
        return found.array()
    }

    /// Where the first CRLF CRLF is; behind its first CRLF.
    private static func blankLine(_ octets: Span<UInt8>, from start: Int) -> Int? {
        if octets.count >= 2, start == 0, octets[0] == ASCII.cr, octets[1] == ASCII.lf { return 0 }
        var index = start
        while index + 3 < octets.count {
            guard let found = octets.firstIndex(of: ASCII.cr, from: index), found + 3 < octets.count else { return nil }
            if octets[found + 1] == ASCII.lf, octets[found + 2] == ASCII.cr, octets[found + 3] == ASCII.lf {
                return found + 2
            }
            index = found + 1
        }
        return nil
    }

    private func hasEightBits() async throws -> Bool {
        var offset: Int64 = 0
        var piece = ByteBuffer()
        while offset < reader.size {
            let end = min(offset + Self.pieceOctets, reader.size)
            piece.removeAll()
            _ = try await reader.read(offset..<end, into: &piece, on: pool)
            offset = end
            if Self.isEightBit(piece.bytes) { return true }
        }
        return false
    }

    private static func isEightBit(_ octets: Span<UInt8>) -> Bool {
        var index = 0
        while index < octets.count {
            if octets[index] > 0x7F { return true }
            index &+= 1
        }
        return false
    }

    /// Gives the message from its beginning on, its trace fields in front.
    func text() -> Text { Text(trace: submission.trace, reader: reader, pool: pool) }

    struct Text {
        private var trace: [UInt8]
        private let reader: BodyReader
        private let pool: BlockingPool
        private var offset: Int64 = 0

        fileprivate init(trace: [UInt8], reader: BodyReader, pool: BlockingPool) {
            self.trace = trace
            self.reader = reader
            self.pool = pool
        }

        /// Appends the next octets; false when they were the last.
        mutating func next(_ buffer: inout ByteBuffer) async throws -> Bool {
            buffer.append(trace)
            trace = []
            let end = min(offset + OutgoingMessage.pieceOctets, reader.size)
            if end > offset { _ = try await reader.read(offset..<end, into: &buffer, on: pool) }
            offset = end
            return offset < reader.size
        }
    }
}
